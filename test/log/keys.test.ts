import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ENTITY_BYTES_MAX, MODEL_ID_BYTES_MAX, OBJECT_KEY_BYTES_MAX, TENANT_BYTES_MAX } from "../../core/limits.ts";
import {
  accessKeyKey,
  blobKey,
  blobsPrefix,
  decodeName,
  encodeName,
  entityPrefix,
  entitySettingsKey,
  erasedKey,
  headHintKey,
  headKey,
  outputsKey,
  parseHeadKey,
  parseSegmentKey,
  parseTenantKeyMarkerKey,
  segmentKey,
  segmentsOfDayPrefix,
  segmentsPrefix,
  segmentsPrefixesBetween,
  shardKey,
  tenantKey,
  tenantKeyMarkerKey,
  tenantKeysPrefix,
} from "../../core/log/keys.ts";
import { entitySchema, utf8Length } from "../../core/schema/scalar.ts";

const DAY = 86_400_000;
const SHA = "ab".repeat(32);
const HOSTILE = [
  ".",
  "..",
  "...",
  ".a",
  "a.",
  "a..b",
  "/",
  "a/b",
  "../a",
  "%",
  "%2F",
  "%2f",
  "a%",
  "A",
  "a",
  "ä",
  "a\u0308",
  "\u00e4",
  "🙂",
  " ",
  "a b",
  "\\",
  "*",
  "?",
  "~",
  "@",
  ":",
];
const anyName = fc
  .oneof(
    fc.constantFrom(...HOSTILE),
    fc.string({ unit: fc.constantFrom(...HOSTILE), minLength: 1 }),
    fc.string({ unit: "grapheme", minLength: 1 }),
  )
  .filter((name) => entitySchema.safeParse(name).success);
const anyDay = fc.integer({ min: 0, max: 80_000 }).map((day) => day * DAY);
const anyOrdinal = fc.integer({ min: 1, max: 999_999 });
const anyCommit = fc.integer({ min: 1, max: 999_999_999_999 });

describe("names in keys", () => {
  it("come back as they were, case and all, and no two share an encoding", () => {
    fc.assert(
      fc.property(anyName, anyName, (a, b) => {
        expect(decodeName(encodeName(a))).toBe(a);
        expect(encodeName(a) === encodeName(b)).toBe(a === b);
      }),
    );
  });

  it("cannot leave their place in a path: one component, visible ASCII, no dots at its ends", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        expect(encodeName(name)).toMatch(/^[A-Za-z0-9_~%-](?:[A-Za-z0-9_~%.-]*[A-Za-z0-9_~%-])?$/);
      }),
    );
  });

  it.each(["", "%", "%2", "%2f", "%41", "a/b", ".", "a.", "%FF", "ä", "%C3"])(
    "read back only what was written: not %j",
    (text) => {
      expect(decodeName(text)).toBeNull();
    },
  );

  it("have no encoding for what UTF-8 cannot carry, nor for nothing", () => {
    expect(() => encodeName("\ud800")).toThrow();
    expect(() => encodeName("")).toThrow();
  });
});

describe("segment keys", () => {
  it("look as documented", () => {
    expect(segmentKey("account:acme", Date.UTC(2026, 0, 2), 3, 45)).toBe(
      "entities/account%3Aacme/segments/2026/01/02/000003-000000000045.jsonl.zst",
    );
  });

  it("tell what they name, and nothing else is one", () => {
    fc.assert(
      fc.property(anyName, anyDay, anyOrdinal, anyCommit, (entity, dayMs, incarnation, commit) => {
        const key = segmentKey(entity, dayMs, incarnation, commit);
        expect(parseSegmentKey(key)).toEqual({ entity, dayMs, incarnation, commit });
        expect(key.startsWith(segmentsOfDayPrefix(entity, dayMs))).toBe(true);
        expect(key.startsWith(segmentsPrefix(entity))).toBe(true);
        expect(parseSegmentKey(`${key}x`)).toBeNull();
        expect(parseSegmentKey(`x${key}`)).toBeNull();
        expect(parseSegmentKey(key.replace("entities/", "entities/%41"))).toBeNull();
      }),
    );
  });

  it.each([
    "entities/a/segments/2026/02/30/000001-000000000001.jsonl.zst",
    "entities/a/segments/2026/01/01/000000-000000000001.jsonl.zst",
    "entities/a/segments/2026/01/01/000001-000000000000.jsonl.zst",
    "entities/a/segments/2026/01/01/1-1.jsonl.zst",
    "entities/a/head.json",
  ])("are not %s", (key) => {
    expect(parseSegmentKey(key)).toBeNull();
  });

  it("list in order of day, then commit", () => {
    const position = fc.tuple(anyDay, anyCommit);
    fc.assert(
      fc.property(position, position, ([dayA, a], [dayB, b]) => {
        const order = dayA === dayB ? a - b : dayA - dayB;
        const [keyA, keyB] = [segmentKey("e", dayA, 1, a), segmentKey("e", dayB, 1, b)];
        expect(Math.sign(order)).toBe(keyA < keyB ? -1 : keyA > keyB ? 1 : 0);
      }),
    );
  });

  it.each([
    [DAY, 0, 1],
    [DAY, 1, 0],
    [DAY, 1, 1e12],
    [DAY, 1, 1.5],
    [1, 1, 1],
  ])("are not made of day %d, incarnation %d, commit %d", (day, incarnation, commit) => {
    expect(() => segmentKey("e", day, incarnation, commit)).toThrow();
  });
});

