/**
 * Search answers as the wire writes them.
 */
import type { z } from "zod";
import type { SearchAnswer, SearchHit } from "../../../core/rpc.ts";
import type { hitSchema, searchAnswerSchema, tenantSearchAnswerSchema } from "../../../core/schema/search_answer.ts";
import type { ScopeSearchAnswer } from "../../../core/scope/scope_rpc.ts";
import { coverageWire } from "../coverage_wire.ts";

interface Shown {
  readonly explain: boolean;
  readonly totalMs: number;
}

export function tenantSearchWire(answer: ScopeSearchAnswer, shown: Shown): z.infer<typeof tenantSearchAnswerSchema> {
  return { ...searchWire(answer, shown), coverage: coverageWire(answer.coverage) };
}

export function searchWire(answer: SearchAnswer, shown: Shown): z.infer<typeof searchAnswerSchema> {
  return {
    hits: answer.hits.map(hitWire),
    snapshot: answer.snapshot,
    token: answer.token,
    stale_ms: answer.staleMs,
    index: { unindexed_events: answer.unindexedEvents },
    performance: {
      cache: answer.cache,
      plan: answer.plan,
      ...(shown.explain ? { plan_reason: answer.planReason } : {}),
      candidates: answer.candidates,
      total_ms: shown.totalMs,
    },
    ...(shown.explain ? { resolved: answer.resolved } : {}),
    ...(answer.degraded.length === 0 ? {} : { degraded: answer.degraded }),
  };
}

/** Fields that the request did not ask for are not there, rather than null. */
function hitWire(hit: SearchHit): z.infer<typeof hitSchema> {
  return {
    entity: hit.entity,
    id: hit.id,
    chunk: hit.chunk,
    ts: hit.ts,
    kind: hit.kind,
    score: hit.score,
    scores: hit.scores,
    ...(hit.text === undefined ? {} : { text: hit.text }),
    ...(hit.attributes === undefined ? {} : { attributes: hit.attributes }),
    citation: { segment: hit.citation.segment, line: hit.citation.line },
    ...(hit.explain === undefined ? {} : { explain: hit.explain }),
  };
}
