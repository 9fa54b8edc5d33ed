/**
 * The layout of an exported entity. The zip around it is an adapter's matter.
 *
 *   segments/{from}.jsonl   the lines of commits from..to, plain canonical JSON, one event a line
 *   blobs/{sha256}          raw documents
 *   manifest.json           what there is, with digests and counts; last, since it is known last
 *
 * Small commits share a file, so that the log of any entity fits in one zip. Ids and times are in the lines, so an
 * import gives the same events with the same ids; commits are counted anew.
 */
import { z } from "zod";
import { joinBytes } from "../bytes.ts";
import { fail, ok, type Result, unprocessable } from "../errors.ts";
import { ARCHIVE_BATCH_BYTES, ARCHIVE_ENTRIES_MAX, ARCHIVE_ENTRY_BYTES_MAX } from "../limits.ts";
import type { Digest } from "../ports.ts";
import { entitySchema } from "../schema/scalar.ts";
import { canonicalJson } from "./canonical.ts";
import { linesOf } from "./segment.ts";
import { hex } from "./text_encoding.ts";

export const ARCHIVE_MANIFEST_NAME = "manifest.json";
const COMMIT_DIGITS = 12;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const countSchema = z.number().int().min(1);

const archiveManifestSchema = z.strictObject({
  format: z.literal(1),
  entity: entitySchema,
  events: z.number().int().min(0),
  segments: z
    .array(
      z.strictObject({
        from: countSchema,
        to: countSchema,
        lines: countSchema,
        bytes: countSchema.max(ARCHIVE_ENTRY_BYTES_MAX),
        sha256: sha256Schema,
      }),
    )
    .max(ARCHIVE_ENTRIES_MAX),
  blobs: z
    .array(z.strictObject({ sha256: sha256Schema, bytes: z.number().int().min(0).max(ARCHIVE_ENTRY_BYTES_MAX) }))
    .max(ARCHIVE_ENTRIES_MAX),
});

export type ArchiveManifest = z.infer<typeof archiveManifestSchema>;
export type ArchiveSegment = ArchiveManifest["segments"][number];
export type ArchiveBlob = ArchiveManifest["blobs"][number];

export interface ArchiveEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export function archiveSegmentName(from: number): string {
  return `segments/${String(from).padStart(COMMIT_DIGITS, "0")}.jsonl`;
}

export function archiveBlobName(sha256: string): string {
  return `blobs/${sha256}`;
}

// --- Export ---------------------------------------------------------------------------------

export interface ArchivedCommit {
  readonly commit: number;
  readonly lines: readonly string[];
}

/** The entries of an archive, one in memory at a time. `commits` come in order, each with at least one line. */
export async function* archiveEntries(
  entity: string,
  commits: AsyncIterable<ArchivedCommit>,
  blobs: AsyncIterable<Uint8Array>,
  digest: Digest,
): AsyncGenerator<ArchiveEntry> {
  const manifest: ArchiveManifest = { format: 1, entity, events: 0, segments: [], blobs: [] };
  for await (const { segment, bytes } of archiveSegments(commits, digest)) {
    manifest.segments.push(segment);
    manifest.events += segment.lines;
    yield { name: archiveSegmentName(segment.from), bytes };
  }
  for await (const bytes of blobs) {
    const sha256 = hex(digest.sha256(bytes));
    manifest.blobs.push({ sha256, bytes: bytes.length });
    yield { name: archiveBlobName(sha256), bytes };
  }
  yield { name: ARCHIVE_MANIFEST_NAME, bytes: encoder.encode(canonicalJson(manifest)) };
}

/** Gathers commits until the next would make a file larger than ARCHIVE_BATCH_BYTES. */
async function* archiveSegments(commits: AsyncIterable<ArchivedCommit>, digest: Digest) {
  let gathered: ArchivedCommit[] = [];
  let texts: Uint8Array[] = [];
  let size = 0;
  for await (const commit of commits) {
    const text = encoder.encode(commit.lines.map((line) => `${line}\n`).join(""));
    if (gathered.length > 0 && size + text.length > ARCHIVE_BATCH_BYTES) {
      yield archiveSegment(gathered, texts, digest);
      [gathered, texts, size] = [[], [], 0];
    }
    gathered.push(commit);
    texts.push(text);
    size += text.length;
  }
  if (gathered.length > 0) yield archiveSegment(gathered, texts, digest);
}

function archiveSegment(commits: readonly ArchivedCommit[], texts: readonly Uint8Array[], digest: Digest) {
  const bytes = joinBytes(texts);
  const segment: ArchiveSegment = {
    from: commits[0]?.commit ?? 0,
    to: commits.at(-1)?.commit ?? 0,
    lines: commits.reduce((sum, commit) => sum + commit.lines.length, 0),
    bytes: bytes.length,
    sha256: hex(digest.sha256(bytes)),
  };
  return { segment, bytes };
}

// --- Import ---------------------------------------------------------------------------------

/** The manifest of an archive that has exactly the entries `names`; refused by the name of what is missing or unknown. */
export function readArchiveManifest(bytes: Uint8Array, names: Iterable<string>): Result<ArchiveManifest> {
  const manifest = parseManifest(bytes);
  if (manifest === null) return refused(ARCHIVE_MANIFEST_NAME, "is not the manifest of an export");
  const found = new Set(names);
  const listed = [
    ARCHIVE_MANIFEST_NAME,
    ...manifest.segments.map(({ from }) => archiveSegmentName(from)),
    ...manifest.blobs.map(({ sha256 }) => archiveBlobName(sha256)),
  ];
  const missing = listed.find((name) => !found.has(name));
  if (missing !== undefined) return refused(missing, "is missing");
  const known = new Set(listed);
  const unknown = [...found].find((name) => !known.has(name));
  if (unknown !== undefined) return refused(unknown, "is not in the manifest");
  return ok(manifest);
}

function parseManifest(bytes: Uint8Array): ArchiveManifest | null {
  try {
    const manifest = archiveManifestSchema.parse(JSON.parse(decoder.decode(bytes)));
    return inOrder(manifest) ? manifest : null;
  } catch {
    return null;
  }
}

/** Ranges ascend and do not overlap, blobs are listed once, and the count is the sum. */
function inOrder({ segments, blobs, events }: ArchiveManifest): boolean {
  const ascending = segments.every(({ from, to }, i) => from <= to && from > (segments[i - 1]?.to ?? 0));
  const once = new Set(blobs.map(({ sha256 }) => sha256)).size === blobs.length;
  return ascending && once && events === segments.reduce((sum, { lines }) => sum + lines, 0);
}

/** The lines of a listed segment; refused by its name when they are not what was exported. */
export function readArchiveSegment(segment: ArchiveSegment, bytes: Uint8Array, digest: Digest): Result<string[]> {
  const name = archiveSegmentName(segment.from);
  if (bytes.length !== segment.bytes || hex(digest.sha256(bytes)) !== segment.sha256) {
    return refused(name, "does not have the digest in the manifest");
  }
  const lines = linesOf(bytes);
  return lines !== null && lines.length === segment.lines
    ? ok(lines)
    : refused(name, "does not have the lines in the manifest");
}

/** Refuses a listed blob by its name when it is not what was exported. */
export function checkArchiveBlob(blob: ArchiveBlob, bytes: Uint8Array, digest: Digest): Result<null> {
  if (bytes.length === blob.bytes && hex(digest.sha256(bytes)) === blob.sha256) return ok(null);
  return refused(archiveBlobName(blob.sha256), "does not have the digest in its name");
}

function refused(name: string, problem: string): Result<never> {
  return fail(unprocessable(name, problem));
}
