/**
 * An eventual search: the object's answer if it comes soon, since it is the fresher one; else one from what was indexed.
 *
 *   object answers within EVENTUAL_OBJECT_MS   its answer, whatever it says of the request
 *   unavailable, or silent until then          the reader's answer
 *   neither                                    what the object says in the end
 */
import { logFault } from "../../../adapters/platform/fault_log.ts";
import type { Failure, Result } from "../../../core/errors.ts";
import { EVENTUAL_OBJECT_MS } from "../../../core/limits.ts";
import type { Timer } from "../../../core/ports.ts";
import type { SearchAnswer, SearchCommand } from "../../../core/rpc.ts";
import type { EventualReader } from "../eventual/eventual_reader.ts";

type Answer = Result<SearchAnswer>;
type Settled = { readonly answer: Answer } | { readonly fault: unknown };

/** Mistakes of the caller: the object would say the same. */
const MISTAKES: ReadonlySet<Failure["reason"]> = new Set(["invalid", "unprocessable", "too_large"]);

/** Rejects as `object` does, when nobody answers. */
export async function searchEventually(
  object: () => Promise<Answer>,
  reader: EventualReader,
  command: SearchCommand,
  timer: Timer,
): Promise<Answer> {
  const asked = settle(object);
  const first = await timer.within(EVENTUAL_OBJECT_MS, asked);
  if (first !== "timeout" && "answer" in first && !isUnavailable(first.answer)) return first.answer;
  const own = await settle(() => reader.search(command));
  if ("answer" in own && (own.answer.ok || MISTAKES.has(own.answer.failure.reason))) return own.answer;
  if ("fault" in own) logFault("eventual_read_failed", own.fault);
  const last = await asked;
  if ("answer" in last) return last.answer;
  throw last.fault;
}

/** Never rejects: whoever waits no longer has nothing to catch. */
async function settle(call: () => Promise<Answer>): Promise<Settled> {
  try {
    return { answer: await call() };
  } catch (fault) {
    return { fault };
  }
}

function isUnavailable(answer: Answer): boolean {
  return !answer.ok && answer.failure.reason === "unavailable";
}
