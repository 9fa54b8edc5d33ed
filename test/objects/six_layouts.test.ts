/**
 * The same requests of the same log, however it lies: tail only, a shard a commit, merged, built anew, opened from
 * SQLite, copied from the store. One hash each. LAYOUT_REQUESTS sets how many requests; a few hundred by default.
 */
import { createHash, type Hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { randomNumbers } from "../../bench/kernel/random.ts";
import { ok } from "../../core/errors.ts";
import { canonicalJson } from "../../core/log/canonical.ts";
import { parseSnapshotToken, snapshotDigest } from "../../core/log/token.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { PartCache } from "../../durable-objects/part_cache.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";
import { COMMIT_EVERY_MS, distinctRequests, type LayoutRequest, LOG_BEGAN_MS, logSteps } from "./layout_log.ts";

const REQUESTS = Number(process.env.LAYOUT_REQUESTS ?? 300);
const COMMITS = 1_000;
const SEED = 20_260_101;
/** Requests between two of the losses of memory, or of copies, that make a layout. */
const REQUESTS_A_LOSS = 50;

/** The log, in the tail; and a snapshot token of each of its commits. */
async function writtenLog(): Promise<{ readonly fixture: EntityFixture; readonly snapshots: readonly string[] }> {
  const fixture = new EntityFixture();
  const snapshots: string[] = [];
  for (const [index, step] of logSteps(COMMITS, randomNumbers(SEED)).entries()) {
    fixture.nowMs = LOG_BEGAN_MS + index * COMMIT_EVERY_MS;
    if ("append" in step) await fixture.accept(...step.append);
    else valueIn(await fixture.entity.withdraw(step.withdraw));
    snapshots.push((await fixture.search({ text: "renewal", top_k: 1 })).snapshot);
  }
  return { fixture, snapshots };
}

/** Builds one shard for each commit of the tail. */
async function indexCommitByCommit(fixture: EntityFixture): Promise<void> {
  fixture.nowMs += fixture.settings.indexAgeMs;
  for (let commit = 1; commit <= COMMITS; commit += 1) {
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("no work while there is a tail");
    const segments = work.segments.filter((segment) => segment.commit === commit);
    const sha256 = await fixture.build({ ...work, from: commit, to: commit, replaces: 0, shards: [], segments });
    const { scope, incarnation, headVersion } = work;
    const proposal = { scope, incarnation, headVersion, replaces: 0, sha256 };
    expect(await fixture.entity.proposeHead(proposal)).toEqual(ok("committed"));
  }
}

async function shardCount(fixture: EntityFixture): Promise<number> {
  return valueIn(await fixture.serve((entity) => entity.reader.status())).shards.length;
}

function forgetMemory(fixture: EntityFixture): void {
  fixture.partCache = new PartCache();
  fixture.crash();
}

/** What the requests answer, hashed; `lose` is called now and then before one of them. */
async function answersOf(
  fixture: EntityFixture,
  requests: readonly LayoutRequest[],
  lose: () => void = () => undefined,
): Promise<string> {
  const hash = createHash("sha256");
  for (const [index, request] of requests.entries()) {
    if (index % REQUESTS_A_LOSS === 0) lose();
    await addAnswer(hash, fixture, request);
  }
  return hash.digest("hex");
}

async function addAnswer(hash: Hash, fixture: EntityFixture, request: LayoutRequest): Promise<void> {
  const { scope } = fixture;
  if ("search" in request) {
    const { hits, snapshot, candidates, token } = await fixture.search(request.search);
    const read = parseSnapshotToken(scope, snapshot, nodeDigest);
    if (read.kind !== "token") throw new Error("no snapshot token");
    const sigma = snapshotDigest(scope, read.token.snapshot, nodeDigest);
    hash.update(canonicalJson([hits, candidates, token, sigma] as unknown as Json));
  } else if ("timeline" in request) {
    const query = { scope, from: null, to: null, kind: null, cursor: null, ...request.timeline };
    const page = await fixture.serve((entity) => entity.reader.timeline(query));
    hash.update(canonicalJson(page as unknown as Json));
  } else {
    const event = await fixture.serve((entity) => entity.reader.event(request.event));
    hash.update(canonicalJson(event as unknown as Json));
  }
}

describe("six layouts, one answer", () => {
  test(
    `${REQUESTS} requests over ${COMMITS} commits`,
    async () => {
      const { fixture, snapshots } = await writtenLog();
      const requests = distinctRequests(REQUESTS, snapshots, randomNumbers(SEED + 1));
      const answers: Record<string, string> = { "tail only": await answersOf(fixture, requests) };
      expect(await shardCount(fixture)).toBe(0);

      await indexCommitByCommit(fixture);
      expect(await shardCount(fixture)).toBe(COMMITS);
      answers["a shard a commit"] = await answersOf(fixture, requests);

      valueIn(await fixture.serve(async (entity) => ok(entity.compact())));
      await fixture.index();
      expect(await shardCount(fixture)).toBe(1);
      answers.merged = await answersOf(fixture, requests);

      valueIn(await fixture.serve((entity) => entity.rebuild()));
      await fixture.index();
      answers["built anew"] = await answersOf(fixture, requests);

      answers["from SQLite"] = await answersOf(fixture, requests, () => forgetMemory(fixture));
      answers["from the store"] = await answersOf(fixture, requests, () => {
        fixture.partCache = new PartCache();
        fixture.loseState();
      });
      expect(new Set(Object.values(answers)).size, JSON.stringify(answers)).toBe(1);
    },
    180_000 + REQUESTS * 400,
  );
});
