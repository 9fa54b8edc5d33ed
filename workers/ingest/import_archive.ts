/**
 * Import of an exported entity. The whole archive is checked before anything is written; then blobs, then events in
 * order, a segment file at a time. Ids and times are in the lines, so importing twice changes nothing.
 */

import { ARCHIVE_ZIP_LIMITS, openZip, type ZipReader, zipBatches } from "../../adapters/platform/zip.ts";
import { fail, invalid, ok, type Result, unprocessable } from "../../core/errors.ts";
import { IMPORT_STRETCH_BYTES, REQUEST_EVENTS_MAX } from "../../core/limits.ts";
import {
  ARCHIVE_MANIFEST_NAME,
  type ArchiveManifest,
  archiveBlobName,
  archiveSegmentName,
  checkArchiveBlob,
  readArchiveManifest,
  readArchiveSegment,
} from "../../core/log/archive.ts";
import { isTombstoneId, tombstoneId } from "../../core/log/event_id.ts";
import { blobKey } from "../../core/log/keys.ts";
import { TOMBSTONE_KIND, WITHDRAWS } from "../../core/log/line.ts";
import type { EntityScope, ImportedStretch, ImportStretch } from "../../core/rpc.ts";
import { type EventInput, eventInputSchema } from "../../core/schema/event.ts";
import { commandOf } from "./append.ts";
import type { IngestPorts } from "./ports.ts";

export interface ImportResult {
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: readonly string[];
  readonly token: string | null;
}

export async function importArchive(
  ports: IngestPorts,
  scope: EntityScope,
  archive: Uint8Array,
): Promise<Result<ImportResult>> {
  const zip = openZip(archive, ARCHIVE_ZIP_LIMITS);
  if (!zip.ok) return zip;
  const manifest = readManifest(zip.value);
  if (!manifest.ok) return manifest;
  // Twice over the files: a fault in the last one must not leave the first ones imported.
  const checked = await eachFile(zip.value, async (name, bytes) => checkFile(ports, manifest.value, name, bytes));
  if (!checked.ok) return checked;
  let total: ImportResult = { accepted: 0, duplicates: 0, conflicts: [], token: null };
  const imported = await eachFile(zip.value, async (name, bytes) => {
    const added = await importFile(ports, scope, manifest.value, name, bytes);
    if (!added.ok) return added;
    total = sum(total, added.value);
    return ok(null);
  });
  return imported.ok ? ok(total) : imported;
}

/**
 * A stretch of an archive in the store: as many files from `from` on as IMPORT_STRETCH_BYTES hold, or one. A job first
 * checks all of them so, and then imports them.
 */
export async function importStretch(
  ports: IngestPorts,
  tenant: string,
  { entity, archive, phase, from }: ImportStretch,
): Promise<Result<ImportedStretch>> {
  const stored = await ports.store.forTenant(tenant).get(archive);
  if (stored === null) return fail({ reason: "not_found", what: "The archive" });
  const zip = openZip(stored.bytes, ARCHIVE_ZIP_LIMITS);
  if (!zip.ok) return zip;
  const manifest = readManifest(zip.value);
  if (!manifest.ok) return manifest;
  const names = stretchOf(zip.value.entries.slice(from));
  let total: ImportResult = { accepted: 0, duplicates: 0, conflicts: [], token: null };
  let next = from;
  const dealt = await eachFile({ ...zip.value, entries: names }, async (name, bytes) => {
    if (phase === "check") {
      const checked = checkFile(ports, manifest.value, name, bytes);
      if (!checked.ok) return checked;
    } else {
      const added = await importFile(ports, { tenant, entity }, manifest.value, name, bytes);
      if (!added.ok) return added;
      total = sum(total, added.value);
    }
    next += 1;
    return ok(null);
  });
  // What was imported before a fault is told; the fault is told by the stretch that begins with it.
  if (!dealt.ok && next === from) return dealt;
  const files = zip.value.entries.length;
  return ok({ ...total, conflicts: total.conflicts.length, next: next < files ? next : null, files });
}

function stretchOf(entries: ZipReader["entries"]): ZipReader["entries"] {
  let left = IMPORT_STRETCH_BYTES;
  const beyond = entries.findIndex(({ bytes }, index) => {
    left -= bytes;
    return left < 0 && index > 0;
  });
  return beyond === -1 ? entries : entries.slice(0, beyond);
}

