import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { base64url } from "../../core/log/text_encoding.ts";
import {
  parseSnapshotToken,
  parseWriteToken,
  snapshotDigest,
  snapshotToken,
  writeToken,
} from "../../core/log/token.ts";

const SCOPE = { tenant: "dev", entity: "account:acme" };
const CHARACTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ %"];
const count = fc.oneof(fc.nat(20), fc.maxSafeNat());
const anyScope = fc.record({
  tenant: fc.constantFrom("a", "b"),
  entity: fc.string({ unit: "grapheme", minLength: 1 }),
});
const anyWrite = fc
  .record({ incarnation: count.map((n) => n + 1), commit: count })
  .filter(({ incarnation }) => Number.isSafeInteger(incarnation));
const anySnapshot = fc
  .tuple(fc.integer({ min: 1, max: 9 }), count, count, fc.constantFrom("r1", "ab".repeat(32)), count)
  .map(([incarnation, a, b, revision, version]) => ({
    snapshot: { incarnation, commit: Math.max(a, b), vectorCommit: Math.min(a, b), revision },
    version,
  }));

describe("a token", () => {
  it("comes back as what it was issued for, and is safe in a URL", () => {
    fc.assert(
      fc.property(anyScope, anyWrite, anySnapshot, (scope, write, snapshot) => {
        const [w, s] = [writeToken(scope, write, nodeDigest), snapshotToken(scope, snapshot, nodeDigest)];
        expect(parseWriteToken(scope, w, nodeDigest)).toEqual({ kind: "token", token: write });
        expect(parseSnapshotToken(scope, s, nodeDigest)).toEqual({ kind: "token", token: snapshot });
        expect(w + s).toMatch(/^[\w-]+$/);
        expect(s.length).toBeLessThan(256);
      }),
    );
  });

  it("of another tenant or entity is foreign", () => {
    fc.assert(
      fc.property(anyScope, anyScope, anyWrite, anySnapshot, (a, b, write, snapshot) => {
        fc.pre(a.tenant !== b.tenant || a.entity !== b.entity);
        expect(parseWriteToken(b, writeToken(a, write, nodeDigest), nodeDigest)).toEqual({ kind: "foreign" });
        expect(parseSnapshotToken(b, snapshotToken(a, snapshot, nodeDigest), nodeDigest)).toEqual({ kind: "foreign" });
      }),
    );
  });

  it("is no other valid token whichever one character is changed", () => {
    fc.assert(
      fc.property(
        anyWrite,
        anySnapshot,
        fc.nat(),
        fc.constantFrom(...CHARACTERS),
        (write, snapshot, place, character) => {
          for (const text of [writeToken(SCOPE, write, nodeDigest), snapshotToken(SCOPE, snapshot, nodeDigest)]) {
            const at = place % text.length;
            fc.pre(text[at] !== character);
            const changed = text.slice(0, at) + character + text.slice(at + 1);
            expect(parseWriteToken(SCOPE, changed, nodeDigest).kind).not.toBe("token");
            expect(parseSnapshotToken(SCOPE, changed, nodeDigest).kind).not.toBe("token");
          }
        },
      ),
    );
  });

  it("cut short or drawn out is none", () => {
    const text = snapshotToken(
      SCOPE,
      { snapshot: { incarnation: 1, commit: 5, vectorCommit: 5, revision: "r" }, version: 2 },
      nodeDigest,
    );
    for (let length = 0; length < text.length; length++) {
      expect(parseSnapshotToken(SCOPE, text.slice(0, length), nodeDigest).kind).toBe("malformed");
    }
    for (const character of CHARACTERS) {
      expect(parseSnapshotToken(SCOPE, text + character, nodeDigest).kind).toBe("malformed");
    }
  });

  it("of one kind is no token of the other", () => {
    const write = writeToken(SCOPE, { incarnation: 1, commit: 2 }, nodeDigest);
    expect(parseSnapshotToken(SCOPE, write, nodeDigest).kind).toBe("malformed");
    expect(parseSnapshotToken(SCOPE, `s${write.slice(1)}`, nodeDigest).kind).toBe("malformed");
  });

  it("with fields that were made up is foreign: it has the form of one, and was never issued", () => {
    const forged = (body: string) =>
      `w${base64url(Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, ...new TextEncoder().encode(body)]))}`;
    expect(parseWriteToken(SCOPE, forged("[1,999]"), nodeDigest).kind).toBe("foreign");
  });

  it.each(["", "w", "s", "nonsense", "w====", "w".repeat(5_000), "🙂", "null", "__proto__"])("is not %j", (text) => {
    expect(parseWriteToken(SCOPE, text, nodeDigest).kind).toBe("malformed");
    expect(parseSnapshotToken(SCOPE, text, nodeDigest).kind).toBe("malformed");
  });

  it.each([
    "[1]",
    "[1,2,3]",
    "[0,1]",
    "[1,-1]",
    "[1,1.5]",
    '["1",1]',
    "[1, 1]",
    "{}",
    "1",
    "[1,1e3]",
    "[1,9007199254740993]",
  ])("does not hold %s", (body) => {
    const text = `w${base64url(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(body)]))}`;
    expect(parseWriteToken(SCOPE, text, nodeDigest).kind).toBe("malformed");
  });
});

it("names a snapshot by σ alone, apart for every part of it and for every scope", () => {
  const snapshot = { incarnation: 1, commit: 2, vectorCommit: 2, revision: "r" };
  const digests = [
    snapshotDigest(SCOPE, snapshot, nodeDigest),
    snapshotDigest({ ...SCOPE, tenant: "b" }, snapshot, nodeDigest),
    snapshotDigest({ ...SCOPE, entity: "b" }, snapshot, nodeDigest),
    snapshotDigest(SCOPE, { ...snapshot, incarnation: 2 }, nodeDigest),
    snapshotDigest(SCOPE, { ...snapshot, commit: 3 }, nodeDigest),
    snapshotDigest(SCOPE, { ...snapshot, vectorCommit: 1 }, nodeDigest),
    snapshotDigest(SCOPE, { ...snapshot, revision: "s" }, nodeDigest),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});
