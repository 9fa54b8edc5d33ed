/**
 * Measures an entity's recall: its newest events become queries, each run with the default plan and with `exact`.
 * Where every plan is exact the answer is 1 by construction; it says something once there are approximate ones.
 */
import { ok, type Result } from "../../../core/errors.ts";
import { QUERY_TEXT_BYTES_MAX } from "../../../core/limits.ts";
import type { Clock } from "../../../core/ports.ts";
import type { EntityApi, EntityScope, SearchAnswer, SearchCommand } from "../../../core/rpc.ts";
import type { StoredEvent } from "../../../core/schema/event.ts";
import { type SearchRequest, searchBodySchema } from "../../../core/schema/search.ts";

export interface RecallMeasure {
  readonly recall: number;
  readonly approximateMs: number;
  readonly exactMs: number;
  readonly samples: number;
}

/** A query of this many characters stays a short one in every script. */
const QUERY_CHARACTERS_MAX = Math.min(200, QUERY_TEXT_BYTES_MAX / 4);

export async function measureRecall(
  entity: EntityApi,
  scope: EntityScope,
  asked: { readonly samples: number; readonly topK: number; readonly bm25: SearchCommand["bm25"] },
  clock: Clock,
): Promise<Result<RecallMeasure>> {
  const newest = { from: null, to: null, kind: null, session: null, order: "desc", cursor: null } as const;
  const page = await entity.timeline({ scope, ...newest, limit: asked.samples });
  if (!page.ok) return page;
  if (page.value.events.length === 0) {
    const known = await entity.status(scope);
    if (!known.ok) return known;
  }
  const search: Search = (request) => entity.search({ scope, request, bm25: asked.bm25 });
  let found = 0;
  let wanted = 0;
  let approximateMs = 0;
  let exactMs = 0;
  let samples = 0;
  for (const event of page.value.events) {
    const request = queryOf(event, asked.topK);
    if (request === null) continue;
    const approximate = await timed(search, request, clock);
    if (!approximate.ok) return approximate;
    const exact = await timed(search, { ...request, exact: true }, clock);
    if (!exact.ok) return exact;
    const hits = new Set(approximate.value.answer.hits.map(nameOfHit));
    wanted += exact.value.answer.hits.length;
    found += exact.value.answer.hits.filter((hit) => hits.has(nameOfHit(hit))).length;
    approximateMs += approximate.value.ms;
    exactMs += exact.value.ms;
    samples++;
  }
  const mean = (sum: number) => (samples === 0 ? 0 : sum / samples);
  const recall = wanted === 0 ? 1 : found / wanted;
  return ok({ recall, approximateMs: mean(approximateMs), exactMs: mean(exactMs), samples });
}

/** The event's own vector where it has one, else the beginning of its text. */
function queryOf(event: StoredEvent, topK: number): SearchRequest | null {
  const text = [...(event.text ?? "")].slice(0, QUERY_CHARACTERS_MAX).join("");
  if (event.vector === undefined && text.trim() === "") return null;
  const side = event.vector === undefined ? { text } : { vector: event.vector };
  return searchBodySchema.parse({ ...side, top_k: topK, include: [] });
}

type Search = (request: SearchRequest) => ReturnType<EntityApi["search"]>;

async function timed(
  search: Search,
  request: SearchRequest,
  clock: Clock,
): Promise<Result<{ readonly answer: SearchAnswer; readonly ms: number }>> {
  const from = clock.now();
  const answer = await search(request);
  return answer.ok ? ok({ answer: answer.value, ms: clock.now() - from }) : answer;
}

function nameOfHit(hit: { readonly id: string; readonly chunk: number }): string {
  return `${hit.chunk}:${hit.id}`;
}
