import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Result } from "../../core/errors.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { Part } from "../../core/index/part.ts";
import { SECTION, SECTION_KINDS } from "../../core/index/sections.ts";
import {
  PAGE_CHECKSUMS,
  readHotShard,
  readShardFile,
  type SectionKinds,
  SHARD_PAGE_BYTES,
  type ShardDirectory,
  type ShardSection,
  writeShardFile,
} from "../../core/index/shard_file.ts";
import { sectionsOf } from "../../core/retrieval/residency.ts";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import { commitsFrom, letterEmbedder, sourceOf, tools } from "./part_fixture.ts";

const { checksum } = tools;
const identity = { incarnation: 3, from: 7, to: 12, revision: "0123456789abcdef" };
const kindsOf = (names: readonly (readonly [number, string])[], provedLater: readonly number[] = []): SectionKinds => ({
  names: new Map([[PAGE_CHECKSUMS, "pages"], ...names]),
  provedLater: new Set(provedLater),
});
const KINDS = kindsOf([
  [11, "alpha"],
  [12, "beta"],
  [13, "gamma"],
]);
const section = (type: number, text: string, change: Partial<ShardSection> = {}): ShardSection => ({
  type,
  hot: false,
  required: true,
  bytes: new TextEncoder().encode(text),
  ...change,
});

const write = (sections: readonly ShardSection[], of = identity): Uint8Array => writeShardFile(of, sections, checksum);
const read = (bytes: Uint8Array, kinds = KINDS): Result<ShardDirectory> => readShardFile(bytes, kinds, checksum);
const sound = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
};
const contentOf = (file: Uint8Array, directory: ShardDirectory, type: number): Uint8Array => {
  const { offset, length } = directory.places.get(type) ?? { offset: 0, length: 0 };
  return file.subarray(offset, offset + length);
};

const sample = write([section(11, "hot bytes", { hot: true }), section(12, "y"), section(13, "x".repeat(200))]);

