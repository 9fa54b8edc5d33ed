import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatKey, parseAuthorization } from "../../core/access/credential.ts";
import { CREDENTIAL_BYTES_MAX, KEY_ID_BYTES, KEY_SECRET_BYTES } from "../../core/limits.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe("a key", () => {
  it("is parsed as the key it was formatted to, whatever its bytes", () => {
    fc.assert(
      fc.property(bytes(KEY_ID_BYTES), bytes(KEY_SECRET_BYTES), (idBytes, secretBytes) => {
        const { id, key } = formatKey(idBytes, secretBytes);
        expect(parseAuthorization(`Bearer ${key}`)).toEqual({ form: "key", id, key });
      }),
    );
  });

  it("has an id that no other bytes have", () => {
    fc.assert(
      fc.property(bytes(KEY_ID_BYTES), bytes(KEY_ID_BYTES), bytes(KEY_SECRET_BYTES), (a, b, secret) => {
        const same = Buffer.compare(a, b) === 0;
        expect(formatKey(a, secret).id === formatKey(b, secret).id).toBe(same);
      }),
    );
  });

  it("is not made of fewer bytes than it should be", () => {
    expect(() => formatKey(new Uint8Array(KEY_ID_BYTES), new Uint8Array(KEY_SECRET_BYTES - 1))).toThrow();
  });
});

describe("an Authorization header", () => {
  it("is no key unless it is one to the letter", () => {
    const { key } = formatKey(new Uint8Array(KEY_ID_BYTES), new Uint8Array(KEY_SECRET_BYTES));
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom("", "!", ".", "__"), (at, other) => {
        const altered = key.slice(0, at) + other + key.slice(at + 1);
        expect(parseAuthorization(`Bearer ${altered}`)?.form).not.toBe("key");
      }),
    );
  });

  const check = (header: string | null, form: string | undefined) => () => {
    expect(parseAuthorization(header)?.form).toBe(form);
  };

  it("may name its scheme in any case", check("bEaReR abc", "opaque"));
  it("that has three dotted parts is a token", check("Bearer aa.bb.cc", "jwt"));
  it("that has two dotted parts is not", check("Bearer aa.bb", "opaque"));
  it("may be absent", check(null, undefined));
  it("of another scheme is none", check("Basic abc", undefined));
  it("without a token is none", check("Bearer ", undefined));
  it("with two tokens is none", check("Bearer a b", undefined));
  it("with a control character is none", check("Bearer a\u0007", undefined));
  it("beyond the limit is none", check(`Bearer ${"a".repeat(CREDENTIAL_BYTES_MAX)}`, undefined));
});
