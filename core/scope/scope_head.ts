/**
 * What a tenant's index is made of: two logs, each of commits that are an entity's, numbered in the order in which they
 * were taken in.
 *
 *   events      every line of every entity: commit n is one segment of one entity
 *   summaries   what was made of an entity's text: commit n is all summaries of one entity at some commit of it
 *
 * Both lie in shards over contiguous ranges, made and searched as an entity's are. A head lists the shards of both, and
 * the lives of entities that were erased: what the shards still hold of them is neither searched nor counted, and goes
 * when the shard is next built.
 */
import { fail, ok, type Result } from "../errors.ts";
import type { Part, PartCommit } from "../index/part.ts";
import { parseSegmentKey } from "../log/keys.ts";
import type { EntityLife } from "./scoped_line.ts";

export const LAYERS = ["events", "summaries"] as const;
export type LayerName = (typeof LAYERS)[number];

/** Stands in for the segment of a commit of which nothing is left. */
export const NO_SEGMENT = "erased";

export interface ScopeShard {
  readonly from: number;
  readonly to: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly hotBytes: number;
  readonly vectorBytes: number;
  readonly events: number;
  readonly chunks: number;
  /** Midnight UTC of the day on which its newest commit was taken in. */
  readonly dayMs: number;
  /** Holds rows of what was erased. */
  readonly stale: boolean;
}

/** Incarnations of the entity before `below` are erased. */
export interface Erased {
  readonly entity: string;
  readonly below: number;
}

export interface ScopeHead {
  readonly version: number;
  /** Of the two logs: the numbering begins anew with each. */
  readonly incarnation: number;
  readonly revision: string;
  /** How many erasures it has seen. */
  readonly erasures: number;
  readonly erased: readonly Erased[];
  /** Overtaken summaries up to this commit were dropped: a snapshot that sees fewer of them has expired. */
  readonly summariesFrom: number;
  /** The shards of a layer tile commits 1 to the last one's `to`. */
  readonly layers: Readonly<Record<LayerName, readonly ScopeShard[]>>;
}

export function coveredBy(shards: readonly Pick<ScopeShard, "to">[]): number {
  return shards.at(-1)?.to ?? 0;
}

/** The shards with one more, in the place of those whose range it covers; a conflict when it does not fit between them. */
export function withShard(shards: readonly ScopeShard[], shard: ScopeShard): Result<readonly ScopeShard[]> {
  const before = shards.filter(({ to }) => to < shard.from);
  const after = shards.filter(({ from }) => from > shard.to);
  const replaced = shards.slice(before.length, shards.length - after.length);
  const fits =
    coveredBy(before) === shard.from - 1 &&
    (after[0]?.from ?? shard.to + 1) === shard.to + 1 &&
    replaced.every(({ from, to }) => from >= shard.from && to <= shard.to);
  if (!fits) return fail({ reason: "conflict", detail: "The shard does not fit between the others." });
  return ok([...before, shard, ...after]);
}

/** Whose a commit is; null when nothing is left of it. */
export function lifeOf({ segment }: Pick<PartCommit, "segment">): (EntityLife & { readonly commit: number }) | null {
  return parseSegmentKey(segment);
}

export function erasedAmong(erased: readonly Erased[]): (life: EntityLife) => boolean {
  const below = new Map(erased.map((one) => [one.entity, one.below]));
  return ({ entity, incarnation }) => incarnation < (below.get(entity) ?? 0);
}

/**
 * Which commits of each part are dead: hidden, or, of summaries, overtaken by a later one of the same entity up to
 * commit `through`.
 */
export function deadCommits(
  parts: readonly Pick<Part, "commits">[],
  layer: LayerName,
  isHidden: (life: EntityLife) => boolean,
  through: number,
): readonly ReadonlySet<number>[] {
  const newest = new Set<string>();
  const dead = parts.map(() => new Set<number>());
  for (let index = parts.length - 1; index >= 0; index -= 1) {
    for (const commit of [...(parts[index]?.commits ?? [])].reverse()) {
      if (commit.commit > through) continue;
      const life = lifeOf(commit);
      if (life === null) continue;
      const overtaken = layer === "summaries" && newest.has(life.entity);
      if (isHidden(life) || overtaken) dead[index]?.add(commit.commit);
      else newest.add(life.entity);
    }
  }
  return dead;
}
