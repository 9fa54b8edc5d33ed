/**
 * Documents: the bytes are kept unchanged as a blob, the text becomes one or more events of kind `document`.
 * A new version is appended first, a long one in several commits, and earlier ones are withdrawn after it, so there is
 * no moment without a document; a put that is cut short is completed by the next.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import {
  DOCUMENT_BYTES_MAX,
  DOCUMENT_COMMIT_BYTES,
  DOCUMENT_EVENT_CHARACTERS,
  DOCUMENT_TEXT_BYTES_MAX,
} from "../../core/limits.ts";
import { blobKey } from "../../core/log/keys.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { AppendResult, DocumentVersion, EntityScope } from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { utf8Length } from "../../core/schema/scalar.ts";
import { commandOf } from "./append.ts";
import { documentText, mediaTypeOf } from "./document_text.ts";
import type { IngestPorts } from "./ports.ts";

export type PutDocumentResult = AppendResult & { readonly searchable: boolean };

const VERSION_DIGITS = 32;

export async function putDocument(
  ports: IngestPorts,
  scope: EntityScope,
  id: string,
  contentType: string,
  bytes: Uint8Array,
): Promise<Result<PutDocumentResult>> {
  if (bytes.length > DOCUMENT_BYTES_MAX) {
    return fail({
      reason: "too_large",
      what: "The document",
      size: bytes.length,
      max: DOCUMENT_BYTES_MAX,
      unit: "bytes",
    });
  }
  const found = await currentVersion(ports, scope, id);
  if (!found.ok) return found;
  const before = found.value;
  const sha256 = hex(ports.digest.sha256(bytes));
  await keepBlob(ports, scope, sha256, bytes);
  const document: Document = { id, contentType, sha256, bytes: bytes.length, text: documentText(contentType, bytes) };
  let version = standing(before, document) ?? versionName(ports, document, before?.version ?? null);
  let put = await putVersion(ports, scope, document, version);
  if (!put.ok) return put;
  if (put.value.duplicates > 0) {
    const now = await currentVersion(ports, scope, id);
    if (!now.ok) return now;
    if (!isWhole(now.value, version, put.value)) {
      // Some of its events were withdrawn, and what was withdrawn stays so: it comes back as a version of its own.
      const status = await ports.entity(scope).status(scope);
      if (!status.ok) return status;
      version = versionName(ports, document, `${version}@${status.value.commits}`);
      put = await putVersion(ports, scope, document, version);
      if (!put.ok) return put;
    }
  }
  const withdrawn = await withdrawEarlier(ports, scope, id);
  return withdrawn.ok ? put : withdrawn;
}

/** Bytes that are there already are looked at: a put of a document whose blob was damaged mends it. */
async function keepBlob(ports: IngestPorts, scope: EntityScope, sha256: string, bytes: Uint8Array): Promise<void> {
  const store = ports.store.forTenant(scope.tenant);
  const key = blobKey(scope.entity, sha256);
  if (await store.create(key, bytes)) return;
  const stored = await store.get(key);
  if (stored === null || hex(ports.digest.sha256(stored.bytes)) !== sha256) await store.put(key, bytes);
}

interface Document {
  readonly id: string;
  readonly contentType: string;
  readonly sha256: string;
  readonly bytes: number;
  /** null: nothing that can be searched. */
  readonly text: string | null;
}

async function currentVersion(
  ports: IngestPorts,
  scope: EntityScope,
  id: string,
): Promise<Result<DocumentVersion | null>> {
  const found = await ports.entity(scope).document(scope, id);
  if (found.ok) return found;
  return found.failure.reason === "not_found" ? ok(null) : found;
}

/** The same bytes again are the version that stands; other bytes, or those of an older version, are a new one: null. */
function standing(before: DocumentVersion | null, document: Document): string | null {
  if (before === null) return null;
  return before.sha256 === document.sha256 && before.contentType === document.contentType ? before.version : null;
}

/** `after` tells a version from an equal one that was there before: what it follows, and when. */
function versionName({ digest }: IngestPorts, document: Document, after: string | null): string {
  const name = JSON.stringify([document.id, document.contentType, document.sha256, after]);
  return hex(digest.sha256(new TextEncoder().encode(name))).slice(0, VERSION_DIGITS);
}

