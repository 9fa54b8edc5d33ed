/** What is loaded of a scope that no slab holds, and what of it stays for the next search. */
import { describe, expect, test } from "vitest";
import type { PartSections, SlabPool } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import { commitLines, viewOf } from "./corpus.ts";
import { type Body, run, supplied } from "./search_fixture.ts";

const MIB = 1024 * 1024;
const kernel = await loadKernel();

const DIMENSIONS = 512;
const vectorOf = (n: number) => Array.from({ length: DIMENSIONS }, (_, d) => Math.sin(n + d * (1 + (n % 7))));
const commits = commitLines(
  Array.from({ length: 4 }, (_, commit) => ({
    events: Array.from({ length: 120 }, (_, line) => {
      const n = commit * 120 + line;
      return { id: `e${n}`, ts: n, text: `renewal ${n % 9 === 0 ? "risk" : "harbour"} word${n}`, vector: vectorOf(n) };
    }),
    withdraw: commit === 2 ? ["e7"] : [],
  })),
);
const { parts } = viewOf(commits, { cuts: [1, 2, 3], commit: 4 }, supplied);

/** Slabs of this size that no scope fits in, and what is loaded into them: `codes`, `text`, `rows`. */
function paging(bytes: number) {
  const pool = createSlabPool(kernel, [{ bytes, count: 1 }]);
  const loads: PartSections[] = [];
  const slabs: SlabPool = {
    sizeOf: (sections) => pool.sizeOf(sections),
    lease: () => null,
    window(scope) {
      const lease = pool.window(scope);
      const load = lease.slab.load;
      return { ...lease, slab: watched.get(lease.slab) ?? watch(lease.slab, load) };
    },
    isLeased: (scope) => pool.isLeased(scope),
    capacityBytes: 0,
    release: (scope) => pool.release(scope),
    residentBytes: pool.residentBytes,
  };
  const watched = new WeakMap<object, ReturnType<SlabPool["window"]>["slab"]>();
  const watch = (slab: ReturnType<SlabPool["window"]>["slab"], load: typeof slab.load) => {
    const own = {
      ...slab,
      load(sections: PartSections) {
        const loaded = load(sections);
        if (loaded.ok) loads.push(sections);
        return loaded;
      },
    };
    watched.set(slab, own);
    return own;
  };
  const residency = new SlabResidency(slabs);
  const search = (body: Body, seen = parts) => {
    const commit = seen.at(-1)?.to ?? 0;
    const view = { snapshot: { incarnation: 1, commit, vectorCommit: commit, revision: "" }, parts: seen };
    const { hits, resident } = run(view, body, { commits, tools: supplied, residency });
    const fresh = run(view, body, { commits, tools: supplied });
    expect(hits).toEqual(fresh.hits);
    expect([resident, fresh.resident]).toEqual([false, true]);
    return loads.splice(0).map(whatIs);
  };
  return { search };
}

function whatIs({ text, vectors, columns, rowTimes }: PartSections): string {
  const rows = columns.length > 0 || rowTimes !== null ? ["rows"] : [];
  return [...(text === null ? [] : ["text"]), ...rows, ...(vectors === null ? [] : ["codes"])].join(" ");
}

const asked = { vector: vectorOf(33), mode: "vector" };
const codes = ["codes", "codes", "codes", "codes"];
const texts = ["text", "text", "text", "text"];

test("a large scope comes into a slab when it is asked a second time, and answers the same", () => {
  const view = { snapshot: { incarnation: 1, commit: 4, vectorCommit: 4, revision: "" }, parts };
  const residents = (bytesMin: number) => {
    const residency = new SlabResidency(createSlabPool(kernel, [{ bytes: 8 * MIB, count: 1 }]), bytesMin);
    const outcomes = Array.from({ length: 2 }, () => run(view, asked, { commits, tools: supplied, residency }));
    expect(outcomes[0]?.hits).toEqual(outcomes[1]?.hits);
    return outcomes.map(({ resident }) => resident);
  };
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  expect(residents(bytes)).toEqual([false, true]);
  expect(residents(bytes + 1)).toEqual([true, true]);
});

describe("a scope that no slab holds", () => {
  test("keeps the codes of its parts in the slab, and loads nothing else for vectors alone", () => {
    const { search } = paging(6 * MIB);
    expect(search(asked)).toEqual(codes);
    expect(search(asked)).toEqual([]);
    expect(search({ ...asked, top_k: 300 })).toEqual([]);
  });

  test("loads no codes for text alone, and leaves those that are there", () => {
    const { search } = paging(6 * MIB);
    expect(search(asked)).toEqual(codes);
    expect(search({ text: "renewal risk", mode: "text" })).toEqual([...texts, ...texts]);
    expect(search({ text: "renewal risk", vector: vectorOf(5) })).toEqual([...texts, ...texts]);
  });

  test("loads columns and times where a restriction asks them, of no more parts than it leaves", () => {
    const { search } = paging(6 * MIB);
    search(asked);
    expect(search({ ...asked, filter: { kind: "event" } })).toEqual(["rows", "rows", "rows", "rows"]);
    expect(search({ ...asked, from: 400 })).toEqual(["rows"]);
    expect(search({ text: "risk", mode: "text", from: 400 })).toEqual([...texts, "text rows"]);
  });

  test("keeps codes of an older snapshot's parts, and lets go of parts that are replaced", () => {
    const { search } = paging(6 * MIB);
    expect(search(asked)).toEqual(codes);
    expect(search(asked, parts.slice(0, 2))).toEqual([]);
    expect(search(asked)).toEqual([]);
    const merged = viewOf(commits, { cuts: [2], commit: 4 }, supplied).parts;
    expect(search(asked, merged)).toEqual(["codes", "codes"]);
    expect(search(asked, merged)).toEqual([]);
  });

  test("streams codes through a slab that cannot keep any", () => {
    const { search } = paging(MIB);
    expect(search(asked)).toEqual(codes);
    expect(search(asked)).toEqual(codes);
    expect(search({ text: "renewal risk", vector: vectorOf(5), explain: true }).length).toBeGreaterThan(8);
  });
});