function readManifest(zip: ZipReader): Result<ArchiveManifest> {
  const file = zip.read(new Set([ARCHIVE_MANIFEST_NAME]));
  if (!file.ok) return file;
  const bytes = file.value.get(ARCHIVE_MANIFEST_NAME);
  if (bytes === undefined) return fail(unprocessable(ARCHIVE_MANIFEST_NAME, "is missing"));
  return readArchiveManifest(
    bytes,
    zip.entries.map(({ name }) => name),
  );
}

/** Files in the order of the archive, a bounded batch inflated at a time. */
async function eachFile(
  zip: ZipReader,
  visit: (name: string, bytes: Uint8Array) => Promise<Result<null>>,
): Promise<Result<null>> {
  for (const names of zipBatches(zip.entries)) {
    const files = zip.read(names);
    if (!files.ok) return files;
    for (const [name, bytes] of files.value) {
      const visited = await visit(name, bytes);
      if (!visited.ok) return visited;
    }
  }
  return ok(null);
}

function checkFile(ports: IngestPorts, manifest: ArchiveManifest, name: string, bytes: Uint8Array): Result<null> {
  const blob = manifest.blobs.find((candidate) => archiveBlobName(candidate.sha256) === name);
  if (blob !== undefined) return checkArchiveBlob(blob, bytes, ports.digest);
  const events = eventsOf(ports, manifest, name, bytes);
  return events.ok ? ok(null) : events;
}

/** The events of a segment file; none for the other files. */
function eventsOf(
  ports: IngestPorts,
  manifest: ArchiveManifest,
  name: string,
  bytes: Uint8Array,
): Result<readonly EventInput[]> {
  const segment = manifest.segments.find((candidate) => archiveSegmentName(candidate.from) === name);
  if (segment === undefined) return ok([]);
  const lines = readArchiveSegment(segment, bytes, ports.digest);
  if (!lines.ok) return lines;
  const events: EventInput[] = [];
  for (const [index, line] of lines.value.entries()) {
    const parsed = eventInputSchema.safeParse(parseJson(line));
    if (!parsed.success || !isExported(ports, parsed.data)) {
      return fail(invalid(name, `line ${index + 1} is not an event of an export`));
    }
    events.push(parsed.data);
  }
  return ok(events);
}

/** An export has ids and times, and its tombstones are named by what they withdraw: no other line may bear their ids. */
function isExported({ digest }: IngestPorts, { id, ts, kind, relations }: EventInput): boolean {
  if (id === undefined || ts === undefined) return false;
  if (kind !== TOMBSTONE_KIND) return !isTombstoneId(id);
  const target = relations?.find((relation) => relation.type === WITHDRAWS)?.target;
  return target !== undefined && id === tombstoneId(target, digest);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function importFile(
  ports: IngestPorts,
  scope: EntityScope,
  manifest: ArchiveManifest,
  name: string,
  bytes: Uint8Array,
): Promise<Result<ImportResult>> {
  let total: ImportResult = { accepted: 0, duplicates: 0, conflicts: [], token: null };
  const blob = manifest.blobs.find((candidate) => archiveBlobName(candidate.sha256) === name);
  if (blob !== undefined) await ports.store.forTenant(scope.tenant).create(blobKey(scope.entity, blob.sha256), bytes);
  const events = eventsOf(ports, manifest, name, bytes);
  if (!events.ok) return events;
  for (let from = 0; from < events.value.length; from += REQUEST_EVENTS_MAX) {
    const command = commandOf(ports, scope, events.value.slice(from, from + REQUEST_EVENTS_MAX), null);
    if (!command.ok) return command;
    const appended = await ports.entity(scope).append(command.value);
    if (!appended.ok) return appended;
    total = sum(total, appended.value);
  }
  return ok(total);
}

function sum(total: ImportResult, added: ImportResult): ImportResult {
  return {
    accepted: total.accepted + added.accepted,
    duplicates: total.duplicates + added.duplicates,
    conflicts: [...total.conflicts, ...added.conflicts],
    token: added.token ?? total.token,
  };
}
