/**
 * Tenants and keys as the wire writes them. A key's HMAC never leaves the store.
 */
import type { z } from "zod";
import type { keySchema, tenantAnswerSchema } from "../../../core/schema/admin.ts";
import { formatTime } from "../../../core/schema/scalar.ts";
import type { KeyRecord, TenantRecord } from "../../../core/schema/stored.ts";

export function tenantWire(record: TenantRecord): z.infer<typeof tenantAnswerSchema> {
  return { tenant: record.tenant, created_at: formatTime(record.createdAt) };
}

export function keyWire(record: KeyRecord): z.infer<typeof keySchema> {
  return {
    id: record.id,
    scopes: record.scopes,
    tier: record.tier,
    entity_prefix: record.entityPrefix,
    created_at: formatTime(record.createdAt),
    expires_at: record.expiresAt === null ? null : formatTime(record.expiresAt),
  };
}
