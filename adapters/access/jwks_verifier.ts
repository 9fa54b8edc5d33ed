/**
 * Verifies tokens of one issuer against its published key set (RFC 7517, RFC 7519).
 * The algorithms are fixed here: a token never chooses `none`, or a shared-secret algorithm over a public key.
 */
import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import type { TokenVerifier } from "../../core/access/secrets.ts";
import { fail, ok } from "../../core/errors.ts";
import { UNAVAILABLE_RETRY_SECONDS } from "../../core/limits.ts";

const ALGORITHMS = ["RS256", "ES256", "EdDSA"];

export interface JwksIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: URL;
}

export function jwksVerifier({ issuer, audience, jwksUrl }: JwksIssuer): TokenVerifier {
  const keys = createRemoteJWKSet(jwksUrl);
  return {
    async verify(token) {
      try {
        const requiredClaims = ["exp"];
        const verified = await jwtVerify(token, keys, { algorithms: ALGORITHMS, issuer, audience, requiredClaims });
        return ok(verified.payload);
      } catch (error) {
        if (!isUnreachable(error)) return fail({ reason: "unauthorized" });
        const what = "The issuer's key set did not answer.";
        return fail({ reason: "unavailable", what, retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS });
      }
    },
  };
}

/** The key set could not be had, as opposed to: the token is not good. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  return !(error instanceof errors.JOSEError) || error.code === "ERR_JOSE_GENERIC";
}
