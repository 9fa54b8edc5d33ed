import fc from "fast-check";
import { unzipSync, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { openZip, type ZipEntry, zipBatches, zipStream } from "../../adapters/platform/zip.ts";
import { ARCHIVE_BATCH_BYTES } from "../../core/limits.ts";

const LIMITS = { entries: 100, entryBytes: 100_000, inflatedBytes: 200_000 };
const anyEntries: fc.Arbitrary<ZipEntry[]> = fc
  .uniqueArray(
    fc.record({
      name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      bytes: fc.uint8Array({ maxLength: 300 }),
    }),
    { selector: ({ name }) => name, maxLength: 6 },
  )
  .filter((entries) => entries.every(({ name }) => !name.endsWith("/") && name !== "__proto__"));

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function zipped(entries: readonly ZipEntry[]): Promise<Uint8Array> {
  return new Uint8Array(await new Response(zipStream(each(entries))).arrayBuffer());
}

function readAll(bytes: Uint8Array): ZipEntry[] {
  const reader = openZip(bytes, LIMITS);
  if (!reader.ok) throw new Error(JSON.stringify(reader.failure));
  const files = reader.value.read(new Set(reader.value.entries.map(({ name }) => name)));
  if (!files.ok) throw new Error(JSON.stringify(files.failure));
  return reader.value.entries.map(({ name }) => ({ name, bytes: files.value.get(name) ?? new Uint8Array(0) }));
}

describe("a zip", () => {
  it("gives back the entries it was written from, in order", async () => {
    await fc.assert(
      fc.asyncProperty(anyEntries, async (entries) => {
        expect(readAll(await zipped(entries))).toEqual(entries);
      }),
      { numRuns: 50 },
    );
  });

  it("is the same for the same entries", async () => {
    const entries = [{ name: "a", bytes: Uint8Array.of(1, 2, 3) }];
    expect(await zipped(entries)).toEqual(await zipped(entries));
  });

  it("is written as it is read: no entry is asked for before the one before it was taken", async () => {
    let asked = 0;
    const entries = (async function* () {
      for (; asked < 50; ) yield { name: String(asked++), bytes: new Uint8Array(10) };
    })();
    const reader = zipStream(entries).getReader();
    await reader.read();
    expect(asked).toBeLessThan(4);
    await reader.cancel();
    expect((await entries.next()).done).toBe(true);
  });

  it("breaks off when its source does", async () => {
    const entries = (async function* () {
      yield { name: "a", bytes: new Uint8Array(1) };
      throw new Error("the store is gone");
    })();
    await expect(new Response(zipStream(entries)).arrayBuffer()).rejects.toThrow();
  });

  it("keeps bytes that look like a zip's own signatures", async () => {
    const bytes = Uint8Array.from({ length: 4_000 }, (_, i) => [0x50, 0x4b, 7, 8, 0x50, 0x4b, 3, 4][i % 8] ?? 0);
    expect(
      readAll(
        await zipped([
          { name: "a", bytes },
          { name: "b", bytes },
        ]),
      ),
    ).toHaveLength(2);
    expect(readAll(zipSync({ a: [bytes, { level: 0 }] }))).toEqual([{ name: "a", bytes }]);
  });

  it("leaves folders out", () => {
    expect(readAll(zipSync({ "f/": new Uint8Array(0), "f/a": Uint8Array.of(1) }))).toEqual([
      { name: "f/a", bytes: Uint8Array.of(1) },
    ]);
  });
});

describe("a zip is refused", () => {
  const tooLarge = { ok: false, failure: { reason: "too_large" } };

  it("when it is none, or is cut", async () => {
    const whole = await zipped([{ name: "a", bytes: Uint8Array.of(1, 2, 3) }]);
    expect(openZip(whole, LIMITS).ok).toBe(true);
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), whole.subarray(0, -1)]) {
      expect(openZip(bytes, LIMITS)).toMatchObject({ ok: false, failure: { reason: "unprocessable" } });
    }
  });

  it("when it declares more than the limits, without inflating anything", () => {
    const bomb = zipSync({ a: new Uint8Array(100_001) });
    expect(openZip(bomb, LIMITS)).toMatchObject(tooLarge);
    expect(
      openZip(zipSync({ a: new Uint8Array(90_000), b: new Uint8Array(90_000), c: new Uint8Array(90_000) }), LIMITS),
    ).toMatchObject(tooLarge);
    const many = zipSync(Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, new Uint8Array(0)])));
    expect(openZip(many, LIMITS)).toMatchObject(tooLarge);
  });

  it("when its directory claims entries by the billion", () => {
    const bytes = zipSync({ a: Uint8Array.of(1) });
    const view = new DataView(bytes.buffer);
    view.setUint16(bytes.length - 22 + 8, 65_535, true);
    expect(openZip(bytes, LIMITS).ok).toBe(false);
  });

  it("entry by entry when one inflates to less than was declared, or not at all", () => {
    const bytes = zipSync({ a: new TextEncoder().encode("hello hello hello hello") });
    const view = new DataView(bytes.buffer);
    const directory = view.getUint32(bytes.length - 22 + 16, true);
    view.setUint32(directory + 24, 60, true);
    const lying = openZip(bytes, LIMITS);
    expect(lying.ok && lying.value.read(new Set(["a"]))).toMatchObject({
      ok: false,
      failure: { errors: [{ path: "a" }] },
    });
    const broken = zipSync({ a: new TextEncoder().encode("hello hello hello hello") });
    broken.fill(0xff, 31, 36);
    const opened = openZip(broken, LIMITS);
    expect(opened.ok && opened.value.read(new Set(["a"]))).toMatchObject({
      ok: false,
      failure: { errors: [{ path: "a" }] },
    });
  });

  it("for a name that it does not have", async () => {
    const opened = openZip(await zipped([]), LIMITS);
    expect(opened.ok && opened.value.read(new Set(["a"]))).toMatchObject({ ok: false });
    expect(Object.keys(unzipSync(await zipped([])))).toEqual([]);
  });
});

it("batches hold every entry once, in order, and no more than fits unless it is one", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 2 * ARCHIVE_BATCH_BYTES }));
  fc.assert(
    fc.property(sizes, (bytes) => {
      const entries = bytes.map((size, i) => ({ name: String(i), bytes: size }));
      const batches = zipBatches(entries);
      expect(batches.flatMap((names) => [...names])).toEqual(entries.map(({ name }) => name));
      for (const names of batches) {
        const size = [...names].reduce((sum, name) => sum + (bytes[Number(name)] ?? 0), 0);
        expect(names.size === 1 || size <= ARCHIVE_BATCH_BYTES).toBe(true);
      }
    }),
  );
});
