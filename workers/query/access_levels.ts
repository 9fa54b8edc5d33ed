/**
 * What the routes ask of a credential. Data, so that one can read off who may do what.
 * The prefix of a credential is checked for every route whose path names an entity.
 */
import type { TenantRequirement } from "../../core/access/principal.ts";

type Level = Omit<TenantRequirement, "credential">;

export const READ_ENTITY: Level = { scope: "read", tier: "T1", reach: "entity" };
export const WRITE_ENTITY: Level = { scope: "write", tier: "T1", reach: "entity" };
export const ADMIN_ENTITY: Level = { scope: "admin", tier: "T1", reach: "entity" };
export const ERASE_ENTITY: Level = { scope: "admin", tier: "T3", reach: "entity" };
/** The handler narrows what it lists, or what it is asked to do, to the credential's prefix. */
export const READ_LISTED: Level = { scope: "read", tier: "T1", reach: "listed" };
export const WRITE_LISTED: Level = { scope: "write", tier: "T1", reach: "listed" };
export const ADMIN_LISTED: Level = { scope: "admin", tier: "T1", reach: "listed" };
export const READ_TENANT: Level = { scope: "read", tier: "T1", reach: "tenant" };
export const ADMIN_TENANT: Level = { scope: "admin", tier: "T1", reach: "tenant" };
