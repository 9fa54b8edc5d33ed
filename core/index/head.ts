/**
 * How a head changes. Indexers propose, the entity's object decides with this check: a proposal that was planned
 * against another head than the current one is discarded, never united with it. What lies in the store is read and
 * written by schema/stored.ts.
 */
import { fail, ok, type Result } from "../errors.ts";
import { type Head, type ShardEntry, tiles } from "../schema/stored.ts";
import type { Part, PartVectors } from "./part.ts";

export interface HeadProposal {
  readonly incarnation: number;
  readonly revision: string;
  /** The head it was planned against; 0 when there was none. */
  readonly baseVersion: number;
  /** Shards at the end of that head whose place the new ones take. */
  readonly replaces: number;
  /** At least one, in ledger order. */
  readonly shards: readonly ShardEntry[];
}

/** A shard as the head lists it. `sha256` is of its bytes. */
export function shardEntry(part: Part, sha256: string): ShardEntry {
  return {
    from: part.from,
    to: part.to,
    sha256,
    bytes: part.bytes,
    hotBytes: part.hotBytes,
    vectorBytes: bytesOfVectors(part.vectors.supplied) + bytesOfVectors(part.vectors.embedded),
    events: part.rows,
    chunks: part.documents,
    minTs: part.times?.min ?? null,
    maxTs: part.times?.max ?? null,
  };
}

function bytesOfVectors(vectors: PartVectors | null): number {
  if (vectors === null) return 0;
  const { codes, residuals, graph } = vectors.sections;
  return codes.length + residuals.length + (graph?.length ?? 0);
}

/**
 * The next head, or why the proposal cannot become it.
 * @param current null when the entity has no head of this incarnation
 * @param lastCommit s: nothing beyond it can be indexed
 */
export function applyHead(current: Head | null, proposal: HeadProposal, lastCommit: number): Result<Head> {
  const refuse = (detail: string): Result<Head> => fail({ reason: "conflict", detail });
  const shards = current?.shards ?? [];
  const version = current?.version ?? 0;
  if (proposal.baseVersion !== version)
    return refuse(`The proposal is for head ${proposal.baseVersion}; the head is ${version}.`);
  if (current !== null && proposal.incarnation !== current.incarnation)
    return refuse("The proposal is for another incarnation.");
  const { replaces } = proposal;
  if (!Number.isInteger(replaces) || replaces < 0 || replaces > shards.length) {
    return refuse(`The proposal replaces ${replaces} of ${shards.length} shards.`);
  }
  const kept = shards.slice(0, shards.length - replaces);
  if (kept.length > 0 && proposal.revision !== current?.revision) return refuse("The proposal mixes two revisions.");
  const covered = proposal.shards.at(-1)?.to ?? 0;
  if (covered < (current?.covered ?? 0)) return refuse(`The proposal covers less than the head.`);
  if (covered > lastCommit) return refuse(`The proposal covers commit ${covered}; the last one is ${lastCommit}.`);
  const next = [...kept, ...proposal.shards];
  if (proposal.shards.length === 0 || !tiles(next, covered))
    return refuse("The shards of the proposal do not fit the head's.");
  const { incarnation, revision } = proposal;
  return ok({ version: version + 1, incarnation, revision, covered, shards: next });
}
