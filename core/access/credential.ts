/**
 * The forms a bearer credential may have. Parsing decides the form only; nothing here says that it is genuine.
 *
 *   ck_<id>_<secret>    a tenant's key: 8 random bytes in hex, 32 random bytes in base64url without padding
 *   a.b.c               a JSON Web Token in compact form (RFC 7519)
 *   anything else       the deployment's own token, or nothing we know
 */
import { CREDENTIAL_BYTES_MAX, KEY_ID_BYTES, KEY_SECRET_BYTES } from "../limits.ts";
import { base64url, hex } from "../log/text_encoding.ts";

export type Credential =
  | { readonly form: "key"; readonly id: string; readonly key: string }
  | { readonly form: "jwt"; readonly token: string }
  | { readonly form: "opaque"; readonly token: string };

const BEARER = /^[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+) *$/;
const KEY = /^ck_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;
const COMPACT_JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** What `key_id` in a path may be. */
export const KEY_ID_PATTERN = /^[0-9a-f]{16}$/;

/** null when there is no well-formed bearer credential. */
export function parseAuthorization(header: string | null): Credential | null {
  if (header === null || header.length > CREDENTIAL_BYTES_MAX) return null;
  const token = BEARER.exec(header)?.[1];
  if (token === undefined) return null;
  const id = KEY.exec(token)?.[1];
  if (id !== undefined) return { form: "key", id, key: token };
  return COMPACT_JWT.test(token) ? { form: "jwt", token } : { form: "opaque", token };
}

/** A new key. `idBytes` and `secretBytes` come from a source of randomness. */
export function formatKey(idBytes: Uint8Array, secretBytes: Uint8Array): { readonly id: string; readonly key: string } {
  if (idBytes.length !== KEY_ID_BYTES || secretBytes.length !== KEY_SECRET_BYTES) {
    throw new Error(`a key is made of ${KEY_ID_BYTES} and ${KEY_SECRET_BYTES} bytes`);
  }
  const id = hex(idBytes);
  return { id, key: `ck_${id}_${base64url(secretBytes)}` };
}
