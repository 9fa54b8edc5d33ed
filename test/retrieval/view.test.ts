import { describe, expect, test } from "vitest";
import { SUPPLIED_MODEL } from "../../core/index/build_part.ts";
import { commitOfRow, rowsThrough, spaceOfView, type View, vectorsThrough } from "../../core/retrieval/view.ts";
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

const withdrawn: CommitPlan = { events: [], withdraw: ["c"] };

function view(plans: readonly CommitPlan[], commit = plans.length, cuts: readonly number[] = [1, 2, 3]): View {
  return viewOf(commitLines(plans), { cuts, commit }, embedded);
}

describe("the space of a view", () => {
  const local = { model: embedder.id, dimensions: embedder.dimensions };
  const supplied = { model: SUPPLIED_MODEL, dimensions: 2 };
  test.each([
    ["is the embedder's", view([plain, plain]), local],
    ["is the supplied one wherever it is seen first", view([withVector, plain]), supplied],
    ["is the supplied one wherever it is seen last", view([plain, withVector]), supplied],
    ["knows nothing of later commits", view([plain, withVector], 1), local],
    ["knows nothing of later commits of one part", view([plain, withVector], 1, []), local],
    ["is the supplied one though a later part has embedded vectors only", view([plain, withVector, plain]), supplied],
    ["stays the supplied one when its only event was withdrawn", view([plain, withVector, withdrawn], 3, []), supplied],
    ["is kept over a part without vectors", view([plain, empty]), local],
    ["is none before the first document that has one", view([empty, plain], 1, []), null],
    ["is none where nothing has one", view([empty]), null],
  ])("%s", (_, seen, expected) => {
    expect(spaceOfView(seen)).toEqual(expected);
  });
});

test("vectors that a model makes count up to m, supplied ones at once", () => {
  const snapshot = { incarnation: 1, commit: 5, vectorCommit: 2, revision: "r" };
  expect(vectorsThrough(snapshot, { model: SUPPLIED_MODEL, dimensions: 2 })).toBe(5);
  expect(vectorsThrough(snapshot, { model: embedder.id, dimensions: 2 })).toBe(2);
  const delayed = (vectorCommit: number) =>
    spaceOfView({ ...view([empty, plain, plain], 3, []), snapshot: { ...snapshot, commit: 3, vectorCommit } });
  expect([delayed(0), delayed(1), delayed(2)?.model]).toEqual([null, null, embedder.id]);
});

test("rows belong to the commit whose lines they are", () => {
  const [part] = viewOf(commitLines([plain, withVector, plain]), { cuts: [], commit: 3 }, embedded).parts;
  if (part === undefined) throw new Error("no part");
  expect([0, 1, 2, 3, 4].map((row) => commitOfRow(part, row).commit)).toEqual([1, 1, 2, 3, 3]);
  expect([0, 1, 2, 3, 9].map((commit) => rowsThrough(part, commit))).toEqual([0, 2, 3, 5, 5]);
  expect(() => commitOfRow(part, 5)).toThrow(RangeError);
});
