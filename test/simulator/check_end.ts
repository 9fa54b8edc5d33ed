/** What must be true when nothing fails any more and everything had its time: nothing waits, or it is named. */
import type { EntityStatus } from "../../core/rpc.ts";
import { type CallOf, callsOf, type History } from "./history.ts";
import { type Ledgers, liveEvents, placeOfSegment } from "./ledger.ts";
import type { Circumstances } from "./told.ts";
import { answered, isUncertain, positionOf } from "./told.ts";
import type { Violation } from "./violation.ts";

export function checkEnd(
  history: History,
  ledgers: Ledgers,
  { isSkewed, scopes }: Circumstances,
): readonly Violation[] {
  const violations: Violation[] = [];
  const final = { calls: history.calls.filter(({ isFinal }) => isFinal) };
  const events = new Map<string, number>();
  const positions = new Map<string, { incarnation: number; commit: number }>();
  for (const { tenant, entity } of scopes) {
    const scope = `${tenant}/${entity}`;
    const calls = final.calls.filter((call) => call.tenant === tenant && call.entity === entity);
    const position = answered({ calls }, "search").map(({ value }) => positionOf(value.snapshot))[0];
    if (position === undefined) continue;
    positions.set(scope, position);
    const lines = ledgers.through(scope, position.incarnation, position.commit);
    if (lines === null)
      violations.push({
        invariant: "durable before acknowledged",
        what: `${scope} has no log up to ${position.commit}`,
      });
    else events.set(scope, liveEvents(lines).length);
    // The first of them: later ones are asked after everything was lost once more.
    const status = callsOf({ calls }, "status")[0]?.reply;
    if (status?.kind === "ok") violations.push(...checkIndexed(scope, status.value));
    const [bucket] = answered({ calls }, "bucket");
    if (bucket !== undefined && !isSkewed) violations.push(...checkErased(scope, position, bucket.value));
  }
  for (const { call, value } of answered(final, "entities")) violations.push(...checkListed(call, value, events));
  for (const { call, value } of answered(final, "tenant_status")) {
    const isNamed = value.deadLetters > 0 || value.sealed > 0;
    // A write that nobody heard of may have been put; the next write finds out.
    const lost = value.waiting.filter(
      ({ entity, unindexedEvents }) => unindexedEvents > 0 || !isUncertain(history, call.tenant, entity),
    );
    if (lost.length > 0 && !isNamed)
      violations.push({
        invariant: "nothing is lost silently",
        what: `${call.tenant}: ${JSON.stringify(value.waiting)} wait for nothing`,
      });
    const live = [...events].filter(([scope, count]) => scope.startsWith(`${call.tenant}/`) && count > 0).length;
    if (value.entities !== live)
      violations.push({
        invariant: "counts are right",
        what: `${call.tenant} has ${value.entities} entities, not ${live}`,
      });
  }
  for (const { call, value } of answered(final, "jobs")) {
    const open = value.filter(({ status }) => status === "queued" || status === "running");
    if (open.length > 0)
      violations.push({
        invariant: "nothing is lost silently",
        what: `${call.tenant}: ${JSON.stringify(open)} never ended`,
      });
  }
  return violations;
}

function checkIndexed(scope: string, { shards, sealed, unindexedEvents, commits }: EntityStatus): readonly Violation[] {
  if (sealed !== null) return [];
  let covered = 0;
  for (const { from, to } of shards) {
    if (from !== covered + 1)
      return [{ invariant: "nothing is lost silently", what: `${scope}: the shards do not tile the log` }];
    covered = to;
  }
  if (covered === commits && unindexedEvents === 0) return [];
  return [
    {
      invariant: "nothing is lost silently",
      what: `${scope}: ${covered} of ${commits} commits are indexed, and nothing says why`,
    },
  ];
}

/** Of an incarnation that was erased nothing is left but the mark. */
function checkErased(
  scope: string,
  { incarnation, commit }: { incarnation: number; commit: number },
  keys: readonly string[],
): readonly Violation[] {
  const left = keys.filter((key) => {
    const place = placeOfSegment(key);
    return place === null
      ? commit === 0 && incarnation > 1 && !key.endsWith("/erased.json")
      : place.incarnation < incarnation;
  });
  return left.length === 0 ? [] : [{ invariant: "erased stays erased", what: `${scope}: ${left.join()}` }];
}

function checkListed(
  call: CallOf<"entities">,
  listed: readonly { entity: string; events: number }[],
  events: ReadonlyMap<string, number>,
): readonly Violation[] {
  const expected = [...events]
    .filter(([scope, count]) => scope.startsWith(`${call.tenant}/`) && count > 0)
    .map(([scope, count]) => `${scope.slice(call.tenant.length + 1)}: ${count}`);
  const found = listed.map(({ entity, events: count }) => `${entity}: ${count}`);
  if (expected.toSorted().join() === found.toSorted().join()) return [];
  return [{ invariant: "counts are right", what: `${call.tenant} lists ${found.join()}, not ${expected.join()}` }];
}
