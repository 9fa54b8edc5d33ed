/**
 * HMAC and constant-time comparison by the runtime's Web Crypto.
 */
import type { Secrets } from "../../core/access/secrets.ts";

export function webCryptoSecrets(pepper: string): Secrets {
  const pepperBytes = new TextEncoder().encode(pepper);
  // The key itself, once it is there; a promise of it must not cross requests.
  let key: CryptoKey | null = null;
  return {
    async mac(text) {
      key ??= await crypto.subtle.importKey("raw", pepperBytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      return new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
    },
    equal(a, b) {
      // timingSafeEqual throws on unequal lengths; lengths of digests are no secret.
      return a.length === b.length && crypto.subtle.timingSafeEqual(a, b);
    },
  };
}
