/**
 * The bytes of a part are a promise: shards are named by them, and every machine must build the same. A change here is
 * a change of the format, the analyzer, the chunker or the zstd library, and makes every stored shard another one.
 */
import { expect, test } from "vitest";
import { buildPart } from "../../core/index/build_part.ts";
import { hex } from "../../core/log/text_encoding.ts";
import golden from "./golden/part.json" with { type: "json" };
import { commitsFrom, type Entry, letterEmbedder, sourceOf, tools } from "./part_fixture.ts";

test("the bytes of the golden part are what they were", () => {
  const commits = commitsFrom(1, golden.commits as readonly (readonly Entry[])[]);
  const bytes = buildPart(sourceOf(commits, letterEmbedder.id), { ...tools, embedder: letterEmbedder });
  expect([bytes.length, hex(tools.digest.sha256(bytes))]).toEqual([golden.bytes, golden.sha256]);
});
