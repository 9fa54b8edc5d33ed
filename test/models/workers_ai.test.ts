import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type AiBinding, WORKERS_AI_MODEL_DEFAULT, workersAiEmbedder } from "../../adapters/models/workers_ai.ts";
import { embed, remoteEmbedderContract } from "./embedder_contract.ts";

const errorSchema = z.object({ errors: z.array(z.object({ code: z.number(), message: z.string() })).min(1) });
const resultSchema = z.object({ result: z.unknown() });

/** The platform's binding, as far as callers can see it: REST underneath, results unwrapped, errors thrown. */
function bindingOver(origin: string): AiBinding {
  return {
    run: async (model, inputs) => {
      const response = await fetch(`${origin}/ai/run/${model}`, { method: "POST", body: JSON.stringify(inputs) });
      const body: unknown = await response.json();
      if (response.ok) return resultSchema.parse(body).result;
      const first = errorSchema.parse(body).errors[0];
      throw new Error(`AiError: ${first?.code}: ${first?.message}`);
    },
  };
}

remoteEmbedderContract("workers ai", (server, options) =>
  workersAiEmbedder(bindingOver(server.origin), WORKERS_AI_MODEL_DEFAULT, options),
);

describe("workers ai", () => {
  const pacing = { timeoutMs: 60_000, wait: () => Promise.resolve() };

  test("a used-up allocation is not tried again", async () => {
    const asked: string[] = [];
    const binding: AiBinding = {
      run: (model) => {
        asked.push(model);
        return Promise.reject(new Error("3036: you have used up your daily free allocation"));
      },
    };
    expect(await embed(workersAiEmbedder(binding, "@cf/x/y", pacing), ["one"])).toMatchObject({ ok: false });
    expect(asked).toEqual(["@cf/x/y"]);
  });

  test("a binding that throws what is no error is a failure", async () => {
    const binding: AiBinding = { run: () => Promise.reject("nothing to read") };
    expect(await embed(workersAiEmbedder(binding, "@cf/x/y", pacing), ["one"])).toMatchObject({ ok: false });
  });

  test("a binding that throws before it returns a promise is a failure", async () => {
    const binding: AiBinding = {
      run: () => {
        throw new Error("not available in this runtime");
      },
    };
    expect(await embed(workersAiEmbedder(binding, "@cf/x/y", pacing), ["one"])).toMatchObject({ ok: false });
  });
});
