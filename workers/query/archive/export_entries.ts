/**
 * What an export reads: the log's segments in commit order, then the raw documents. A few objects in memory at a time.
 * A segment that is not what was written breaks the export off: half an archive that looks whole would be worse. What is
 * found before the first entry is answered by name instead, as it is for every log of less than ARCHIVE_BATCH_BYTES.
 */
import { type Failure, fail, ok, type Result } from "../../../core/errors.ts";
import { type ArchivedCommit, type ArchiveEntry, archiveEntries } from "../../../core/log/archive.ts";
import { blobKey, blobsPrefix } from "../../../core/log/keys.ts";
import { readSegments } from "../../../core/log/read_segments.ts";
import type { SegmentPorts } from "../../../core/log/segment.ts";
import { hex } from "../../../core/log/text_encoding.ts";
import type { TenantStore } from "../../../core/ports.ts";

export interface ExportedSegment {
  readonly commit: number;
  readonly segment: string;
}

/** Thrown through the entries of an archive: they are a stream, which cannot end with a failure. */
class BrokenExport extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super("an object is missing, or is not what was written");
    this.failure = failure;
  }
}

export async function exportEntries(
  store: TenantStore,
  entity: string,
  segments: readonly ExportedSegment[],
  ports: SegmentPorts,
): Promise<Result<AsyncGenerator<ArchiveEntry>>> {
  const entries = archiveEntries(
    entity,
    commitsOf(store, segments, ports),
    blobsOf(store, entity, ports),
    ports.digest,
  );
  try {
    const first = await entries.next();
    return ok(begunWith(first, entries));
  } catch (cause) {
    if (cause instanceof BrokenExport) return fail(cause.failure);
    throw cause;
  }
}

async function* begunWith(
  first: IteratorResult<ArchiveEntry>,
  rest: AsyncGenerator<ArchiveEntry>,
): AsyncGenerator<ArchiveEntry> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

async function* commitsOf(
  store: TenantStore,
  segments: readonly ExportedSegment[],
  ports: SegmentPorts,
): AsyncGenerator<ArchivedCommit> {
  for await (const found of readSegments({ ...ports, store }, segments)) {
    if (!found.ok) throw new BrokenExport(found.failure);
    yield { commit: found.value.wanted.commit, lines: found.value.lines };
  }
}

async function* blobsOf(store: TenantStore, entity: string, { digest }: SegmentPorts): AsyncGenerator<Uint8Array> {
  let cursor: string | null = null;
  do {
    const page = await store.list(blobsPrefix(entity), cursor);
    for (const { key } of page.objects) {
      const blob = await store.get(key);
      if (blob === null || key !== blobKey(entity, hex(digest.sha256(blob.bytes))))
        throw new BrokenExport({ reason: "corrupt", what: key });
      yield blob.bytes;
    }
    cursor = page.cursor;
  } while (cursor !== null);
}
