/**
 * The two cryptographic acts of authentication. Adapters do them with the runtime's own primitives.
 */
import type { Result } from "../errors.ts";

export interface Secrets {
  /** HMAC-SHA-256 of `text` under the deployment's pepper: 32 bytes. */
  mac(text: string): Promise<Uint8Array>;
  /** Whether two digests of one length are the same, in time that does not depend on where they differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** Checks a token's signature, issuer, audience and times; answers its claims, which are still untrusted in shape. */
export interface TokenVerifier {
  verify(token: string): Promise<Result<Readonly<Record<string, unknown>>>>;
}
