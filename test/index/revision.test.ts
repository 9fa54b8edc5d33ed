import { expect, test } from "vitest";
import { revisionOf } from "../../core/index/revision.ts";
import { REVISION_DIGITS } from "../../core/index/shard_file.ts";
import { tools } from "./part_fixture.ts";

test("a revision is short, and another one when any setting is", () => {
  const settings = { analyzer: "a", chunker: "c", embedder: "none", metric: "cosine" } as const;
  const variants = [
    settings,
    { ...settings, analyzer: "b" },
    { ...settings, chunker: "d" },
    { ...settings, embedder: "e" },
    { ...settings, metric: "dot" as const },
    { ...settings, analyzer: 'a","c', chunker: "" },
  ];
  const revisions = variants.map((variant) => revisionOf(variant, tools.digest));
  for (const revision of revisions) expect(revision).toMatch(new RegExp(`^[0-9a-f]{${REVISION_DIGITS}}$`));
  expect(new Set(revisions).size).toBe(variants.length);
  expect(revisionOf({ ...settings }, tools.digest)).toBe(revisions[0]);
});
