/**
 * What an export reads: the log's segments in commit order, then the raw documents. A few objects in memory at a time.
 * A segment that is not what was written breaks the export off: half an archive that looks whole would be worse.
 */
import { type ArchivedCommit, type ArchiveEntry, archiveEntries } from "../../../core/log/archive.ts";
import { blobsPrefix } from "../../../core/log/keys.ts";
import { readSegments } from "../../../core/log/read_segments.ts";
import type { SegmentPorts } from "../../../core/log/segment.ts";
import type { TenantStore } from "../../../core/ports.ts";

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
  for await (const found of readSegments({ ...ports, store }, segments)) {
    if (!found.ok) throw new Error("a segment is missing, or is not what was written");
    yield { commit: found.value.wanted.commit, lines: found.value.lines };
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
