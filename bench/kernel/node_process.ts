/** What a process of Node does for its parent: one corpus, then one call after another (session.ts). */
import { fineClock } from "./clock.ts";
import type { Contender } from "./contender.ts";
import type { Corpus, QuestionSet } from "./corpus.ts";
import { type Budgets, type LocalSession, localSession, type Refusal } from "./session.ts";

/** WebAssembly as bytes: modules do not pass between processes. */
export interface Binaries {
  readonly kernel: Uint8Array<ArrayBuffer>;
  readonly reader: Uint8Array<ArrayBuffer>;
}

export type Call =
  | { readonly call: "begin"; readonly binaries: Binaries; readonly corpus: Corpus; readonly budgets: Budgets }
  | { readonly call: "open"; readonly system: string }
  | { readonly call: "ask"; readonly set: QuestionSet };

export interface LoadedSystems {
  readonly contenders: readonly Contender[];
  readonly absent: readonly Refusal[];
}

/** The process ends when its parent ends it, or goes. A call that throws ends it too: there is nothing to go on with. */
export function serveParent(load: (binaries: Binaries) => Promise<LoadedSystems>): void {
  let session: LocalSession | null = null;
  const answer = async (call: Call): Promise<unknown> => {
    if (call.call === "begin") {
      const { contenders, absent } = await load(call.binaries);
      session = localSession(call.corpus, contenders, fineClock, call.budgets, residentBytes);
      return { systems: session.systems, absent };
    }
    if (session === null) throw new Error("there is no corpus");
    return call.call === "open" ? session.open(call.system) : session.ask(call.set);
  };
  process.on("message", (call: Call) => {
    void answer(call).then((value) => process.send?.(value));
  });
  process.on("disconnect", () => process.exit());
}

/** Of this process, after its garbage is gone. */
function residentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}
