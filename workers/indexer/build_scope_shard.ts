/**
 * One shard of a tenant's index: the lines of entities' segments, or summaries of entities, and the shards whose place it
 * takes. As with an entity's shard, the object that asked re-reads and verifies it.
 *
 * Shards are merged as they are, vectors and all, unless something in them is dead: what was erased, and summaries that
 * were overtaken. Then their lines are built anew without it, each line that has a vector from its segment, since parts
 * keep no digits.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { commitsOf, openPart } from "../../core/index/open_part.ts";
import type { CommitLines, Part, PartSource, RecordedVectors } from "../../core/index/part.ts";
import { BUILD_RAW_BYTES_MAX, SHARD_BYTES_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { scopeShardKey } from "../../core/log/keys.ts";
import { isWhole, parseLine } from "../../core/log/line.ts";
import { readSegment } from "../../core/log/segment.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { TenantStore } from "../../core/ports.ts";
import { segmentMetadataSchema } from "../../core/schema/stored.ts";
import { deadCommits, erasedAmong, lifeOf, NO_SEGMENT } from "../../core/scope/scope_head.ts";
import type { ScopeWork } from "../../core/scope/scope_rpc.ts";
import { scopedLine } from "../../core/scope/scoped_line.ts";
import { summaryLines } from "../../core/scope/summary_lines.ts";
import type { ScopeBuildPorts } from "./ports.ts";
import { recordedVectors } from "./recorded_vectors.ts";

export interface BuiltShard {
  readonly sha256: string;
  /** Segments that could not be read. */
  readonly unreadable: readonly string[];
}

/** What is built from: the lines as they go into the shard, and, of events, the lines of the segments they came from. */
interface TakenLines {
  readonly commits: readonly CommitLines[];
  readonly unreadable: readonly string[];
}

type PlannedCommit = ScopeWork["commits"][number];

export async function buildScopeShard(ports: ScopeBuildPorts, work: ScopeWork): Promise<Result<BuiltShard>> {
  const store = ports.store.forTenant(work.tenant);
  const own = ports.embedder?.id ?? "none";
  if (own !== work.revision.embedder) {
    const what = `EMBEDDER differs: the indexer has ${own}, the objects ${work.revision.embedder}.`;
    return fail({ reason: "unavailable", what, retryAfterSeconds: 1 });
  }
  const merged = await inWaves(work.shards, ({ dayMs, sha256 }) =>
    readShard(ports, store, scopeShardKey(dayMs, sha256)),
  );
  if (!merged.ok) return merged;
  const source = await sourceOf(ports, store, work, merged.value);
  if (!source.ok) return source;
  const bytes = built(ports, source.value.source);
  if (!bytes.ok) return bytes;
  if (bytes.value.length > SHARD_BYTES_MAX) {
    const size = bytes.value.length;
    return fail({ reason: "too_large", what: "The shard", size, max: SHARD_BYTES_MAX, unit: "bytes" });
  }
  const sha256 = hex(ports.digest.sha256(bytes.value));
  await store.put(scopeShardKey(work.dayMs, sha256), bytes.value);
  return ok({ sha256, unreadable: source.value.unreadable });
}

async function sourceOf(
  ports: ScopeBuildPorts,
  store: TenantStore,
  work: ScopeWork,
  parts: readonly Part[],
): Promise<Result<{ readonly source: PartSource; readonly unreadable: readonly string[] }>> {
  const fresh = work.layer === "events" ? await readEvents(ports, store, work.commits) : await summarise(ports, work);
  if (!fresh.ok) return fresh;
  const dead = deadCommits(parts, work.layer, erasedAmong(work.erased), Number.POSITIVE_INFINITY);
  const isAlive = dead.every((commits) => commits.size === 0);
  const rewritten = isAlive ? ok([]) : await rewrite(ports, store, parts, dead);
  if (!rewritten.ok) return rewritten;
  const commits = [...rewritten.value, ...fresh.value.commits];
  const recorded = work.layer === "events" ? await recordedOf(ports, store, work.tenant, commits) : ok(null);
  if (!recorded.ok) return recorded;
  const { incarnation, revision } = work;
  const source = { incarnation, revision, merged: isAlive ? parts : [], commits, recorded: recorded.value };
  return ok({ source, unreadable: fresh.value.unreadable });
}

/** What the builder throws (more distinct terms than it has room for) is the fault of this work, whoever does it. */
function built(ports: ScopeBuildPorts, source: PartSource): Result<Uint8Array> {
  const embedder = ports.embedder?.kind === "local" ? ports.embedder : null;
  try {
    return ok(buildPart(source, { ...ports, embedder }));
  } catch (cause) {
    logFault("build_failed", cause);
    return fail({ reason: "internal" });
  }
}

// --- Events ---------------------------------------------------------------------------------

/** As many from the start as one build takes; at least one. */
async function readEvents(
  ports: ScopeBuildPorts,
  store: TenantStore,
  planned: readonly PlannedCommit[],
): Promise<Result<TakenLines>> {
  const commits: CommitLines[] = [];
  const unreadable: string[] = [];
  let rawBytes = 0;
  for (let start = 0; start < planned.length && rawBytes < BUILD_RAW_BYTES_MAX; start += STORE_CONCURRENCY_MAX) {
    const wave = planned.slice(start, start + STORE_CONCURRENCY_MAX);
    const read = await Promise.all(wave.map((commit) => readScoped(ports, store, commit)));
    for (const [index, lines] of read.entries()) {
      const commit = wave[index];
      if (commit === undefined) continue;
      if (lines === null) unreadable.push(commit.segment);
      rawBytes += (lines ?? []).reduce((bytes, line) => bytes + line.length, 0);
      commits.push(lines === null ? emptied(commit) : { ...commit, lines });
    }
  }
  return ok({ commits, unreadable });
}

