/**
 * From an `Authorization` header to a principal. A failure never says which part of a credential was wrong; of a
 * record that is damaged it says that it is, since no credential can be right then.
 * Records of keys and tenants are cached for KEY_CACHE_MS, so that is how long a revoked key may live on; what was not
 * found is not cached, so a new key works at once.
 */
import { fail, ok, type Result } from "../errors.ts";
import { KEY_CACHE_ENTRIES_MAX, KEY_CACHE_MS } from "../limits.ts";
import type { Clock } from "../ports.ts";
import type { KeyRecord } from "../schema/stored.ts";
import { principalOfClaims } from "./claims.ts";
import { type Credential, parseAuthorization } from "./credential.ts";
import type { Directory } from "./directory.ts";
import { ExpiringCache } from "./expiring_cache.ts";
import type { Principal, TenantPrincipal } from "./principal.ts";
import type { Secrets, TokenVerifier } from "./secrets.ts";

/** Accepted only where ENVIRONMENT is "development". */
export const DEVELOPMENT_KEY = "ck_dev_contextplane";
export const DEVELOPMENT_ADMIN_TOKEN = "dev-admin-token";
export const DEVELOPMENT_TENANT = "dev";

export interface AuthenticatorParts {
  readonly directory: Directory;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly adminToken: string;
  readonly development: boolean;
  /** null where no issuer is configured: tokens are then refused. */
  readonly verifier: TokenVerifier | null;
}

export interface Authenticator {
  authenticate(authorization: string | null): Promise<Result<Principal>>;
}

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const records = new ExpiringCache<KeyRecord>(parts.clock, KEY_CACHE_MS, KEY_CACHE_ENTRIES_MAX);
  const tenants = new ExpiringCache<true>(parts.clock, KEY_CACHE_MS, KEY_CACHE_ENTRIES_MAX);

  /** A hit does not lengthen an entry's life: a busy key would never be revoked. */
  async function recordOf(id: string): Promise<Result<KeyRecord | null>> {
    const cached = records.get(id);
    if (cached !== undefined) return ok(cached);
    const record = await parts.directory.key(id);
    if (record.ok && record.value !== null) records.set(id, record.value);
    return record;
  }

  async function ofKey(id: string, key: string): Promise<Result<Principal>> {
    const found = await recordOf(id);
    if (!found.ok) return found;
    const record = found.value;
    if (record === null) return refused;
    if (!parts.secrets.equal(await parts.secrets.mac(key), bytesOfHex(record.hmac))) return refused;
    if (record.expiresAt !== null && record.expiresAt <= parts.clock.now()) return refused;
    return ok(principalOf(record));
  }

  async function ofToken(token: string): Promise<Result<Principal>> {
    if (parts.verifier === null) return refused;
    const verified = await parts.verifier.verify(token);
    if (!verified.ok) return verified;
    const principal = principalOfClaims(verified.value);
    if (!principal.ok) return principal;
    const tenant = principal.value.tenant;
    // An issuer can vouch for a tenant of ours; it cannot make one.
    if (tenants.get(tenant) === undefined) {
      const found = await parts.directory.tenant(tenant);
      if (!found.ok) return found;
      if (found.value === null) return refused;
      tenants.set(tenant, true);
    }
    return principal;
  }

  async function ofOpaque(token: string): Promise<Result<Principal>> {
    // No secret, so nothing to compare in constant time.
    if (parts.development && token === DEVELOPMENT_KEY) return ok(developmentPrincipal);
    const [given, admin] = await Promise.all([parts.secrets.mac(token), parts.secrets.mac(parts.adminToken)]);
    return parts.secrets.equal(given, admin) ? ok({ kind: "deployment" }) : refused;
  }

  async function ofCredential(credential: Credential): Promise<Result<Principal>> {
    switch (credential.form) {
      case "key":
        return ofKey(credential.id, credential.key);
      case "jwt": {
        // An operator may have chosen an admin token with two dots in it.
        const opaque = await ofOpaque(credential.token);
        return opaque.ok ? opaque : ofToken(credential.token);
      }
      case "opaque":
        return ofOpaque(credential.token);
    }
  }

  return {
    async authenticate(authorization) {
      const credential = parseAuthorization(authorization);
      return credential === null ? refused : ofCredential(credential);
    },
  };
}

const refused: Result<never> = fail({ reason: "unauthorized" });

const developmentPrincipal: TenantPrincipal = {
  kind: "tenant",
  tenant: DEVELOPMENT_TENANT,
  scopes: ["read", "write", "admin"],
  tier: "T3",
  entityPrefix: null,
};

function principalOf(record: KeyRecord): TenantPrincipal {
  return {
    kind: "tenant",
    tenant: record.tenant,
    scopes: record.scopes,
    tier: record.tier,
    entityPrefix: record.entityPrefix,
  };
}

function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
