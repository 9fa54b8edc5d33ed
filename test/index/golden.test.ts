/**
 * The bytes of a part are a promise: shards are named by them, and every machine must build the same. A change here is
 * a change of the format, the analyzer, the chunker or the zstd library, and makes every stored shard another one.
 *
 * golden/part.hex holds the file, 32 bytes a line, so that a change shows where it is. `vitest run
 * test/index/golden.test.ts -u` writes it anew.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildPart } from "../../core/index/build_part.ts";
import { commitsOf } from "../../core/index/open_part.ts";
import { hex } from "../../core/log/text_encoding.ts";
import golden from "./golden/part.json" with { type: "json" };
import { asKept, commitsFrom, type Entry, letterEmbedder, opened, sourceOf, tools } from "./part_fixture.ts";

const FILE = new URL("golden/part.hex", import.meta.url);
const LINE_BYTES = 32;
const commits = commitsFrom(1, golden.commits as readonly (readonly Entry[])[]);

test("the bytes of the golden part are what they were", async () => {
  const bytes = buildPart(sourceOf(commits, letterEmbedder.id), { ...tools, embedder: letterEmbedder });
  const lines = Array.from({ length: bytes.length / LINE_BYTES }, (_, line) =>
    hex(bytes.subarray(line * LINE_BYTES, (line + 1) * LINE_BYTES)),
  );
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("golden/part.hex");
});

test("the golden file is read", () => {
  const file = readFileSync(FILE, "utf8");
  const part = opened(Uint8Array.from(Buffer.from(file.replaceAll("\n", ""), "hex")));
  expect(commitsOf(part)).toEqual(asKept(commits));
  expect([part.vectors.embedded?.space.dimensions, part.vectors.supplied?.space.dimensions]).toEqual(golden.dimensions);
});
