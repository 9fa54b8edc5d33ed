/**
 * Makes a tenant's key. The key itself is in the answer and nowhere else.
 */
import { ok, type Result } from "../errors.ts";
import { KEY_ID_BYTES, KEY_SECRET_BYTES } from "../limits.ts";
import { hex } from "../log/text_encoding.ts";
import type { Clock, Random } from "../ports.ts";
import type { KeyRecord } from "../schema/stored.ts";
import { formatKey } from "./credential.ts";
import type { Directory } from "./directory.ts";
import type { Grant } from "./principal.ts";
import type { Secrets } from "./secrets.ts";

export interface IssuedKey {
  readonly key: string;
  readonly record: KeyRecord;
}

export async function issueKey(
  parts: { readonly directory: Directory; readonly secrets: Secrets; readonly random: Random; readonly clock: Clock },
  grant: Grant,
  expiresAt: number | null,
): Promise<Result<IssuedKey>> {
  const { id, key } = formatKey(parts.random.bytes(KEY_ID_BYTES), parts.random.bytes(KEY_SECRET_BYTES));
  const added = await parts.directory.addKey({
    id,
    tenant: grant.tenant,
    hmac: hex(await parts.secrets.mac(key)),
    scopes: grant.scopes,
    tier: grant.tier,
    entityPrefix: grant.entityPrefix,
    createdAt: parts.clock.now(),
    expiresAt,
  });
  return added.ok ? ok({ key, record: added.value }) : added;
}
