/**
 * Tokens that callers hold and hand back: opaque, safe in URLs and headers.
 *
 *   a letter (w: write, s: snapshot, t: snapshot over several entities), then base64url of
 *   check (8 bytes) ‖ canonical JSON of the fields
 *
 * The check is derived from tenant, entity and fields, so a token of another entity, or one that was altered, is told
 * from one that was issued. It is no secret: whoever acts on a token still compares its commit with the log's last.
 */
import type { Digest } from "../ports.ts";
import type { Snapshot } from "../retrieval/view.ts";
import type { EntityScope } from "../rpc.ts";
import type { Json } from "../schema/scalar.ts";
import { canonicalJson } from "./canonical.ts";
import { base64url, fromBase64url, hex } from "./text_encoding.ts";

const CHECK_BYTES = 8;
/** Longer texts are none of ours; they are refused before they are decoded. */
const TOKEN_CHARACTERS_MAX = 1_024;
/** Of a token that holds one of each entity of a list. */
const SCOPE_TOKEN_CHARACTERS_MAX = 8_192;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Names a write: whoever presents it wants to see that commit. Commit 0 is the log before its first. */
export interface WriteToken {
  readonly incarnation: number;
  readonly commit: number;
}

/** σ, and the head through which it was seen. */
export interface SnapshotToken {
  readonly snapshot: Snapshot;
  /** v; 0 before there is a head. */
  readonly version: number;
  /** The commit of the last redaction before it was seen; absent: there was none. */
  readonly redacted?: number;
}

/** `malformed`: no token of this kind. `foreign`: has the form of one, but was never issued for this entity. */
export type TokenReading<T> =
  | { readonly kind: "malformed" }
  | { readonly kind: "foreign" }
  | { readonly kind: "token"; readonly token: T };

export function writeToken(scope: EntityScope, token: WriteToken, digest: Digest): string {
  return issue("w", scope, [token.incarnation, token.commit], digest);
}

export function parseWriteToken(scope: EntityScope, text: string, digest: Digest): TokenReading<WriteToken> {
  return read("w", scope, text, digest, writeTokenOf);
}

export function snapshotToken(scope: EntityScope, token: SnapshotToken, digest: Digest): string {
  const { incarnation, commit, vectorCommit, revision } = token.snapshot;
  const { version, redacted = 0 } = token;
  const redaction = redacted === 0 ? [] : [redacted];
  return issue("s", scope, [incarnation, commit, vectorCommit, revision, version, ...redaction], digest);
}

export function parseSnapshotToken(scope: EntityScope, text: string, digest: Digest): TokenReading<SnapshotToken> {
  return read("s", scope, text, digest, snapshotTokenOf);
}

// --- Tokens of searches over several entities -----------------------------------------------

/** What a scope is called in its tokens: no entity has this name. */
const TENANT_SCOPE = "";

/** Names what a search over a tenant saw. `fields` are those of core/scope. */
export function scopeToken(tenant: string, fields: readonly Json[], digest: Digest): string {
  return issue("t", { tenant, entity: TENANT_SCOPE }, fields, digest);
}

export function parseScopeToken<T>(
  tenant: string,
  text: string,
  digest: Digest,
  tokenOf: (fields: readonly Json[]) => T | null,
): TokenReading<T> {
  return read("t", { tenant, entity: TENANT_SCOPE }, text, digest, tokenOf);
}

/** Names σ alone, however it is laid out: what digests and cache keys carry. */
export function snapshotDigest(scope: EntityScope, snapshot: Snapshot, digest: Digest): string {
  const { incarnation, commit, vectorCommit, revision } = snapshot;
  const fields = [scope.tenant, scope.entity, incarnation, commit, vectorCommit, revision];
  return hex(digest.sha256(encoder.encode(`snapshot\n${canonicalJson(fields)}`)));
}

type Letter = "w" | "s" | "t";

function issue(letter: Letter, scope: EntityScope, fields: readonly Json[], digest: Digest): string {
  const body = encoder.encode(canonicalJson(fields));
  const bytes = new Uint8Array(CHECK_BYTES + body.length);
  bytes.set(check(letter, scope, fields, digest));
  bytes.set(body, CHECK_BYTES);
  return letter + base64url(bytes);
}

function check(letter: Letter, scope: EntityScope, fields: readonly Json[], digest: Digest): Uint8Array {
  const subject = canonicalJson(["token", letter, scope.tenant, scope.entity, fields]);
  return digest.sha256(encoder.encode(subject)).subarray(0, CHECK_BYTES);
}

function read<T>(
  letter: Letter,
  scope: EntityScope,
  text: string,
  digest: Digest,
  tokenOf: (fields: readonly Json[]) => T | null,
): TokenReading<T> {
  const fields = fieldsOf(letter, text);
  const token = fields === null ? null : tokenOf(fields);
  if (fields === null || token === null) return { kind: "malformed" };
  const issued = issue(letter, scope, fields, digest);
  return issued === text ? { kind: "token", token } : { kind: "foreign" };
}

/** The fields of a text of the right form whose JSON is the canonical one. */
function fieldsOf(letter: Letter, text: string): readonly Json[] | null {
  const charactersMax = letter === "t" ? SCOPE_TOKEN_CHARACTERS_MAX : TOKEN_CHARACTERS_MAX;
  if (!text.startsWith(letter) || text.length > charactersMax) return null;
  const bytes = fromBase64url(text.slice(letter.length));
  if (bytes === null || bytes.length <= CHECK_BYTES) return null;
  try {
    const body = decoder.decode(bytes.subarray(CHECK_BYTES));
    const fields = JSON.parse(body) as Json;
    return Array.isArray(fields) && canonicalJson(fields) === body ? fields : null;
  } catch {
    return null;
  }
}

function writeTokenOf(fields: readonly Json[]): WriteToken | null {
  const [incarnation, commit, ...rest] = fields;
  return isCount(incarnation, 1) && isCount(commit, 0) && rest.length === 0 ? { incarnation, commit } : null;
}

function snapshotTokenOf(fields: readonly Json[]): SnapshotToken | null {
  const [incarnation, commit, vectorCommit, revision, version, redacted, ...rest] = fields;
  if (!isCount(incarnation, 1) || !isCount(commit, 0) || !isCount(vectorCommit, 0)) return null;
  if (typeof revision !== "string" || !isCount(version, 0) || rest.length > 0 || vectorCommit > commit) return null;
  const snapshot = { incarnation, commit, vectorCommit, revision };
  if (redacted === undefined) return { snapshot, version };
  return isCount(redacted, 1) ? { snapshot, version, redacted } : null;
}

function isCount(value: Json | undefined, min: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min;
}
