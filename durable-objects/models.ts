/** The deployment's embedder, chosen once an isolate. A setting that is wrong stops the object and is named. */
import { chooseEmbedder } from "../adapters/models/choose_embedder.ts";
import { problemOf } from "../core/errors.ts";
import type { Embedder, KernelBuilder } from "../core/ports.ts";
import type { Env } from "./env.ts";
import { Misconfiguration } from "./settings.ts";

export function embedderOf(env: Env, builder: KernelBuilder): Embedder | null {
  const chosen = chooseEmbedder(env, { analyze: (text) => builder.analyze(text), ai: env.AI ?? null });
  if (!chosen.ok) throw new Misconfiguration(problemOf(chosen.failure).detail);
  return chosen.value;
}
