/**
 * A Worker that measures one corpus, as asked by workerd_runtime.ts: our kernel and the peers that run here, in the same
 * code as in Node. Bundled for a run; `virtual:libraries` is written then and holds what is installed.
 */
import { kernel, libraries, reader } from "virtual:libraries";
import { PORTABLE_PEERS } from "../peers/portable_peers.ts";
import { bandwidthLimit } from "./bandwidth_limit.ts";
import { steppingClock } from "./clock.ts";
import type { Contender } from "./contender.ts";
import type { QuestionSet } from "./corpus.ts";
import { unpackCorpus } from "./corpus_bytes.ts";
import { ourKernel } from "./our_kernel.ts";
import { ourShard } from "./our_shard.ts";
import { type Budgets, type LocalSession, localSession } from "./session.ts";

/** The corpus: a process has one, and is asked one thing after another. */
let session: LocalSession | null = null;

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/corpus") {
      const of = (name: keyof Budgets): number => Number(searchParams.get(name));
      const budgets = { buildMsMax: of("buildMsMax"), askMsMax: of("askMsMax"), silenceMsMax: of("silenceMsMax") };
      session = localSession(unpackCorpus(await request.arrayBuffer()), contenders(), steppingClock(), budgets, null);
      return Response.json(session.systems);
    }
    if (session === null) throw new Error("there is no corpus");
    if (pathname === "/open") return Response.json(await session.open(await request.text()));
    return Response.json(await session.ask(withVectors((await request.json()) as QuestionSet)));
  },
};

/** Ours first. */
function contenders(): readonly Contender[] {
  const ours = ourKernel(kernel);
  const peers = Object.entries(libraries).map(([name, { library, version }]) => {
    const make = PORTABLE_PEERS[name];
    if (make === undefined) throw new Error(`${name} is not among the portable peers`);
    return make(library, version);
  });
  return [...ours.contenders, ourShard(ours), bandwidthLimit(reader), ...peers];
}

/** JSON knows no typed arrays. */
function withVectors(set: QuestionSet): QuestionSet {
  const questions = set.questions.map((question) => ({
    ...question,
    vector: question.vector === null ? null : Float32Array.from(question.vector),
  }));
  return { ...set, questions };
}
