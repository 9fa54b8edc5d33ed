/**
 * Every key of the store. All but the last section are relative to `tenants/{tenant}/`; nothing else spells a key.
 *
 * Names are percent-encoded, so that no two names share a key and none leaves its prefix: letters, digits, `-`, `_`, `~`
 * and inner dots stand as they are, every other byte of UTF-8 is %XX. Numbers are padded, so that keys list in order.
 */
import { MODEL_ID_BYTES_MAX, OBJECT_KEY_BYTES_MAX, TENANT_BYTES_MAX } from "../limits.ts";
import { utf8Length } from "../schema/scalar.ts";

const INCARNATION_DIGITS = 6;
const COMMIT_DIGITS = 12;
const VERSION_DIGITS = 12;
const DAY_MS = 86_400_000;
/** What a key may hold beyond its tenant's prefix. */
const RELATIVE_KEY_BYTES_MAX = OBJECT_KEY_BYTES_MAX - "tenants//".length - TENANT_BYTES_MAX;

// --- Names ----------------------------------------------------------------------------------

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeName(name: string): string {
  if (name === "" || !name.isWellFormed()) throw new RangeError("a name that no key can hold");
  const bytes = encoder.encode(name);
  let text = "";
  bytes.forEach((byte, i) => {
    const character = String.fromCharCode(byte);
    const inner = i > 0 && i < bytes.length - 1;
    const plain = /[A-Za-z0-9_~-]/.test(character) || (character === "." && inner);
    text += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return text;
}

/** null unless `text` is exactly what `encodeName` writes for some name. */
export function decodeName(text: string): string | null {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text.charAt(i) !== "%") {
      bytes.push(text.charCodeAt(i));
      continue;
    }
    const digits = text.slice(i + 1, i + 3);
    if (!/^[0-9A-F]{2}$/.test(digits)) return null;
    bytes.push(Number.parseInt(digits, 16));
    i += 2;
  }
  const name = decodeUtf8(Uint8Array.from(bytes));
  return name !== null && name !== "" && encodeName(name) === text ? name : null;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

// --- Entities -------------------------------------------------------------------------------

export const ENTITIES_PREFIX = "entities/";

export function entityPrefix(entity: string): string {
  return `${ENTITIES_PREFIX}${encodeName(entity)}/`;
}

export interface SegmentName {
  readonly entity: string;
  /** Midnight UTC of the day of arrival, epoch milliseconds. */
  readonly dayMs: number;
  readonly incarnation: number;
  readonly commit: number;
}

export function segmentKey(entity: string, dayMs: number, incarnation: number, commit: number): string {
  return bounded(
    `${segmentsOfDayPrefix(entity, dayMs)}${incarnationDigits(incarnation)}-${commitDigits(commit)}.jsonl.zst`,
  );
}

const SEGMENT_KEY = /^entities\/([^/]+)\/segments\/(\d{4}\/\d{2}\/\d{2})\/(\d{6})-(\d{12})\.jsonl\.zst$/;

/** null for any key that `segmentKey` does not write. */
export function parseSegmentKey(key: string): SegmentName | null {
  const [, encoded, day, incarnation, commit] = SEGMENT_KEY.exec(key) ?? [];
  if (encoded === undefined || day === undefined) return null;
  const entity = decodeName(encoded);
  const dayMs = Date.parse(`${day.replaceAll("/", "-")}T00:00:00Z`);
  if (entity === null || Number.isNaN(dayMs) || Number(incarnation) < 1 || Number(commit) < 1) return null;
  const name = { entity, dayMs, incarnation: Number(incarnation), commit: Number(commit) };
  return segmentKey(entity, dayMs, name.incarnation, name.commit) === key ? name : null;
}

/** All segments, in order of day, incarnation, commit: within one incarnation that is commit order. */
export function segmentsPrefix(entity: string): string {
  return `${entityPrefix(entity)}segments/`;
}

export function segmentsOfDayPrefix(entity: string, dayMs: number): string {
  return `${segmentsPrefix(entity)}${dayPath(dayMs)}/`;
}

/**
 * Prefixes that cover the days from one to another in order, as few as there can be: days to the end of the month,
 * months to the end of the year, then years.
 */
export function* segmentsPrefixesBetween(entity: string, firstDayMs: number, lastDayMs: number): Generator<string> {
  const prefix = segmentsPrefix(entity);
  for (let at = new Date(firstDayMs); at.getTime() <= lastDayMs; ) {
    const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
    const wholeYear = month === 0 && day === 1;
    const path = dayPath(at.getTime()).slice(0, wholeYear ? "yyyy".length : day === 1 ? "yyyy/mm".length : undefined);
    yield `${prefix}${path}/`;
    if (wholeYear) at = new Date(Date.UTC(year + 1, 0, 1));
    else at = new Date(day === 1 ? Date.UTC(year, month + 1, 1) : Date.UTC(year, month, day + 1));
  }
}

export function outputsPrefix(entity: string, model: string): string {
  if (utf8Length(model) > MODEL_ID_BYTES_MAX)
    throw new RangeError(`a model id longer than ${MODEL_ID_BYTES_MAX} bytes`);
  return `${entityPrefix(entity)}outputs/${encodeName(model)}/`;
}

/** What `model` made of commits `from` to `to`. */
export function outputsKey(entity: string, model: string, incarnation: number, from: number, to: number): string {
  if (from > to) throw new RangeError("a range that ends before it begins");
  return bounded(
    `${outputsPrefix(entity, model)}${incarnationDigits(incarnation)}-${commitDigits(from)}-${commitDigits(to)}.zst`,
  );
}

/** A range of commits of an incarnation. */
export interface RangeName {
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
}

const OUTPUTS_KEY = /\/outputs\/[^/]+\/(\d{6})-(\d{12})-(\d{12})\.zst$/;

/** null for any key that `outputsKey` does not write. */
export function parseOutputsKey(key: string): RangeName | null {
  const [, incarnation, from, to] = OUTPUTS_KEY.exec(key) ?? [];
  if (incarnation === undefined || from === undefined || to === undefined) return null;
  return { incarnation: Number(incarnation), from: Number(from), to: Number(to) };
}

/** What every model made of the entity's commits. */
export function allOutputsPrefix(entity: string): string {
  return `${entityPrefix(entity)}outputs/`;
}

export function rollupsPrefix(entity: string): string {
  return `${entityPrefix(entity)}rollups/`;
}

/** Tiny segments of commits `from` to `to`, laid end to end. */
export function rollupKey(entity: string, incarnation: number, from: number, to: number): string {
  if (from > to) throw new RangeError("a range that ends before it begins");
  return bounded(
    `${rollupsPrefix(entity)}${incarnationDigits(incarnation)}-${commitDigits(from)}-${commitDigits(to)}.zst`,
  );
}

const ROLLUP_KEY = /\/rollups\/(\d{6})-(\d{12})-(\d{12})\.zst$/;

/** null for any key that `rollupKey` does not write. */
export function parseRollupKey(key: string): RangeName | null {
  const [, incarnation, from, to] = ROLLUP_KEY.exec(key) ?? [];
  if (incarnation === undefined || from === undefined || to === undefined) return null;
  return { incarnation: Number(incarnation), from: Number(from), to: Number(to) };
}

export function blobsPrefix(entity: string): string {
  return `${entityPrefix(entity)}blobs/`;
}

/** An archive that a job is to import; gone when the job has ended. */
export function importKey(entity: string, job: string): string {
  return bounded(`${entityPrefix(entity)}imports/${encodeName(job)}.zip`);
}

export function blobKey(entity: string, sha256: string): string {
  return bounded(blobsPrefix(entity) + digestName(sha256));
}

/** Shards, and graphs that are under construction. */
export function indexesPrefix(entity: string): string {
  return `${entityPrefix(entity)}indexes/`;
}

export function shardKey(entity: string, sha256: string): string {
  return bounded(`${indexesPrefix(entity)}${digestName(sha256)}.shard`);
}

/** What is built of the graph over the codes with this digest; gone once its shard is there. */
export function graphStateKey(entity: string, codesSha256: string): string {
  return bounded(`${indexesPrefix(entity)}${digestName(codesSha256)}.graph`);
}

export function headsPrefix(entity: string): string {
  return `${entityPrefix(entity)}heads/`;
}

export function headKey(entity: string, version: number): string {
  return bounded(`${headsPrefix(entity)}${versionDigits(version)}.json`);
}

/** The version that a head's key names; null for any other key. */
export function parseHeadKey(key: string): number | null {
  const digits = /\/heads\/(\d{12})\.json$/.exec(key)?.[1];
  return digits === undefined ? null : Number(digits);
}

export function headHintKey(entity: string): string {
  return bounded(`${entityPrefix(entity)}head.json`);
}

export function erasedKey(entity: string): string {
  return bounded(`${entityPrefix(entity)}erased.json`);
}

export function redactedKey(entity: string): string {
  return bounded(`${entityPrefix(entity)}redacted.json`);
}

export function entitySettingsKey(entity: string): string {
  return bounded(`${entityPrefix(entity)}settings.json`);
}

// --- Tenants --------------------------------------------------------------------------------

export const SETTINGS_KEY = "settings.json";

/** Everything of the tenant's index. */
export const SCOPE_INDEX_PREFIX = "indexes/";
export const SCOPE_HEADS_PREFIX = `${SCOPE_INDEX_PREFIX}heads/`;

export function scopeShardKey(dayMs: number, sha256: string): string {
  return `${SCOPE_INDEX_PREFIX}${dayPath(dayMs)}/${digestName(sha256)}.shard`;
}

export function scopeHeadKey(version: number): string {
  return `${SCOPE_HEADS_PREFIX}${versionDigits(version)}.json`;
}

// --- System: relative to `system/` ------------------------------------------------------------

export const SYSTEM_TENANTS_PREFIX = "tenants/";

/** How far the last sweep came, while there are too many tenants for one. */
export const SWEPT_KEY = "swept.json";

export function tenantKey(tenant: string): string {
  return `${SYSTEM_TENANTS_PREFIX}${encodeName(tenant)}.json`;
}

export function accessKeyKey(keyId: string): string {
  return `keys/${encodeName(keyId)}.json`;
}

/** Empty objects that list a tenant's keys. */
export function tenantKeysPrefix(tenant: string): string {
  return `tenant_keys/${encodeName(tenant)}/`;
}

export function tenantKeyMarkerKey(tenant: string, keyId: string): string {
  return tenantKeysPrefix(tenant) + encodeName(keyId);
}

/** The key's id that a marker of the tenant names; null for any other key. */
export function parseTenantKeyMarkerKey(tenant: string, key: string): string | null {
  const prefix = tenantKeysPrefix(tenant);
  return key.startsWith(prefix) ? decodeName(key.slice(prefix.length)) : null;
}

// --- Leaves ---------------------------------------------------------------------------------

/** Midnight UTC before `ms`. */
export function dayOf(ms: number): number {
  return ms - (ms % DAY_MS);
}

function dayPath(dayMs: number): string {
  if (dayMs % DAY_MS !== 0) throw new RangeError("a day that does not begin at midnight UTC");
  return new Date(dayMs).toISOString().slice(0, 10).replaceAll("-", "/");
}

const incarnationDigits = (incarnation: number) => digits(incarnation, 1, INCARNATION_DIGITS);
const commitDigits = (commit: number) => digits(commit, 1, COMMIT_DIGITS);
const versionDigits = (version: number) => digits(version, 1, VERSION_DIGITS);

function digits(value: number, min: number, width: number): string {
  if (!Number.isInteger(value) || value < min || value >= 10 ** width)
    throw new RangeError(`${value} is not ${min} or more in ${width} digits`);
  return String(value).padStart(width, "0");
}

function digestName(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError("not a SHA-256 in lower-case hex");
  return sha256;
}

function bounded(key: string): string {
  if (key.length > RELATIVE_KEY_BYTES_MAX) throw new RangeError(`a key of ${key.length} bytes`);
  return key;
}
