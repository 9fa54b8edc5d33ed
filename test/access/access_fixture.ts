/**
 * Authentication over a memory store, with a clock that a test moves by hand.
 */
import { createHmac } from "node:crypto";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { createAuthenticator } from "../../core/access/authenticate.ts";
import { createDirectory, type Directory } from "../../core/access/directory.ts";
import type { Secrets, TokenVerifier } from "../../core/access/secrets.ts";
import type { Random } from "../../core/ports.ts";

export const ADMIN_TOKEN = "an-admin-token";

export const secrets: Secrets = {
  mac: async (text) => new Uint8Array(createHmac("sha256", "pepper").update(text).digest()),
  equal: (a, b) => Buffer.compare(a, b) === 0,
};

/** Bytes that never repeat. */
export function countingRandom(): Random {
  let next = 0;
  return { bytes: (count) => Uint8Array.from({ length: count }, () => (next++ * 7 + 1) % 256) };
}

export function accessFixture(options: { development?: boolean; verifier?: TokenVerifier } = {}) {
  const clock = { ms: 1_000_000, now: () => clock.ms };
  const stored = createDirectory(memoryStore().system());
  let reads = 0;
  const directory: Directory = {
    ...stored,
    key(id) {
      reads++;
      return stored.key(id);
    },
  };
  const authenticator = createAuthenticator({
    directory,
    secrets,
    clock,
    adminToken: ADMIN_TOKEN,
    development: options.development ?? false,
    verifier: options.verifier ?? null,
  });
  const bearer = (token: string) => authenticator.authenticate(`Bearer ${token}`);
  return { clock, directory, authenticator, bearer, random: countingRandom(), secrets, keyReads: () => reads };
}
