import { describe, expect, test } from "vitest";
import { SUPPLIED_MODEL } from "../../core/index/build_part.ts";
import { commitOfRow, rowsThrough, spaceOfView, type View } from "../../core/retrieval/view.ts";
import { type CommitPlan, commitLines, viewOf } from "./corpus.ts";
import { embedded, embedder } from "./search_fixture.ts";

const plain: CommitPlan = {
  events: [
    { id: "a", ts: 1, text: "renewal" },
    { id: "b", ts: 1, text: "risk" },
  ],
  withdraw: [],
};
const withVector: CommitPlan = { events: [{ id: "c", ts: 1, text: "call", vector: [1, 0] }], withdraw: [] };
const empty: CommitPlan = { events: [{ id: "d", ts: 1 }], withdraw: [] };

function view(plans: readonly CommitPlan[], commit = plans.length): View {
  return viewOf(commitLines(plans), { cuts: [1, 2, 3], commit }, embedded);
}

describe("the space of a view", () => {
  const local = { model: embedder.id, dimensions: embedder.dimensions };
  const supplied = { model: SUPPLIED_MODEL, dimensions: 2 };
  test.each([
    ["is the embedder's", view([plain, plain]), local],
    ["is the supplied one wherever it is seen first", view([withVector, plain]), supplied],
    ["is the supplied one wherever it is seen last", view([plain, withVector]), supplied],
    ["knows nothing of later commits", view([plain, withVector], 1), local],
    ["is kept over a part without vectors", view([plain, empty]), local],
    ["is none where nothing has one", view([empty]), null],
  ])("%s", (_, seen, expected) => {
    expect(spaceOfView(seen)).toEqual(expected);
  });
});

test("rows belong to the commit whose lines they are", () => {
  const [part] = viewOf(commitLines([plain, withVector, plain]), { cuts: [], commit: 3 }, embedded).parts;
  if (part === undefined) throw new Error("no part");
  expect([0, 1, 2, 3, 4].map((row) => commitOfRow(part, row).commit)).toEqual([1, 1, 2, 3, 3]);
  expect([0, 1, 2, 3, 9].map((commit) => rowsThrough(part, commit))).toEqual([0, 2, 3, 5, 5]);
  expect(() => commitOfRow(part, 5)).toThrow(RangeError);
});
