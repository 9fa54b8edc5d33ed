/** How much of a tenant an answer was searched for in, as the wire writes it. */
import type { z } from "zod";
import { formatTime } from "../../core/schema/scalar.ts";
import type { coverageSchema } from "../../core/schema/search_answer.ts";
import type { ScopeCoverage } from "../../core/scope/scope_rpc.ts";

export function coverageWire(coverage: ScopeCoverage): z.infer<typeof coverageSchema> {
  const { kind, statistics, entities, knownEntities, waitingEntities, unindexedEvents, asOf } = coverage;
  return {
    kind,
    statistics,
    entities,
    known_entities: knownEntities,
    waiting_entities: waitingEntities,
    unindexed_events: unindexedEvents,
    as_of: asOf === null ? null : formatTime(asOf),
  };
}
