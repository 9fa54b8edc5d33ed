/**
 * One piece of index work: read the lines, build the shard, put it under its digest.
 * The object that asked re-reads and verifies it, so nothing here is trusted further than its bytes.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { draftPart, finishPart, type PartDraft } from "../../core/index/build_part.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { CommitLines, Part, PartSource } from "../../core/index/part.ts";
import { SHARD_BYTES_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { shardKey } from "../../core/log/keys.ts";
import { readSegments } from "../../core/log/read_segments.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { TenantStore } from "../../core/ports.ts";
import type { IndexWork } from "../../core/rpc.ts";
import { withGraphs } from "./graphs.ts";
import type { BuildPorts } from "./ports.ts";
import { recordedVectors } from "./recorded_vectors.ts";
import { standingOf, whileItStands } from "./while_it_stands.ts";

/** The digest that names the shard. */
export async function buildShard(ports: BuildPorts, work: IndexWork): Promise<Result<string>> {
  const store = ports.store.forTenant(work.scope.tenant);
  const own = ports.embedder?.id ?? "none";
  if (own !== work.revision.embedder) {
    const what = `EMBEDDER differs: the indexer has ${own}, the objects ${work.revision.embedder}.`;
    return fail({ reason: "unavailable", what, retryAfterSeconds: 1 });
  }
  const source = await readSource(ports, store, work);
  if (!source.ok) return source;
  const draft = draftOf(ports, source.value);
  if (!draft.ok) return draft;
  const graphed = await withGraphs(ports, work, draft.value);
  if (!graphed.ok) return graphed;
  const bytes = finishPart(draft.value, graphed.value.vectors, ports.checksum);
  if (bytes.length > SHARD_BYTES_MAX) {
    return fail({ reason: "too_large", what: "The shard", size: bytes.length, max: SHARD_BYTES_MAX, unit: "bytes" });
  }
  const sha256 = hex(ports.digest.sha256(bytes));
  // Named by its bytes, so a put over a copy that was damaged mends it.
  const put = await whileItStands(ports, standingOf(work), () => store.put(shardKey(work.scope.entity, sha256), bytes));
  if (!put.ok) return put;
  if (graphed.value.states.length > 0) await store.delete(graphed.value.states);
  return ok(sha256);
}

/** What the builder throws (more distinct terms than it has room for) is the fault of this work, whoever does it. */
function draftOf(ports: BuildPorts, source: PartSource): Result<PartDraft> {
  const embedder = ports.embedder?.kind === "local" ? ports.embedder : null;
  try {
    return ok(draftPart(source, { ...ports, embedder }));
  } catch (cause) {
    logFault("build_failed", cause);
    return fail({ reason: "internal" });
  }
}

async function readSource(ports: BuildPorts, store: TenantStore, work: IndexWork): Promise<Result<PartSource>> {
  const { incarnation, revision, scope } = work;
  const merged = await inWaves(work.shards, ({ sha256 }) => readShard(ports, store, scope.entity, sha256));
  if (!merged.ok) return merged;
  const commits = await readCommits(ports, store, work.segments);
  if (!commits.ok) return commits;
  const recorded = await recordedVectors(ports, store, standingOf(work), commits.value);
  if (!recorded.ok) return recorded;
  return ok({ incarnation, revision, merged: merged.value, commits: commits.value, recorded: recorded.value });
}

/** As many at once as may wait for the store. */
async function inWaves<From, To>(
  from: readonly From[],
  read: (one: From) => Promise<Result<To>>,
): Promise<Result<readonly To[]>> {
  const all: To[] = [];
  for (let start = 0; start < from.length; start += STORE_CONCURRENCY_MAX) {
    for (const result of await Promise.all(from.slice(start, start + STORE_CONCURRENCY_MAX).map(read))) {
      if (!result.ok) return result;
      all.push(result.value);
    }
  }
  return ok(all);
}

async function readShard(ports: BuildPorts, store: TenantStore, entity: string, sha256: string): Promise<Result<Part>> {
  const key = shardKey(entity, sha256);
  const stored = await store.get(key);
  return stored === null ? fail({ reason: "corrupt", what: `${key}: it is missing` }) : openPart(stored.bytes, ports);
}

async function readCommits(
  ports: BuildPorts,
  store: TenantStore,
  segments: IndexWork["segments"],
): Promise<Result<readonly CommitLines[]>> {
  const arrivals = new Map(segments.map(({ commit, arrivalMs }) => [commit, arrivalMs]));
  const wanted = segments.map(({ commit, segment, sha256, lines }) => ({
    commit,
    segment,
    expected: { sha256, lines },
  }));
  const commits: CommitLines[] = [];
  for await (const found of readSegments({ ...ports, store }, wanted)) {
    if (!found.ok) return found;
    const { commit, segment } = found.value.wanted;
    commits.push({ commit, segment, arrivalMs: arrivals.get(commit) ?? 0, lines: found.value.lines });
  }
  return ok(commits);
}
