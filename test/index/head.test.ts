import { describe, expect, test } from "vitest";
import { applyHead, type HeadProposal, shardEntry } from "../../core/index/head.ts";
import type { Head, ShardEntry } from "../../core/schema/stored.ts";
import { partOf } from "./part_fixture.ts";

const shard = (from: number, to: number): ShardEntry => ({
  from,
  to,
  sha256: `${from}${to}`.padStart(64, "0"),
  bytes: 100,
  hotBytes: 64,
  vectorBytes: 0,
  events: to - from + 1,
  chunks: 1,
  minTs: 0,
  maxTs: 0,
});

const revision = "0123456789abcdef";
const head: Head = {
  version: 4,
  incarnation: 2,
  revision,
  covered: 9,
  shards: [shard(1, 5), shard(6, 7), shard(8, 9)],
};
const proposal: HeadProposal = { incarnation: 2, revision, baseVersion: 4, replaces: 0, shards: [shard(10, 12)] };

describe("a proposal", () => {
  test("that fills the tail follows the shards there are", () => {
    expect(applyHead(head, proposal, 12)).toEqual({
      ok: true,
      value: { ...head, version: 5, covered: 12, shards: [...head.shards, shard(10, 12)] },
    });
  });

  test("that replaces shards takes exactly the place of the last ones", () => {
    const merged = applyHead(head, { ...proposal, replaces: 2, shards: [shard(6, 12)] }, 20);
    expect(merged.ok && merged.value.shards).toEqual([shard(1, 5), shard(6, 12)]);
    const compacted = applyHead(head, { ...proposal, replaces: 3, shards: [shard(1, 4), shard(5, 9)] }, 9);
    expect(compacted.ok && compacted.value.covered).toBe(9);
  });

  test("that replaces everything may bring another revision", () => {
    const rebuilt = applyHead(head, { ...proposal, revision: "f".repeat(16), replaces: 3, shards: [shard(1, 9)] }, 9);
    expect(rebuilt.ok && rebuilt.value.revision).toBe("f".repeat(16));
  });

  test("is the first head where there was none", () => {
    const first = applyHead(null, { ...proposal, baseVersion: 0, shards: [shard(1, 3)] }, 3);
    expect(first.ok && first.value).toEqual({
      version: 1,
      incarnation: 2,
      revision,
      covered: 3,
      shards: [shard(1, 3)],
    });
  });

  test.each<[string, Partial<HeadProposal>, number]>([
    ["was planned against another head", { baseVersion: 3 }, 12],
    ["is of another incarnation", { incarnation: 1 }, 12],
    ["leaves a gap", { shards: [shard(11, 12)] }, 12],
    ["overlaps the shards it keeps", { shards: [shard(9, 12)] }, 12],
    ["replaces a part of a shard", { replaces: 1, shards: [shard(9, 12)] }, 12],
    ["reaches back beyond what it replaces", { replaces: 1, shards: [shard(6, 12)] }, 12],
    ["has a gap within", { shards: [shard(10, 10), shard(12, 12)] }, 12],
    ["covers less than the head", { replaces: 1, shards: [shard(8, 8)] }, 12],
    ["covers commits that there are not", {}, 11],
    ["replaces more shards than there are", { replaces: 4, shards: [shard(1, 12)] }, 12],
    ["replaces a negative number of shards", { replaces: -1 }, 12],
    ["has no shard", { replaces: 0, shards: [] }, 12],
    ["mixes revisions", { revision: "f".repeat(16) }, 12],
  ])("is discarded when it %s", (_, change, lastCommit) => {
    expect(applyHead(head, { ...proposal, ...change }, lastCommit)).toMatchObject({
      ok: false,
      failure: { reason: "conflict" },
    });
  });
});

test("a head lists of a shard what the part says", () => {
  const part = partOf([
    [
      { text: "one", ts: 5 },
      { text: "two", ts: 3 },
    ],
    [{ withdraw: "x" }],
  ]);
  const sha256 = "a".repeat(64);
  expect(shardEntry(part, sha256)).toEqual({
    from: 1,
    to: 2,
    sha256,
    bytes: part.bytes,
    hotBytes: part.hotBytes,
    vectorBytes: 0,
    events: 3,
    chunks: 2,
    minTs: 3,
    maxTs: 5,
  });
});
