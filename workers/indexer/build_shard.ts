/**
 * One piece of index work: read the lines, build the shard, put it under its digest.
 * The object that asked re-reads and verifies it, so nothing here is trusted further than its bytes.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { draftPart, finishPart, type PartDraft } from "../../core/index/build_part.ts";
import { commitsOf, openPart } from "../../core/index/open_part.ts";
import type { CommitLines, RecordedVectors } from "../../core/index/part.ts";
import { SHARD_BYTES_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { shardKey } from "../../core/log/keys.ts";
import { readSegment } from "../../core/log/segment.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { TenantStore } from "../../core/ports.ts";
import type { IndexWork } from "../../core/rpc.ts";
import { withGraphs } from "./graphs.ts";
import type { BuildPorts } from "./ports.ts";
import { recordedVectors } from "./recorded_vectors.ts";
import { whileItStands } from "./while_it_stands.ts";

/** The digest that names the shard. */
export async function buildShard(ports: BuildPorts, work: IndexWork): Promise<Result<string>> {
  const store = ports.store.forTenant(work.scope.tenant);
  const own = ports.embedder?.id ?? "none";
  if (own !== work.revision.embedder) {
    const what = `EMBEDDER differs: the indexer has ${own}, the objects ${work.revision.embedder}.`;
    return fail({ reason: "unavailable", what, retryAfterSeconds: 1 });
  }
  const commits = await readCommits(ports, store, work);
  if (!commits.ok) return commits;
  const recorded = await recordedVectors(ports, store, work, commits.value);
  if (!recorded.ok) return recorded;
  const draft = draftOf(ports, work, commits.value, recorded.value);
  if (!draft.ok) return draft;
  const graphed = await withGraphs(ports, work, draft.value);
  if (!graphed.ok) return graphed;
  const bytes = finishPart(draft.value, graphed.value.vectors, ports.checksum);
  if (bytes.length > SHARD_BYTES_MAX) {
    return fail({ reason: "too_large", what: "The shard", size: bytes.length, max: SHARD_BYTES_MAX, unit: "bytes" });
  }
  const sha256 = hex(ports.digest.sha256(bytes));
  // Named by its bytes, so a put over a copy that was damaged mends it.
  const put = await whileItStands(ports, work, () => store.put(shardKey(work.scope.entity, sha256), bytes));
  if (!put.ok) return put;
  if (graphed.value.states.length > 0) await store.delete(graphed.value.states);
  return ok(sha256);
}

/** What the builder throws (more distinct terms than it has room for) is the fault of this work, whoever does it. */
function draftOf(
  ports: BuildPorts,
  { incarnation, revision }: IndexWork,
  commits: readonly CommitLines[],
  recorded: RecordedVectors | null,
): Result<PartDraft> {
  const embedder = ports.embedder?.kind === "local" ? ports.embedder : null;
  try {
    return ok(draftPart({ incarnation, revision, commits, recorded }, { ...ports, embedder }));
  } catch (cause) {
    logFault("build_failed", cause);
    return fail({ reason: "internal" });
  }
}

async function readCommits(
  ports: BuildPorts,
  store: TenantStore,
  work: IndexWork,
): Promise<Result<readonly CommitLines[]>> {
  const reads = [
    ...work.shards.map((shard) => () => readShard(ports, store, work.scope.entity, shard.sha256)),
    ...work.segments.map((segment) => () => readOne(ports, store, segment)),
  ];
  const commits: CommitLines[] = [];
  for (let start = 0; start < reads.length; start += STORE_CONCURRENCY_MAX) {
    const results = await Promise.all(reads.slice(start, start + STORE_CONCURRENCY_MAX).map((read) => read()));
    for (const result of results) {
      if (!result.ok) return result;
      commits.push(...result.value);
    }
  }
  return ok(commits);
}

async function readShard(
  ports: BuildPorts,
  store: TenantStore,
  entity: string,
  sha256: string,
): Promise<Result<readonly CommitLines[]>> {
  const key = shardKey(entity, sha256);
  const stored = await store.get(key);
  if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
  const part = openPart(stored.bytes, ports);
  return part.ok ? ok(commitsOf(part.value)) : part;
}

async function readOne(
  ports: BuildPorts,
  store: TenantStore,
  segment: IndexWork["segments"][number],
): Promise<Result<readonly CommitLines[]>> {
  const stored = await store.get(segment.segment);
  if (stored === null) return fail({ reason: "corrupt", what: `Segment ${segment.segment}: it is missing` });
  const lines = readSegment(segment.segment, stored.bytes, ports, segment);
  if (!lines.ok) return lines;
  return ok([{ commit: segment.commit, segment: segment.segment, arrivalMs: segment.arrivalMs, lines: lines.value }]);
}
