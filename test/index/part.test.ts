import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildPart, chunkTexts, draftPart, finishPart, SUPPLIED_MODEL } from "../../core/index/build_part.ts";
import { CHUNKER, chunkText } from "../../core/index/chunker.ts";
import { commitsOf, openPart } from "../../core/index/open_part.ts";
import type { CommitLines, Part } from "../../core/index/part.ts";
import { revisionOf } from "../../core/index/revision.ts";
import { FRAME_RAW_BYTES_MAX, PART_COLUMNS_MAX } from "../../core/limits.ts";
import { parseLine, withdrawalTarget } from "../../core/log/line.ts";
import type { LocalEmbedder, VectorSections } from "../../core/ports.ts";
import { withGraph } from "../kernel/graph_fixture.ts";
import {
  asKept,
  commitsFrom,
  letterEmbedder,
  opened,
  partOf,
  sourceOf,
  timelineArbitrary,
  tools,
} from "./part_fixture.ts";

const allLines = (part: Part): readonly string[] => Array.from({ length: part.rows }, (_, row) => part.lineOfRow(row));

describe("a part that was built and opened", () => {
  test("gives back every commit, line and id", () => {
    fc.assert(
      fc.property(timelineArbitrary, fc.integer({ min: 1, max: 1_000_000 }), (timeline, from) => {
        const commits = commitsFrom(from, timeline);
        const part = opened(buildPart(sourceOf(commits), tools));
        expect([part.incarnation, part.from, part.to]).toEqual([1, from, from + commits.length - 1]);
        expect(commitsOf(part)).toEqual(asKept(commits));
        const ids = commits.flatMap(({ lines }) => lines.map((line) => parseLine(line).id));
        expect(ids.map((_, row) => part.idOfRow(row))).toEqual(ids);
        for (const id of ids) expect([part.rowOfId(id), part.mayHaveId(id)]).toEqual([ids.indexOf(id), true]);
        expect(part.rowOfId("an id that no event has")).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });

  test("holds of each row what its event says", () => {
    fc.assert(
      fc.property(timelineArbitrary, (timeline) => {
        const part = partOf(timeline);
        const columnsSeen = new Set<string>();
        allLines(part).forEach((line, row) => {
          const event = parseLine(line);
          expect(part.rowTimes[row]).toBe(Date.parse(event.ts));
          const { kind, session, actor, agent, source } = event;
          const attributes = Object.entries(event.attributes ?? {}).map(
            ([name, value]) => [`attributes.${name}`, value] as const,
          );
          const values = new Map<string, unknown>([
            ...Object.entries({ kind, session, actor, agent, source }),
            ...attributes,
          ]);
          for (const [name, value] of values) if (value !== undefined) columnsSeen.add(name);
          for (const [name, column] of part.columns) {
            const code = column.codes[row] ?? 0;
            expect(code === 0 ? undefined : column.values[code - 1]).toEqual(values.get(name));
          }
        });
        expect(new Set(part.columns.keys())).toEqual(columnsSeen);
        const withdrawals = allLines(part).flatMap((line, row) => {
          const target = withdrawalTarget(parseLine(line));
          return target === null ? [] : [{ row, target }];
        });
        expect(part.withdrawals).toEqual(withdrawals);
      }),
      { numRuns: 60 },
    );
  });

  test("holds the chunks of its events in order, as byte ranges of their texts", () => {
    fc.assert(
      fc.property(timelineArbitrary, (timeline) => {
        const part = partOf(timeline);
        const texts = allLines(part).map((line) => new TextEncoder().encode(parseLine(line).text ?? ""));
        const cut = Array.from({ length: part.documents }, (_, document) =>
          new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(
            texts[part.rowOfDocument[document] ?? 0]?.subarray(part.chunkFrom[document], part.chunkTo[document]),
          ),
        );
        expect(cut).toEqual(chunkTexts(commitsOf(part)));
        const expected = allLines(part).flatMap((line, row) => {
          const event = parseLine(line);
          return event.kind === "tombstone" ? [] : chunkText(event.text ?? "").map((_, chunk) => [row, chunk]);
        });
        expect(expected).toEqual(
          Array.from(part.rowOfDocument, (row, document) => [row, part.chunkOfDocument[document]]),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("lists column names in ascending order of bytes, and hashes of ids in ascending order", () => {
    fc.assert(
      fc.property(timelineArbitrary, (timeline) => {
        const part = partOf(timeline);
        const names = [...part.columns.keys()].map((name) => Buffer.from(name));
        expect(names).toEqual([...names].sort(Buffer.compare));
        const hashes = [...new BigUint64Array(part.idHashes.slice().buffer)];
        expect(hashes).toEqual([...hashes].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
        expect([...part.idRows].sort((a, b) => a - b)).toEqual(Array.from({ length: part.rows }, (_, row) => row));
      }),
      { numRuns: 30 },
    );
  });

  test("says the span of its events' times, tombstones apart", () => {
    const at = (ts: number) => ({ id: `at ${ts}`, ts, text: "x" });
    expect(partOf([[at(30), at(10)], [at(20)], [{ withdraw: "at 30" }]]).times).toEqual({ min: 10, max: 30 });
    expect(partOf([[{ withdraw: "nothing here" }]]).times).toBeNull();
  });
});

describe("the bytes of a part", () => {
  test("are the same at every build, and from other parts and the log after them, wherever those were cut", () => {
    fc.assert(
      fc.property(
        timelineArbitrary,
        fc.uniqueArray(fc.nat(5)),
        fc.nat(),
        fc.boolean(),
        (timeline, cuts, supplying, grown) => {
          // Both kinds of vectors, where an event beyond the first commit has letters.
          const supply = supplying % timeline.length;
          const commits = commitsFrom(
            1,
            timeline.map((entries, index) =>
              index < supply ? entries : [...entries, { id: `v${index}`, vector: [1, index] }],
            ),
          );
          const build = (of: readonly CommitLines[]) =>
            buildPart(sourceOf(of, letterEmbedder.id), { ...tools, embedder: letterEmbedder });
          const fresh = build(commits);
          expect(Buffer.compare(build(commits), fresh)).toBe(0);
          const ends = [...cuts.filter((cut) => cut > 0 && cut < commits.length), commits.length].sort((a, b) => a - b);
          const pieces = ends.map((end, index) => commits.slice(ends[index - 1] ?? 0, end));
          const rest = grown ? pieces.pop() : undefined;
          const merged = pieces.map((piece) => opened(build(piece)));
          const source = { ...sourceOf(rest ?? [], letterEmbedder.id), merged };
          expect(Buffer.compare(buildPart(source, { ...tools, embedder: letterEmbedder }), fresh)).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("may lie at any address", () => {
    const bytes = buildPart(sourceOf(commitsFrom(1, [[{ text: "moved", attributes: { n: 1 } }]])), tools);
    const elsewhere = new Uint8Array(bytes.length + 3);
    elsewhere.set(bytes, 3);
    const part = opened(elsewhere.subarray(3));
    expect(part.lineOfRow(0)).toContain('"moved"');
    expect([...part.rowTimes]).toEqual([...opened(bytes).rowTimes]);
  });

  test("bear the revision they were built for", () => {
    const commits = commitsFrom(1, [[{ text: "x" }]]);
    const source = sourceOf(commits);
    expect(opened(buildPart(source, tools)).revision).toBe(revisionOf(source.revision, tools.digest));
  });
});

describe("stored lines", () => {
  test("are read back whole whether they share a frame, fill one or span several", () => {
    const sizes = [1, FRAME_RAW_BYTES_MAX, 10, 3 * FRAME_RAW_BYTES_MAX + 7, 2, FRAME_RAW_BYTES_MAX - 200, 500, 1];
    const commits = commitsFrom(1, [sizes.map((size, index) => ({ id: `line ${index}`, text: "é".repeat(size) }))]);
    const part = opened(buildPart(sourceOf(commits), tools));
    for (const row of [3, 0, 7, 1, 3, 6, 5, 4, 2]) expect(part.lineOfRow(row)).toBe(commits[0]?.lines[row]);
  });
});

describe("vectors", () => {
  const vector = [3, 4];
  const letterTools = { ...tools, embedder: letterEmbedder };
  const supplied = { model: SUPPLIED_MODEL, dimensions: 2 };
  const embedded = { model: letterEmbedder.id, dimensions: letterEmbedder.dimensions };
  const sectionsOf = (vectors: readonly (readonly number[] | null)[], dimensions = 2): VectorSections =>
    tools.builder.vectorSections(
      [{ vectors: vectors.map((numbers) => numbers && Float32Array.from(numbers)) }],
      dimensions,
      "cosine",
    );

  test("that came with events of the first commit are the part's only ones, and no embedder is asked", () => {
    const asked: string[] = [];
    const embed: LocalEmbedder["embed"] = (texts) => {
      asked.push(...texts);
      return letterEmbedder.embed(texts);
    };
    const embedder = { ...letterEmbedder, embed };
    const commits = commitsFrom(4, [[{ text: "words" }, { text: "more words", vector }, { vector: [1, 0] }]]);
    const part = opened(buildPart(sourceOf(commits, embedder.id), { ...tools, embedder }));
    expect(asked).toEqual([]);
    expect(part.documents).toBe(3);
    expect([part.chunkFrom[2], part.chunkTo[2]]).toEqual([0, 0]);
    const sections = sectionsOf([null, vector, [1, 0]]);
    expect(part.vectors).toMatchObject({ supplied: { space: supplied, from: 4, sections }, embedded: null });
  });

  test("are the embedder's in the commits before the first that supplies one", () => {
    const commits = commitsFrom(4, [
      [{ text: "123" }],
      [{ text: "words" }],
      [{ text: "x" }, { text: "y", vector }],
      [{ text: "z" }],
    ]);
    const { vectors } = opened(buildPart(sourceOf(commits, letterEmbedder.id), letterTools));
    expect(vectors.supplied).toMatchObject({
      space: supplied,
      from: 6,
      sections: sectionsOf([null, null, null, vector, null]),
    });
    const [words] = letterEmbedder.embed(["words"]);
    const sections = sectionsOf([null, [...(words ?? [])], null, null, null], 6);
    expect(vectors.embedded).toMatchObject({ space: embedded, from: 5, sections });
  });

  test("that were supplied belong to the first chunk of their event", () => {
    const commits = commitsFrom(1, [[{ text: "word ".repeat(1_200), vector }]]);
    const part = opened(buildPart(sourceOf(commits), tools));
    expect(part.documents).toBeGreaterThan(2);
    const rest = Array.from({ length: part.documents - 1 }, () => null);
    expect(part.vectors.supplied?.sections).toEqual(sectionsOf([vector, ...rest]));
  });

  test("of other dimensions than the first are left out", () => {
    const commits = commitsFrom(1, [
      [
        { text: "a", vector },
        { text: "b", vector: [1, 2, 3] },
      ],
    ]);
    const { vectors } = opened(buildPart(sourceOf(commits), tools));
    expect(vectors.supplied).toMatchObject({ space: supplied, from: 1, sections: sectionsOf([vector, null]) });
  });

  test("are the local embedder's when none were supplied", () => {
    const commits = commitsFrom(1, [[{ text: "some words" }, { text: "123" }]]);
    const { vectors } = opened(buildPart(sourceOf(commits, letterEmbedder.id), letterTools));
    const sections = tools.builder.vectorSections(
      [{ vectors: letterEmbedder.embed(["some words", "123"]) }],
      6,
      "cosine",
    );
    expect(vectors).toMatchObject({ supplied: null, embedded: { space: embedded, from: 1, sections } });
  });

  test("are what was recorded when there is no local embedder, as far as none were supplied", () => {
    const commits = commitsFrom(1, [[{ text: "some words" }], [{ text: "others" }], [{ text: "last", vector }]]);
    const source = sourceOf(commits, "remote-model");
    const recorded = [null, Float32Array.from([1, 2, 3]), Float32Array.from([4, 5, 6])];
    const { vectors } = opened(buildPart({ ...source, recorded }, tools));
    const sections = sectionsOf([null, [1, 2, 3], null], 3);
    expect(vectors.embedded).toMatchObject({ space: { model: "remote-model", dimensions: 3 }, from: 2, sections });
    expect(vectors.supplied).toMatchObject({ space: supplied, from: 3, sections: sectionsOf([null, null, vector]) });
  });

  test("keep their graphs", () => {
    const commits = commitsFrom(1, [[{ text: "some words" }, { text: "others" }], [{ text: "last", vector }]]);
    const draft = draftPart(sourceOf(commits, letterEmbedder.id), letterTools);
    const graphOf = (sections: VectorSections | null) => sections && withGraph(sections);
    const graphed = { supplied: graphOf(draft.vectors.supplied), embedded: graphOf(draft.vectors.embedded) };
    expect([graphed.supplied?.graph, graphed.embedded?.graph]).not.toContain(null);
    const { vectors } = opened(finishPart(draft, graphed, tools.checksum));
    expect(vectors.supplied?.sections).toEqual(graphed.supplied);
    expect(vectors.embedded?.sections).toEqual(graphed.embedded);
  });

  test("are absent from a part where no document has one", () => {
    const tombstones = buildPart(sourceOf(commitsFrom(1, [[{ withdraw: "x" }]]), letterEmbedder.id), letterTools);
    for (const part of [opened(tombstones), partOf([[{ text: "words" }]])]) {
      expect(part.vectors).toEqual({ supplied: null, embedded: null });
    }
  });
});

describe("a source that cannot be", () => {
  test("is a bug and throws: gaps between commits, another analyzer, another embedder, vectors that do not fit", () => {
    const commits = commitsFrom(1, [[{ text: "a" }], [{ text: "b" }], [{ text: "c" }]]);
    const source = sourceOf(commits);
    expect(() => buildPart(sourceOf([]), tools)).toThrow("at least one commit");
    expect(() => buildPart(sourceOf(commits.filter(({ commit }) => commit !== 2)), tools)).toThrow("contiguous");
    expect(() => buildPart({ ...source, revision: { ...source.revision, analyzer: "other" } }, tools)).toThrow("other");
    const before = opened(buildPart(sourceOf(commits.slice(0, 1)), tools));
    const after = sourceOf(commits.slice(1), letterEmbedder.id);
    const letterTools = { ...tools, embedder: letterEmbedder };
    expect(() => buildPart({ ...after, merged: [before] }, letterTools)).toThrow("another revision");
    expect(() => buildPart(source, { ...tools, embedder: letterEmbedder })).toThrow(letterEmbedder.id);
    expect(() => buildPart({ ...source, recorded: [null] }, tools)).toThrow("1 recorded vectors for 3 documents");
  });
});

describe("attribute names beyond what a part stores", () => {
  const namesEach = 40;
  const rows = Math.ceil(PART_COLUMNS_MAX / namesEach) + 20;
  const nameAt = (row: number, at: number): string => `own ${row} ${at}`;
  const events = Array.from({ length: rows }, (_, row) => ({
    id: `e${row}`,
    attributes: {
      shared: row % 3,
      ...Object.fromEntries(Array.from({ length: namesEach }, (_, at) => [nameAt(row, at), `v${at}`])),
    },
  }));
  const bytes = buildPart(sourceOf(commitsFrom(1, [events])), tools);
  const part = opened(bytes);

  test("take space by what the events hold, not by rows times names", () => {
    expect(part.columns.size).toBe(PART_COLUMNS_MAX + 1);
    expect(bytes.length).toBeLessThan(rows * namesEach * 100);
  });

  test("are found all the same", () => {
    for (const [row, at] of [
      [0, 0],
      [3, 7],
      [rows - 1, 0],
      [rows - 1, namesEach - 1],
    ] as const) {
      const name = `attributes.${nameAt(row, at)}`;
      const column = part.columns.get(name);
      expect(column?.values).toEqual([`v${at}`]);
      expect(Array.from(column?.codes ?? [])).toEqual(
        Array.from({ length: rows }, (_, other) => Number(other === row)),
      );
      expect(part.columns.has(name)).toBe(true);
    }
    const shared = part.columns.get("attributes.shared");
    expect(Array.from(shared?.codes ?? [], (code) => shared?.values[code - 1])).toEqual(
      events.map(({ attributes }) => attributes.shared),
    );
  });

  test("and fields that no event has, are not", () => {
    for (const name of ["attributes.own 0 40", "attributes.__proto__", "attributes.toString", "session", "id"]) {
      expect([part.columns.has(name), part.columns.get(name)]).toEqual([false, undefined]);
    }
  });
});

test("a file of another kind is refused, not thrown at", () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(64), new Uint8Array(4_096).fill(7)]) {
    expect(openPart(bytes, tools)).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
  }
  expect(CHUNKER).toMatch(/^[a-z]+-\d+$/);
});
