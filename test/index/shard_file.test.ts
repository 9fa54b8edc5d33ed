import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildPart } from "../../core/index/build_part.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { Part } from "../../core/index/part.ts";
import { SECTION, SECTION_NAMES } from "../../core/index/sections.ts";
import { readShardFile, type ShardSection, writeShardFile } from "../../core/index/shard_file.ts";
import { xxhash32 } from "../../core/index/xxhash32.ts";
import { commitsFrom, letterEmbedder, sourceOf, tools } from "./part_fixture.ts";

const KERNEL_SECTIONS: readonly number[] = [
  SECTION.text,
  SECTION.postings,
  SECTION.embeddedCodes,
  SECTION.embeddedResiduals,
  SECTION.suppliedCodes,
  SECTION.suppliedResiduals,
];
const identity = { incarnation: 3, from: 7, to: 12, revision: "0123456789abcdef" };
const NAMES = new Map([
  [1, "alpha"],
  [2, "beta"],
  [3, "gamma"],
]);
const section = (type: number, text: string, change: Partial<ShardSection> = {}): ShardSection => ({
  type,
  hot: false,
  required: true,
  bytes: new TextEncoder().encode(text),
  ...change,
});

const sample = writeShardFile(identity, [
  section(1, "hot bytes", { hot: true }),
  section(2, ""),
  section(3, "x".repeat(200)),
]);

describe("a shard file", () => {
  test("gives back its identity and sections, each aligned, the hot ones first", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 }),
        fc.nat(),
        (contents, cut) => {
          const hot = contents.length === 0 ? 0 : cut % (contents.length + 1);
          const sections = contents.map((bytes, index) => ({
            type: index + 1,
            hot: index < hot,
            required: true,
            bytes,
          }));
          const bytes = writeShardFile(identity, sections);
          const file = readShardFile(bytes, new Map(sections.map(({ type }) => [type, `s${type}`])));
          if (!file.ok) throw new Error(JSON.stringify(file.failure));
          expect(file.value.identity).toEqual(identity);
          expect([...file.value.sections]).toEqual(sections.map(({ type, bytes: content }) => [type, content]));
          const places = [...file.value.sections.values()].map((view) => view.byteOffset - bytes.byteOffset);
          expect(places.every((offset) => offset % 64 === 0)).toBe(true);
          expect(places.map((offset) => offset < file.value.hotBytes)).toEqual(sections.map((one) => one.hot));
        },
      ),
    );
  });

  test("keeps numbers beyond 32 bits", () => {
    const wide = { ...identity, incarnation: 2 ** 40, from: 2 ** 35 + 1, to: 2 ** 45 };
    expect(readShardFile(writeShardFile(wide, []), NAMES)).toMatchObject({ ok: true, value: { identity: wide } });
  });

  test("is read by a version that does not know an optional section, and refused for a required one", () => {
    const optional = writeShardFile(identity, [section(1, "a"), section(900, "later", { required: false })]);
    const read = readShardFile(optional, NAMES);
    expect(read.ok && [...read.value.sections.keys()]).toEqual([1]);
    const required = writeShardFile(identity, [section(1, "a"), section(900, "later")]);
    expect(readShardFile(required, NAMES)).toMatchObject({
      ok: false,
      failure: { what: "section 900 (unknown to this version)" },
    });
  });

  test("of another major version is refused, of a later minor one read", () => {
    const major = new Uint8Array(sample);
    major[4] = 2;
    expect(readShardFile(major, NAMES)).toMatchObject({
      ok: false,
      failure: { what: "shard header (unknown format version 2)" },
    });
  });

  test("names the section that was damaged", () => {
    const damaged = new Uint8Array(sample);
    damaged[damaged.length - 200] = 0;
    expect(readShardFile(damaged, NAMES)).toMatchObject({
      ok: false,
      failure: { reason: "corrupt", what: "gamma (checksum)" },
    });
  });

  test("is not written for sections twice, hot after cold, or ranges that cannot be", () => {
    expect(() => writeShardFile(identity, [section(1, ""), section(1, "")])).toThrow("two sections");
    expect(() => writeShardFile(identity, [section(1, ""), section(2, "", { hot: true })])).toThrow("hot section");
    expect(() => writeShardFile({ ...identity, from: 13 }, [])).toThrow("no such shard");
    expect(() => writeShardFile({ ...identity, revision: "short" }, [])).toThrow("no such shard");
  });
});

