/**
 * What an export reads: the log's segments in commit order, then the raw documents. One object in memory at a time.
 * A segment that is not what was written breaks the export off: half an archive that looks whole would be worse.
 */
import { type ArchivedCommit, type ArchiveEntry, archiveEntries } from "../../../core/log/archive.ts";
import { blobsPrefix } from "../../../core/log/keys.ts";
import { readSegment, type SegmentPorts } from "../../../core/log/segment.ts";
import type { TenantStore } from "../../../core/ports.ts";
import { segmentMetadataSchema } from "../../../core/schema/stored.ts";

export interface ExportedSegment {
  readonly commit: number;
  readonly segment: string;
}

export function exportEntries(
  store: TenantStore,
  entity: string,
  segments: readonly ExportedSegment[],
  ports: SegmentPorts,
): AsyncGenerator<ArchiveEntry> {
  return archiveEntries(entity, commitsOf(store, segments, ports), blobsOf(store, entity), ports.digest);
}

async function* commitsOf(
  store: TenantStore,
  segments: readonly ExportedSegment[],
  ports: SegmentPorts,
): AsyncGenerator<ArchivedCommit> {
  for (const { commit, segment } of segments) {
    const object = await store.get(segment);
    if (object === null) throw new Error(`the segment of commit ${commit} is not there`);
    const metadata = segmentMetadataSchema.safeParse(object.metadata);
    const lines = readSegment(segment, object.bytes, ports, metadata.success ? metadata.data : null);
    if (!lines.ok) throw new Error(`the segment of commit ${commit} is not what was written`);
    yield { commit, lines: lines.value };
  }
}

async function* blobsOf(store: TenantStore, entity: string): AsyncGenerator<Uint8Array> {
  let cursor: string | null = null;
  do {
    const page = await store.list(blobsPrefix(entity), cursor);
    for (const { key } of page.objects) {
      const blob = await store.get(key);
      if (blob !== null) yield blob.bytes;
    }
    cursor = page.cursor;
  } while (cursor !== null);
}