describe("a shard file", () => {
  test("gives back its identity and sections, each aligned, the hot ones first", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 }),
        fc.nat(),
        (contents, cut) => {
          const hot = contents.length === 0 ? 0 : cut % (contents.length + 1);
          const sections = contents.map((bytes, index) => ({
            type: index + 11,
            hot: index < hot,
            required: true,
            bytes,
          }));
          const bytes = write(sections);
          const directory = sound(read(bytes, kindsOf(sections.map(({ type }) => [type, `s${type}`]))));
          expect(directory.identity).toEqual(identity);
          expect(directory.fileBytes).toBe(bytes.length);
          for (const { type, bytes: content } of sections) expect(contentOf(bytes, directory, type)).toEqual(content);
          const places = sections.map(({ type }) => directory.places.get(type)?.offset ?? 0);
          expect(places.every((offset) => offset % 64 === 0)).toBe(true);
          expect(places.map((offset) => offset < directory.hotBytes)).toEqual(sections.map((one) => one.hot));
        },
      ),
    );
  });

  test("keeps numbers beyond 32 bits", () => {
    const wide = { ...identity, incarnation: 2 ** 40, from: 2 ** 35 + 1, to: 2 ** 45 };
    expect(read(write([], wide))).toMatchObject({ ok: true, value: { identity: wide } });
  });

  test("is read by a version that does not know an optional section, and refused for a required one", () => {
    const directory = sound(read(write([section(11, "a"), section(900, "later", { required: false })])));
    expect([...directory.places.keys()]).toEqual([PAGE_CHECKSUMS, 11]);
    expect(read(write([section(11, "a"), section(900, "later")]))).toMatchObject({
      ok: false,
      failure: { what: "section 900 (unknown to this version)" },
    });
  });

  test("of another major version is refused", () => {
    for (const version of [1, 3]) {
      const other = new Uint8Array(sample);
      other[4] = version;
      expect(read(other)).toMatchObject({
        ok: false,
        failure: { what: `shard header (unknown format version ${version})` },
      });
    }
  });

  test("of a later minor version is read", () => {
    const later = new Uint8Array(sample);
    later[6] = 9;
    resealHeader(later);
    expect(read(later).ok).toBe(true);
  });

  /** Four sections: alpha and the page checksums are hot. An entry takes 32 bytes from 128 on. */
  test.each([
    ["a file of another length", 49, 64, "shard file (length)"],
    ["a hot area of another length", 56, 64, "shard header (length of the hot area)"],
    ["a hot section behind a cold one", 128 + 3 * 32 + 5, 2, "gamma (hot after cold)"],
    ["a section elsewhere", 128 + 2 * 32 + 8, 64, "beta (range)"],
    ["a section longer than the file", 128 + 3 * 32 + 18, 1, "gamma (range)"],
    ["a section twice", 128 + 3 * 32, 1, "beta (twice)"],
  ])("whose directory says %s is refused, though its checksum fits", (_, at, flip, what) => {
    const forged = new Uint8Array(sample);
    forged[at] = (forged[at] ?? 0) ^ flip;
    resealHeader(forged);
    expect(read(forged)).toMatchObject({ ok: false, failure: { reason: "corrupt", what } });
  });

  test("names the section that was damaged", () => {
    const damaged = new Uint8Array(sample);
    damaged[damaged.length - 200] = 0;
    expect(read(damaged)).toMatchObject({ ok: false, failure: { reason: "corrupt", what: "gamma (checksum)" } });
  });

  test("leaves a section that is proved later to its reader, but not the zeros behind it", () => {
    const later = kindsOf([...KINDS.names], [13]);
    const damaged = new Uint8Array(sample);
    damaged[damaged.length - 200] = 0;
    expect(read(damaged, later).ok).toBe(true);
    damaged[damaged.length - 1] = 1;
    expect(read(damaged, later)).toMatchObject({ ok: false, failure: { what: "gamma (padding)" } });
  });

  test("is not written for sections twice, hot after cold, or ranges that cannot be", () => {
    expect(() => write([section(11, ""), section(11, "")])).toThrow("two sections");
    expect(() => write([section(11, ""), section(12, "", { hot: true })])).toThrow("hot section");
    expect(() => write([], { ...identity, from: 13 })).toThrow("no such shard");
    expect(() => write([], { ...identity, revision: "short" })).toThrow("no such shard");
  });

  function resealHeader(bytes: Uint8Array): void {
    const directoryEnd = sound(read(sample)).places.get(11)?.offset ?? 0;
    bytes.fill(0, 72, 80);
    new DataView(bytes.buffer).setBigUint64(72, checksum.of(bytes.subarray(0, directoryEnd)), true);
  }
});

describe("the start of a shard file", () => {
  const cold = Uint8Array.from({ length: 3 * SHARD_PAGE_BYTES + 100 }, (_, at) => at % 251);
  const file = write([section(11, "hot", { hot: true }), { ...section(12, ""), bytes: cold }, section(13, "end")]);
  const { hotBytes } = sound(read(file));
  const hotOf = (bytes: Uint8Array) => readHotShard(bytes.slice(0, hotBytes), KINDS, checksum);

  test("proves pages of the rest, any of them and the last one too", () => {
    const hot = sound(hotOf(file));
    for (let from = hotBytes; from < file.length; from += SHARD_PAGE_BYTES)
      for (let to = from; to < file.length + SHARD_PAGE_BYTES; to += SHARD_PAGE_BYTES)
        expect(hot.verifyPages(from, file.slice(from, to))).toEqual({ ok: true, value: null });
  });

  test("names the section in which a page begins that is not what was written", () => {
    const hot = sound(hotOf(file));
    const damaged = file.slice();
    damaged[hotBytes + 2 * SHARD_PAGE_BYTES + 5] = 0xff;
    expect(hot.verifyPages(hotBytes, damaged.slice(hotBytes))).toMatchObject({
      ok: false,
      failure: { reason: "corrupt", what: "beta (page checksum)" },
    });
    expect(hot.verifyPages(hotBytes, damaged.slice(hotBytes, hotBytes + 2 * SHARD_PAGE_BYTES)).ok).toBe(true);
  });

  test("is refused by name when it is damaged, or longer or shorter than its header says", () => {
    const damaged = file.slice();
    damaged[sound(read(file)).places.get(11)?.offset ?? 0] = 0;
    expect(hotOf(damaged)).toMatchObject({ ok: false, failure: { what: "alpha (checksum)" } });
    for (const bytes of [hotBytes - 64, hotBytes + 64])
      expect(readHotShard(file.slice(0, bytes), KINDS, checksum).ok).toBe(false);
  });
});

