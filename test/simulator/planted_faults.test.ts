/** Faults that are planted in the shipped sources are found, and the same seeds hold every invariant without them. */
import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { z } from "zod";
import { PLANTED_FAULTS } from "./planted_faults.ts";
import { simulate } from "./simulate.ts";

const STEPS = 150;
const foundSchema = z.object({ fault: z.string(), seed: z.number(), invariants: z.array(z.string()) });

/** One process that plants one fault after another: a module hook has to be there before the sources are loaded. */
async function findAll(): Promise<Map<string, z.infer<typeof foundSchema>>> {
  const args = ["--no-warnings", "test/simulator/command.ts", "--fault", "all", "--steps", String(STEPS)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  for await (const piece of child.stdout.setEncoding("utf8")) printed += String(piece);
  const found = printed.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as unknown]));
  return new Map(
    found
      .flatMap((line) => (foundSchema.safeParse(line).success ? [foundSchema.parse(line)] : []))
      .map((line) => [line.fault, line]),
  );
}

test("each is found by the invariants that it breaks, and by none without it", { timeout: 900_000 }, async () => {
  const found = await findAll();
  for (const { name, invariants } of PLANTED_FAULTS) {
    const broken = found.get(name)?.invariants ?? [];
    expect(
      invariants.some((invariant) => broken.includes(invariant)),
      `${name}: ${broken.join(", ")}`,
    ).toBe(true);
  }
  for (const seed of new Set([...found.values()].map((one) => one.seed))) {
    expect((await simulate({ seed, steps: STEPS, only: null, without: [] })).violations, `seed ${seed}`).toEqual([]);
  }
});