describe("a damaged file", () => {
  const entries = [{ id: "a", text: "some text", attributes: { stage: "won" } }, { withdraw: "gone" }];
  const commits = commitsFrom(7, [entries, [{ id: "b", vector: [1, 2] }]]);
  const bytes = buildPart(sourceOf(commits, letterEmbedder.id), { ...tools, embedder: letterEmbedder });

  const refused = (damaged: Uint8Array): boolean => {
    const part = openPart(damaged, tools);
    return !part.ok && part.failure.reason === "corrupt" && part.failure.what.length > 0;
  };

  test("is refused by name whichever byte was flipped", () => {
    const damaged = new Uint8Array(bytes);
    const unnoticed: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      const original = bytes[at] ?? 0;
      for (const flip of [0x01, 0x80, 0xff]) {
        damaged[at] = original ^ flip;
        if (!refused(damaged)) unnoticed.push(at);
      }
      damaged[at] = original;
    }
    expect(unnoticed).toEqual([]);
    expect(openPart(damaged, tools).ok).toBe(true);
  });

  test("is refused wherever it was cut, or when something follows it", () => {
    for (let length = 0; length < bytes.length; length++) expect(refused(bytes.subarray(0, length))).toBe(true);
    for (const extra of [1, 64]) {
      const longer = new Uint8Array(bytes.length + extra);
      longer.set(bytes);
      expect(refused(longer)).toBe(true);
    }
  });

  /** Checksums that fit do not make a structure: a bug, or a forger, can write any section. */
  test("whose checksums fit opens to something that answers, or is refused, but never throws", () => {
    const names = new Map(Array.from({ length: 100 }, (_, type) => [type, `s${type}`]));
    const file = readShardFile(bytes, names);
    if (!file.ok) throw new Error("the sample is sound");
    const sections = [...file.value.sections].map(([type, content]) => ({
      type,
      hot: false,
      required: true,
      bytes: content,
    }));
    fc.assert(
      fc.property(fc.nat(sections.length - 1), fc.nat(), fc.nat(255), fc.boolean(), (which, at, value, cut) => {
        const forged = sections.map((one, index) => {
          // Frames and the kernel's sections are verified by their own readers.
          if (index !== which || [SECTION.frames, ...KERNEL_SECTIONS].includes(one.type)) return one;
          const content = cut ? one.bytes.slice(0, at % (one.bytes.length + 1)) : one.bytes.slice();
          if (content.length > 0) content[at % content.length] = value;
          return { ...one, bytes: content };
        });
        const part = openPart(writeShardFile(file.value.identity, forged), tools);
        if (part.ok) readEverything(part.value);
        else expect(part.failure.reason).toBe("corrupt");
      }),
      { numRuns: 3_000 },
    );
  });

  describe("whose summary says of its vectors what cannot be", () => {
    const file = readShardFile(bytes, SECTION_NAMES);
    if (!file.ok) throw new Error("the sample is sound");
    const { identity: own, sections } = file.value;
    const summary = new TextDecoder().decode(sections.get(SECTION.summary));
    const openWith = (changed: string, without: readonly number[] = []) => {
      const kept = [...sections].filter(([type]) => !without.includes(type));
      const forged = kept.map(([type, content]) => ({
        type,
        hot: false,
        required: true,
        bytes: type === SECTION.summary ? new TextEncoder().encode(changed) : content,
      }));
      return openPart(writeShardFile(own, forged), tools);
    };
    const from = (kind: "supplied" | "embedded", commit: number): string => {
      const said = JSON.parse(summary);
      return JSON.stringify({ ...said, vectors: { ...said.vectors, [kind]: { ...said.vectors[kind], from: commit } } });
    };

    test("is sound as it was written", () => {
      expect(openWith(summary)).toMatchObject({
        ok: true,
        value: { vectors: { embedded: { from: 7 }, supplied: { from: 8 } } },
      });
    });

    test.each([
      ["codes that are not there", summary, [SECTION.suppliedCodes]],
      ["residuals that are not there", summary, [SECTION.suppliedResiduals]],
      ["the embedder's codes that are not there", summary, [SECTION.embeddedCodes]],
      ["the embedder's residuals that are not there", summary, [SECTION.embeddedResiduals]],
      [
        "no vectors, beside their sections",
        summary.replace(/"vectors":.*\}\}/, '"vectors":{"supplied":null,"embedded":null}'),
        [],
      ],
      ["a first supply before the part", from("supplied", 6), []],
      ["a first supply after the part", from("supplied", 9), []],
      ["embedded vectors before the part", from("embedded", 6), []],
      ["embedded vectors from the first supply on", from("embedded", 8), []],
    ])("%s", (_, changed, without) => {
      expect(openWith(changed, without)).toMatchObject({ ok: false, failure: { reason: "corrupt", what: "vectors" } });
    });
  });

  function readEverything(part: Part): void {
    for (let row = 0; row < part.rows; row++) part.rowOfId(part.idOfRow(row));
    for (const column of part.columns.values()) {
      for (const code of column.codes) expect(code).toBeLessThanOrEqual(column.values.length);
    }
    for (const row of part.rowOfDocument) expect(row).toBeLessThan(part.rows);
  }
});

describe("the checksum", () => {
  test("is XXH32 as published", () => {
    const of = (text: string): string => xxhash32(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
    expect([of(""), of("a"), of("abc"), of("Nobody inspects the spammish repetition")]).toEqual([
      "02cc5d05",
      "550d7456",
      "32d153ff",
      "e2293b2f",
    ]);
  });

  test("changes with every byte, at any length and address", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 70 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, flip) => {
          const moved = new Uint8Array(bytes.length + 1);
          moved.set(bytes, 1);
          const before = xxhash32(bytes);
          expect(xxhash32(moved.subarray(1))).toBe(before);
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
          expect(xxhash32(bytes)).not.toBe(before);
        },
      ),
    );
  });
});
