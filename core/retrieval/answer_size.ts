/** An answer goes from script to script in one message: one that is too large is refused, and says how to ask for less. */
import type { Failure } from "../errors.ts";
import { ANSWER_CHARACTERS_MAX } from "../limits.ts";
import type { SearchHit } from "../rpc.ts";

/** null when the hits fit. */
export function oversizedAnswer(hits: readonly SearchHit[]): Failure | null {
  const size = hits.reduce((characters, hit) => characters + charactersOf(hit), 0);
  if (size <= ANSWER_CHARACTERS_MAX) return null;
  const what = "The answer; ask for fewer hits, or leave text or attributes out with `include`";
  return { reason: "too_large", what, size, max: ANSWER_CHARACTERS_MAX, unit: "characters" };
}

/** Of what can be long in a hit. */
function charactersOf({ text, attributes }: SearchHit): number {
  return (text?.length ?? 0) + (attributes === undefined ? 0 : JSON.stringify(attributes).length);
}