function isWhole(now: DocumentVersion | null, version: string, put: PutDocumentResult): boolean {
  return now?.version === version && now.eventIds.length === put.eventIds.length;
}

async function putVersion(
  ports: IngestPorts,
  scope: EntityScope,
  document: Document,
  version: string,
): Promise<Result<PutDocumentResult>> {
  const pieces = piecesOf(document.text ?? "").map((text) => ({ text, bytes: utf8Length(JSON.stringify(text)) }));
  const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  // A text that grows too large as JSON, for what has to be escaped in it, is kept like one that cannot be read.
  if (bytes > DOCUMENT_TEXT_BYTES_MAX) return putVersion(ports, scope, { ...document, text: null }, version);
  const events = eventsOf(document, version, pieces);
  let put: AppendResult | null = null;
  for (const { from, to } of commitsOf(pieces)) {
    const command = commandOf(ports, scope, events.slice(from, to), null);
    if (!command.ok) return command;
    const appended = await ports.entity(scope).append(command.value);
    if (!appended.ok) return appended;
    put = put === null ? appended.value : both(put, appended.value);
  }
  if (put === null) throw new Error("a document without an event");
  return ok({ ...put, searchable: document.text !== null });
}

interface Piece {
  readonly text: string;
  /** As JSON. */
  readonly bytes: number;
}

/** Neighbours that are appended together: a commit is indexed whole, so it must not be too large to be. */
function commitsOf(pieces: readonly Piece[]): readonly { readonly from: number; readonly to: number }[] {
  const commits: { from: number; to: number }[] = [];
  let room = 0;
  for (const [index, { bytes }] of pieces.entries()) {
    if (commits.length === 0 || bytes > room) {
      commits.push({ from: index, to: index });
      room = DOCUMENT_COMMIT_BYTES;
    }
    const last = commits.at(-1);
    if (last !== undefined) last.to = index + 1;
    room -= bytes;
  }
  return commits;
}

/** The answer of two appends as one: the token of the later commit is also that of the earlier. */
function both(one: AppendResult, other: AppendResult): AppendResult {
  const later = other.commit >= one.commit ? other : one;
  return {
    ...later,
    accepted: one.accepted + other.accepted,
    duplicates: one.duplicates + other.duplicates,
    conflicts: [...one.conflicts, ...other.conflicts],
    eventIds: [...one.eventIds, ...other.eventIds],
  };
}

function eventsOf(document: Document, version: string, pieces: readonly Piece[]): EventInput[] {
  const { id, contentType, sha256, bytes } = document;
  const attributes = {
    document: id,
    document_version: version,
    content_type: contentType,
    media_type: mediaTypeOf(contentType),
    bytes,
    sha256,
    searchable: document.text !== null,
  };
  return pieces.map(({ text }, index) => ({
    id: `document:${version}:${index}`,
    kind: "document",
    ...(text === "" ? {} : { text }),
    attributes,
  }));
}

/** Cuts a long text where a paragraph or a line ends, else between characters; at least one piece. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > DOCUMENT_EVENT_CHARACTERS) {
    const window = rest.slice(0, DOCUMENT_EVENT_CHARACTERS);
    const end = Math.max(window.lastIndexOf("\n\n"), window.lastIndexOf("\n")) + 1;
    const cut = end > 0 ? end : withoutHalfCharacter(window);
    pieces.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return [...pieces, rest];
}

function withoutHalfCharacter(text: string): number {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length;
}

/** All but the newest version: another put may have gone by since the first look. */
async function withdrawEarlier(ports: IngestPorts, scope: EntityScope, id: string): Promise<Result<null>> {
  const newest = await currentVersion(ports, scope, id);
  if (!newest.ok) return newest;
  for (const eventId of newest.value?.olderEventIds ?? []) {
    const withdrawn = await ports.entity(scope).withdraw(scope, eventId);
    if (!withdrawn.ok) return withdrawn;
  }
  return ok(null);
}
