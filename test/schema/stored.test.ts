import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import type { Json } from "../../core/schema/scalar.ts";
import {
  erasedSchema,
  type Head,
  headHintSchema,
  headSchema,
  indexNudgeSchema,
  keyRecordSchema,
  readStored,
  type ShardEntry,
  segmentMetadataSchema,
  storedBytes,
  storedErased,
  storedHead,
  storedHeadHint,
  storedKeyRecord,
  storedSegmentMetadata,
  storedSettings,
  storedSettingsSchema,
  storedTenantRecord,
  tenantRecordSchema,
  tiles,
} from "../../core/schema/stored.ts";

const time = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
const ordinal = fc.integer({ min: 1, max: 1_000_000 });
const count = fc.nat();
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

/** Shards that tile 1..c, from the lengths of their ranges. */
const anyShards: fc.Arbitrary<ShardEntry[]> = fc
  .array(
    fc.record({
      length: ordinal,
      sha256,
      bytes: ordinal,
      hotBytes: ordinal,
      vectorBytes: count,
      events: count,
      chunks: count,
      minTs: option(time),
      maxTs: option(time),
    }),
    { maxLength: 4 },
  )
  .map((ranges) => {
    let next = 1;
    return ranges.map(({ length, ...entry }) => {
      const from = next;
      next += length;
      return { from, to: next - 1, ...entry };
    });
  });
const anyHead: fc.Arbitrary<Head> = fc
  .record({ version: ordinal, incarnation: ordinal, revision: sha256, shards: anyShards })
  .map((head) => ({ ...head, covered: head.shards.at(-1)?.to ?? 0 }));
const anyKey = fc.record({
  id: fc.stringMatching(/^[a-z0-9]{1,20}$/),
  tenant: fc.constantFrom("dev", "a-b_c"),
  hmac: sha256,
  scopes: fc.subarray(["read", "write", "admin"] as const, { minLength: 1 }),
  tier: fc.constantFrom("T1" as const, "T2" as const, "T3" as const),
  entityPrefix: option(fc.constantFrom("user:", "ä")),
  expiresAt: option(time),
  createdAt: time,
});
const anySettings = fc.record(
  {
    analyzer: fc.constantFrom("a", "b"),
    bm25: fc.record({
      k1: fc.double({ min: 0, max: 100, noNaN: true }).map((x) => x + 0),
      b: fc.constantFrom(0, 0.4, 1),
    }),
    metric: fc.constantFrom("cosine" as const, "dot" as const, "l2" as const),
    embedder: fc.constantFrom("none", "m"),
    tenant_index: fc.constantFrom("off" as const, "summaries" as const, "full" as const),
  },
  { requiredKeys: [] },
);

function roundTrips<T>(name: string, schema: z.ZodType<T>, write: (value: T) => Json, any: fc.Arbitrary<T>): void {
  describe(name, () => {
    it("comes back from its bytes as it was", () => {
      fc.assert(
        fc.property(any, (value) => {
          expect(readStored(schema, storedBytes(write(value)), name)).toEqual({ ok: true, value });
        }),
      );
    });

    it("of another format, with a field more or a field less, is refused by its name", () => {
      const refused = { ok: false, failure: { reason: "corrupt", what: name } };
      fc.assert(
        fc.property(any, (value) => {
          const stored = write(value) as Readonly<Record<string, Json>>;
          expect(stored.format).toBe(1);
          expect(readStored(schema, storedBytes({ ...stored, format: 2 }), name)).toEqual(refused);
          expect(readStored(schema, storedBytes({ ...stored, more: 1 }), name)).toEqual(refused);
          const { format: _, ...less } = stored;
          expect(readStored(schema, storedBytes(less), name)).toEqual(refused);
          expect(readStored(schema, storedBytes(stored).subarray(1), name)).toEqual(refused);
        }),
      );
    });
  });
}