describe("a damaged file", async () => {
  const entries = [{ id: "a", text: "some text", attributes: { stage: "won" } }, { withdraw: "gone" }];
  const commits = commitsFrom(7, [entries, [{ id: "b", vector: [1, 2] }]]);
  const bytes = buildPart(sourceOf(commits, letterEmbedder.id), { ...tools, embedder: letterEmbedder });
  const slab = createKernelSlab(await loadKernel(), 1024 * 1024);

  /** By name, at opening or, for the kernel's own sections, when they are loaded for either kind of search. */
  const refused = (damaged: Uint8Array): boolean => {
    const part = openPart(damaged, tools);
    if (!part.ok) return part.failure.reason === "corrupt" && part.failure.what.length > 0;
    return [part.value.vectors.embedded, part.value.vectors.supplied].some((vectors) => {
      slab.clear();
      const loaded = slab.load(sectionsOf(part.value, vectors));
      return !loaded.ok && loaded.failure.reason === "corrupt" && loaded.failure.what.length > 0;
    });
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
    expect(refused(damaged)).toBe(false);
  });

  test("is refused wherever it was cut, or when something follows it", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(openPart(bytes.subarray(0, length), tools)).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
    }
    for (const extra of [1, 64]) {
      const longer = new Uint8Array(bytes.length + extra);
      longer.set(bytes);
      expect(openPart(longer, tools)).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
    }
  });

  const sections = (names: SectionKinds["names"]): readonly ShardSection[] => {
    const directory = sound(readShardFile(bytes, { names, provedLater: new Set() }, checksum));
    return [...directory.places]
      .filter(([type]) => type !== PAGE_CHECKSUMS)
      .map(([type, { offset }]) => ({
        type,
        hot: offset < directory.hotBytes,
        required: true,
        bytes: contentOf(bytes, directory, type),
      }));
  };
  const own = sound(readShardFile(bytes, SECTION_KINDS, checksum)).identity;

  /** Checksums that fit do not make a structure: a bug, or a forger, can write any section. */
  test("whose checksums fit opens to something that answers, or is refused, but never throws", () => {
    const all = sections(SECTION_KINDS.names);
    fc.assert(
      fc.property(fc.nat(all.length - 1), fc.nat(), fc.nat(255), fc.boolean(), (which, at, value, cut) => {
        const forged = all.map((one, index) => {
          // Frames and the kernel's sections are verified by their own readers.
          if (index !== which || one.type === SECTION.frames || SECTION_KINDS.provedLater.has(one.type)) return one;
          const content = cut ? one.bytes.slice(0, at % (one.bytes.length + 1)) : one.bytes.slice();
          if (content.length > 0) content[at % content.length] = value;
          return { ...one, bytes: content };
        });
        const part = openPart(write(forged, own), tools);
        if (part.ok) readEverything(part.value);
        else expect(part.failure.reason).toBe("corrupt");
      }),
      { numRuns: 3_000 },
    );
  });

  describe("whose summary says of its vectors what cannot be", () => {
    const all = sections(SECTION_KINDS.names);
    const summary = new TextDecoder().decode(all.find(({ type }) => type === SECTION.summary)?.bytes);
    const openWith = (changed: string, without: readonly number[] = []) => {
      const kept = all.filter(({ type }) => !without.includes(type));
      const forged = kept.map((one) =>
        one.type === SECTION.summary ? { ...one, bytes: new TextEncoder().encode(changed) } : one,
      );
      return openPart(write(forged, own), tools);
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
    for (const { segment } of part.commits) expect(segment).toBeTypeOf("string");
  }
});
