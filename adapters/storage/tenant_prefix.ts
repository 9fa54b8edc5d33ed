/**
 * Tenancy of a store: every key is checked before a prefix is put in front of it. Stores themselves see flat names, but
 * folders and tools that copy them do not, so what a path would resolve elsewhere is refused. A bad key is a bug: it
 * throws.
 */

import { OBJECT_KEY_BYTES_MAX, OBJECT_METADATA_BYTES_MAX } from "../../core/limits.ts";
import type { ObjectStore, TenantStore } from "../../core/ports.ts";
import { tenantSchema, utf8Length } from "../../core/schema/scalar.ts";

const SYSTEM_PREFIX = "system/";

/** A store whose tenants lie under prefixes: `open` gives the objects under one, which ends in "/". */
export function storeByPrefix(open: (tenant: string, prefix: string) => TenantStore): ObjectStore {
  return {
    forTenant: (tenant) => open(tenant, `tenants/${tenantSchema.parse(tenant)}/`),
    system: () => open("system", SYSTEM_PREFIX),
  };
}

/** Visible ASCII, no empty, `.` or `..` segment, no backslash, at most what a store takes. */
export function fullKey(prefix: string, key: string): string {
  const full = prefix + key;
  if (key === "" || key.endsWith("/") || !isInside(key) || full.length > OBJECT_KEY_BYTES_MAX) {
    throw new RangeError(`not a key: ${JSON.stringify(key)}`);
  }
  return full;
}

/** Like a key, but may end anywhere. */
export function fullPrefix(prefix: string, listed: string): string {
  if (!isInside(listed)) throw new RangeError(`not a prefix: ${JSON.stringify(listed)}`);
  return prefix + listed;
}

/** A prefix that names a folder: empty, or ending in "/". */
export function fullFolder(prefix: string, folder: string): string {
  if (folder !== "" && !folder.endsWith("/")) throw new RangeError(`not a folder: ${JSON.stringify(folder)}`);
  return fullPrefix(prefix, folder);
}

function isInside(path: string): boolean {
  if (!/^[\x21-\x7e]*$/.test(path) || path.includes("\\")) return false;
  const segments = path.split("/");
  const last = segments.pop();
  return (
    last !== "." && last !== ".." && segments.every((segment) => segment !== "" && segment !== "." && segment !== "..")
  );
}

export function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(metadata)) bytes += utf8Length(name) + utf8Length(value);
  if (bytes > OBJECT_METADATA_BYTES_MAX) throw new RangeError(`metadata of ${bytes} bytes`);
}

export function checkRange(offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 1) {
    throw new RangeError(`not a range: ${length} bytes from ${offset}`);
  }
}
