/**
 * A segment's facts as they lie in its metadata, so that a log can be adopted from the store alone.
 */
import type { PreparedLine } from "../../core/rpc.ts";
import {
  type SegmentFacts,
  type SegmentMetadata,
  segmentMetadataSchema,
  storedSegmentMetadata,
} from "../../core/schema/stored.ts";
import type { TailCommit } from "./state.ts";

export function metadataRecord(
  facts: TailCommit,
  incarnation: number,
  lines: readonly PreparedLine[],
): Record<string, string> {
  let minTs = Number.POSITIVE_INFINITY;
  let maxTs = Number.NEGATIVE_INFINITY;
  for (const { tsMs } of lines) {
    minTs = Math.min(minTs, tsMs);
    maxTs = Math.max(maxTs, tsMs);
  }
  return storedSegmentMetadata({ ...facts, incarnation, minTs, maxTs });
}

/** null when it is not what `metadataRecord` writes. */
export function parseMetadata(metadata: Readonly<Record<string, string>>): SegmentMetadata | null {
  const parsed = segmentMetadataSchema.safeParse(metadata);
  return parsed.success ? parsed.data : null;
}

export function tailCommit(commit: number, segment: string, metadata: SegmentFacts): TailCommit {
  const { sha256, arrivalMs, lines, rawBytes, vectors, dimensions, vectorBytes } = metadata;
  return { commit, segment, sha256, arrivalMs, lines, rawBytes, vectors, dimensions, vectorBytes };
}