describe("prefixes of days", () => {
  const day = fc.integer({ min: 0, max: 40 * 366 }).map((days) => Date.UTC(2024, 0, 1) + days * DAY);

  it("cover every day from the first to the last, in order and once, and nothing before", () => {
    fc.assert(
      fc.property(day, day, day, (one, other, asked) => {
        const [first, last] = [Math.min(one, other), Math.max(one, other)];
        const prefixes = [...segmentsPrefixesBetween("a", first, last)];
        const covering = prefixes.filter((prefix) => segmentKey("a", asked, 1, 1).startsWith(prefix));
        if (asked < first) expect(covering).toEqual([]);
        else if (asked <= last) expect(covering).toHaveLength(1);
        expect(prefixes).toEqual(prefixes.toSorted());
        expect(prefixes.length).toBeLessThanOrEqual(31 + 12 + 41);
      }),
    );
  });
});

describe("all keys", () => {
  const store = memoryStore().forTenant("t".repeat(TENANT_BYTES_MAX));
  const keysOf = (entity: string, model: string) => [
    segmentKey(entity, DAY, 999_999, 999_999_999_999),
    outputsKey(entity, model, 999_999, 1, 999_999_999_999),
    blobKey(entity, SHA),
    shardKey(entity, SHA),
    headKey(entity, 7),
    headHintKey(entity),
    erasedKey(entity),
    entitySettingsKey(entity),
  ];

  it("fit the store at the longest names that three-byte encodings can make", () => {
    const longest = fc.constantFrom("é", "好", "🙂", "%", "\u0085", "/", ".").map((unit) => {
      const fill = (bytes: number) => unit.repeat(Math.floor(bytes / utf8Length(unit)));
      return { entity: fill(ENTITY_BYTES_MAX), model: fill(MODEL_ID_BYTES_MAX) };
    });
    fc.assert(
      fc.property(longest, ({ entity, model }) => {
        for (const key of keysOf(entity, model))
          expect(store.fullKey(key).length).toBeLessThanOrEqual(OBJECT_KEY_BYTES_MAX);
      }),
    );
    expect(encodeName("%".repeat(ENTITY_BYTES_MAX))).toHaveLength(3 * ENTITY_BYTES_MAX);
    expect(() => outputsKey("e", "m".repeat(MODEL_ID_BYTES_MAX + 1), 1, 1, 1)).toThrow();
  });

  it("of two entities never meet, nor does one entity's prefix hold another's keys", () => {
    fc.assert(
      fc.property(anyName, anyName, fc.constantFrom("m", "@cf/x"), (a, b, model) => {
        fc.pre(a !== b);
        const ofB = keysOf(b, model);
        for (const key of keysOf(a, model)) {
          expect(ofB).not.toContain(key);
          expect(key.startsWith(entityPrefix(b))).toBe(false);
          expect(store.fullKey(key)).toContain(key);
        }
      }),
    );
  });

  it("look as documented", () => {
    expect(headKey("user:42", 12)).toBe("entities/user%3A42/heads/000000000012.json");
    expect(parseHeadKey(headKey("user:42", 12))).toBe(12);
    expect(parseHeadKey(headHintKey("user:42"))).toBeNull();
    expect(tenantKey("dev")).toBe("tenants/dev.json");
    expect(accessKeyKey("k1")).toBe("keys/k1.json");
    expect(tenantKeyMarkerKey("dev", "k1")).toBe("tenant_keys/dev/k1");
    expect(blobKey("user:42", SHA)).toBe(`${blobsPrefix("user:42")}${SHA}`);
    expect(shardKey("user:42", SHA)).toBe(`entities/user%3A42/indexes/${SHA}.shard`);
    expect(outputsKey("user:42", "@cf/baai/bge-m3", 1, 2, 3)).toBe(
      "entities/user%3A42/outputs/%40cf%2Fbaai%2Fbge-m3/000001-000000000002-000000000003.zst",
    );
    expect(() => shardKey("e", "../x")).toThrow();
  });
});

describe("the markers of a tenant's keys", () => {
  it("name their key, under their tenant only", () => {
    fc.assert(
      fc.property(anyName, anyName, anyName, (tenant, other, id) => {
        const marker = tenantKeyMarkerKey(tenant, id);
        expect(marker.startsWith(tenantKeysPrefix(tenant))).toBe(true);
        expect(parseTenantKeyMarkerKey(tenant, marker)).toBe(id);
        if (other !== tenant) expect(parseTenantKeyMarkerKey(other, marker)).toBeNull();
      }),
    );
  });
});