/** null when there is no such segment, or it is damaged: it holds up nobody else's. */
async function readScoped(
  ports: ScopeBuildPorts,
  store: TenantStore,
  commit: PlannedCommit,
): Promise<readonly string[] | null> {
  const life = lifeOf(commit);
  if (life === null) return [];
  const lines = await readWhole(ports, store, commit.segment);
  return lines?.map((line) => scopedLine(line, life)) ?? null;
}

async function readWhole(
  ports: ScopeBuildPorts,
  store: TenantStore,
  segment: string,
): Promise<readonly string[] | null> {
  const stored = await store.get(segment);
  if (stored === null) return null;
  const facts = segmentMetadataSchema.safeParse(stored.metadata);
  const lines = readSegment(segment, stored.bytes, ports, facts.success ? facts.data : null);
  return lines.ok ? lines.value : null;
}

function emptied({ commit }: PlannedCommit): CommitLines {
  return { commit, segment: NO_SEGMENT, arrivalMs: 0, lines: [] };
}

/**
 * What a remote embedder made of the entities' documents, from the outputs of each; null when it is none. Runs of commits
 * that follow each other in one entity were embedded together.
 */
async function recordedOf(
  ports: ScopeBuildPorts,
  store: TenantStore,
  tenant: string,
  commits: readonly CommitLines[],
): Promise<Result<RecordedVectors | null>> {
  if (ports.embedder?.kind !== "remote") return ok(null);
  const vectors: (Float32Array | null)[] = [];
  for (const run of runsOf(commits)) {
    const [first] = run;
    const life = first === undefined ? null : lifeOf(first);
    if (first === undefined || life === null) continue;
    const scope = { tenant, entity: life.entity };
    const numbered = run.map((commit, index) => ({ ...commit, commit: life.commit + index }));
    const piece = { scope, incarnation: life.incarnation, from: life.commit };
    const made = await recordedVectors(ports, store, piece, numbered);
    if (!made.ok) return made;
    vectors.push(...(made.value ?? []));
  }
  return ok(vectors);
}

function runsOf(commits: readonly CommitLines[]): readonly (readonly CommitLines[])[] {
  const runs: CommitLines[][] = [];
  for (const commit of commits) {
    const last = runs.at(-1)?.at(-1);
    if (last !== undefined && follows(last, commit)) runs.at(-1)?.push(commit);
    else runs.push([commit]);
  }
  return runs;
}

function follows(before: CommitLines, after: CommitLines): boolean {
  const [a, b] = [lifeOf(before), lifeOf(after)];
  if (a === null || b === null) return false;
  return a.entity === b.entity && a.incarnation === b.incarnation && a.commit + 1 === b.commit;
}

// --- Summaries ------------------------------------------------------------------------------

async function summarise(ports: ScopeBuildPorts, { tenant, commits }: ScopeWork): Promise<Result<TakenLines>> {
  const taken: CommitLines[] = [];
  for (const commit of commits) {
    const life = lifeOf(commit);
    const scope = { tenant, entity: life?.entity ?? "" };
    const sources = life === null ? ok(null) : await ports.entity(scope).summarySources(scope, life.incarnation);
    if (!sources.ok) return sources;
    if (life === null || sources.value === null) {
      taken.push(emptied(commit));
      continue;
    }
    const lines = await summaryLines(life, life.commit, sources.value, ports.summarizer);
    if (!lines.ok) return lines;
    taken.push({ ...commit, lines: lines.value });
  }
  return ok({ commits: taken, unreadable: [] });
}

// --- Shards that hold what is dead ----------------------------------------------------------

async function rewrite(
  ports: ScopeBuildPorts,
  store: TenantStore,
  parts: readonly Part[],
  dead: readonly ReadonlySet<number>[],
): Promise<Result<readonly CommitLines[]>> {
  const commits = parts.flatMap((part, index) =>
    commitsOf(part).map((commit) => (dead[index]?.has(commit.commit) === true ? emptied(commit) : commit)),
  );
  return inWaves(commits, (commit) => withDigits(ports, store, commit));
}

/** The lines of a commit as its segment has them, where a part leaves digits out. */
async function withDigits(
  ports: ScopeBuildPorts,
  store: TenantStore,
  commit: CommitLines,
): Promise<Result<CommitLines>> {
  const life = lifeOf(commit);
  const isKept = (line: string): boolean => {
    const { vector } = parseLine(line);
    return vector !== undefined && !isWhole(vector);
  };
  if (life === null || !commit.lines.some(isKept)) return ok(commit);
  const lines = await readWhole(ports, store, commit.segment);
  if (lines === null) return fail({ reason: "corrupt", what: `Segment ${commit.segment}` });
  return ok({ ...commit, lines: lines.map((line) => scopedLine(line, life)) });
}

async function readShard(ports: ScopeBuildPorts, store: TenantStore, key: string): Promise<Result<Part>> {
  const stored = await store.get(key);
  return stored === null ? fail({ reason: "corrupt", what: `${key}: it is missing` }) : openPart(stored.bytes, ports);
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