roundTrips("a head", headSchema, storedHead, anyHead);
roundTrips(
  "a head hint",
  headHintSchema,
  storedHeadHint,
  fc.record({ version: ordinal, incarnation: ordinal, confirmedAt: time }),
);
roundTrips("an erasure", erasedSchema, storedErased, fc.record({ incarnation: ordinal, erasedAt: time }));
roundTrips(
  "a tenant",
  tenantRecordSchema,
  storedTenantRecord,
  fc.record({ tenant: fc.constantFrom("dev", "t1"), createdAt: time }),
);
roundTrips("a key", keyRecordSchema, storedKeyRecord, anyKey);
roundTrips("settings", storedSettingsSchema, storedSettings, anySettings);

describe("segment metadata", () => {
  const metadata = {
    incarnation: 1,
    commit: 2,
    sha256: "ab".repeat(32),
    lines: 3,
    rawBytes: 4,
    vectors: 2,
    dimensions: 8,
    vectorBytes: 3,
    minTs: -5,
    maxTs: 6,
    arrivalMs: 7,
  };

  it("comes back from its strings", () => {
    const any = fc.record({
      incarnation: ordinal,
      commit: ordinal,
      sha256,
      lines: ordinal,
      rawBytes: ordinal,
      vectors: count,
      dimensions: count,
      vectorBytes: count,
      minTs: time,
      maxTs: time,
      arrivalMs: time,
    });
    fc.assert(
      fc.property(any, (value) => {
        expect(segmentMetadataSchema.parse(storedSegmentMetadata(value))).toEqual(value);
      }),
    );
  });

  it("bears what others put beside it or did not know yet, and nothing that is not a whole number", () => {
    const stored = storedSegmentMetadata(metadata);
    expect(segmentMetadataSchema.safeParse({ ...stored, note: "x" }).success).toBe(true);
    for (const lines of ["", "0", "-1", "1.5", "1e3", "0x1", " 1", "01", "9".repeat(17)]) {
      expect(segmentMetadataSchema.safeParse({ ...stored, lines }).success).toBe(false);
    }
    const later = ["vectors", "dimensions", "vector_bytes"];
    for (const name of Object.keys(stored)) {
      const { [name]: _, ...less } = stored;
      expect(segmentMetadataSchema.safeParse(less).success).toBe(later.includes(name));
    }
  });
});

describe("a head's shards", () => {
  it("tile commits 1 to c: no gap, no overlap, no order but theirs", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ from: fc.integer({ min: 0, max: 6 }), to: fc.integer({ min: 0, max: 6 }) }), {
          maxLength: 4,
        }),
        fc.nat(6),
        (ranges, covered) => {
          const commits = ranges.flatMap(({ from, to }) =>
            Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i),
          );
          const wanted = Array.from({ length: covered }, (_, i) => i + 1);
          const nonEmpty = ranges.every(({ from, to }) => to >= from);
          expect(tiles(ranges, covered)).toBe(nonEmpty && JSON.stringify(commits) === JSON.stringify(wanted));
        },
      ),
      {
        numRuns: 1_000,
        examples: [
          [
            [
              { from: 1, to: 2 },
              { from: 3, to: 3 },
            ],
            3,
          ],
          [[], 0],
        ],
      },
    );
  });

  it("that do not tile are refused", () => {
    const entry = {
      sha256: "ab".repeat(32),
      bytes: 1,
      hotBytes: 1,
      vectorBytes: 0,
      events: 1,
      chunks: 1,
      minTs: null,
      maxTs: null,
    };
    const head = {
      version: 1,
      incarnation: 1,
      revision: "r",
      covered: 3,
      shards: [
        { from: 1, to: 1, ...entry },
        { from: 3, to: 3, ...entry },
      ],
    };
    expect(headSchema.safeParse(storedHead(head)).success).toBe(false);
  });
});

it("a nudge names one entity of one tenant and nothing else", () => {
  expect(indexNudgeSchema.safeParse({ tenant: "dev", entity: "user:1" }).success).toBe(true);
  for (const body of [
    { tenant: "../x", entity: "a" },
    { tenant: "dev" },
    { tenant: "dev", entity: "" },
    { tenant: "dev", entity: "a", more: 1 },
    "dev",
  ]) {
    expect(indexNudgeSchema.safeParse(body).success).toBe(false);
  }
});
