/**
 * Documents: the bytes are kept unchanged as a blob, the text becomes one or more events of kind `document`.
 * A new version is appended first and earlier ones are withdrawn after it, so there is no moment without a document; a
 * put that is cut short is completed by the next.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { DOCUMENT_BYTES_MAX, DOCUMENT_EVENT_CHARACTERS } from "../../core/limits.ts";
import { blobKey } from "../../core/log/keys.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { AppendCommand, AppendResult, DocumentVersion, EntityScope } from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { commandOf } from "./append.ts";
import { documentText, mediaTypeOf } from "./document_text.ts";
import type { IngestPorts } from "./ports.ts";

export type PutDocumentResult = AppendResult & { readonly searchable: boolean };

type Attributes = NonNullable<EventInput["attributes"]>;

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
  const object = ports.entity(scope);
  const found = await object.document(scope, id);
  if (!found.ok && found.failure.reason !== "not_found") return found;
  const before = found.ok ? found.value : null;
  const sha256 = hex(ports.digest.sha256(bytes));
  await ports.store.forTenant(scope.tenant).create(blobKey(scope.entity, sha256), bytes);
  const text = documentText(contentType, bytes);
  const version = versionOf(ports, { id, contentType, sha256 }, before);
  const attributes = {
    document: id,
    document_version: version,
    content_type: contentType,
    media_type: mediaTypeOf(contentType),
    bytes: bytes.length,
    sha256,
  };
  const command = commandFor(ports, scope, { version, text, attributes });
  if (!command.ok) return command;
  const appended = await object.append(command.value.append);
  if (!appended.ok) return appended;
  const withdrawn = await withdrawEarlier(ports, scope, version, before);
  return withdrawn.ok ? ok({ ...appended.value, searchable: command.value.searchable }) : withdrawn;
}

interface Version {
  readonly version: string;
  readonly text: string | null;
  readonly attributes: Attributes;
}

/** A text that grows too large as JSON, for what has to be escaped in it, is kept like one that cannot be read. */
function commandFor(
  ports: IngestPorts,
  scope: EntityScope,
  { version, text, attributes }: Version,
): Result<{ readonly append: AppendCommand; readonly searchable: boolean }> {
  const searchable = text !== null;
  const command = commandOf(ports, scope, eventsOf(version, text, { ...attributes, searchable }), null);
  if (command.ok) return ok({ append: command.value, searchable });
  if (!searchable || command.failure.reason !== "too_large") return command;
  return commandFor(ports, scope, { version, text: null, attributes });
}

/** The same bytes again are the version that stands; other bytes, or those of an older version, are a new one. */
function versionOf(
  { digest }: IngestPorts,
  document: { readonly id: string; readonly contentType: string; readonly sha256: string },
  before: DocumentVersion | null,
): string {
  if (before !== null && before.sha256 === document.sha256 && before.contentType === document.contentType)
    return before.version;
  const name = JSON.stringify([document.id, document.contentType, document.sha256, before?.version ?? null]);
  return hex(digest.sha256(new TextEncoder().encode(name))).slice(0, VERSION_DIGITS);
}

function eventsOf(version: string, text: string | null, attributes: Attributes): EventInput[] {
  const pieces = text === null ? [null] : piecesOf(text);
  return pieces.map((piece, index) => ({
    id: `document:${version}:${index}`,
    kind: "document",
    ...(piece === null || piece === "" ? {} : { text: piece }),
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

async function withdrawEarlier(
  ports: IngestPorts,
  scope: EntityScope,
  version: string,
  before: DocumentVersion | null,
): Promise<Result<null>> {
  if (before === null) return ok(null);
  const earlier = before.version === version ? before.olderEventIds : [...before.olderEventIds, ...before.eventIds];
  for (const id of earlier) {
    const withdrawn = await ports.entity(scope).withdraw(scope, id);
    if (!withdrawn.ok) return withdrawn;
  }
  return ok(null);
}
