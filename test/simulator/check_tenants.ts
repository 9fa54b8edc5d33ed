/**
 * Searches over whole tenants against the logs of their entities: nothing is made up, what was erased or redacted stays
 * so, what they say that they saw they saw, and snapshots reproduce. When all have had their time the answer is that of
 * one log with everything that is live.
 */
import type { SearchHit } from "../../core/rpc.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import type { ScopeSearchAnswer } from "../../core/scope/scope_rpc.ts";
import { type Call, type CallOf, callsOf, type History } from "./history.ts";
import { AT_LAST, type Ledgers, placeOfSegment } from "./ledger.ts";
import { expectedOfTenant } from "./oracle.ts";
import { answered, type Circumstances, erasedBefore, positionOf } from "./told.ts";
import type { Violation } from "./violation.ts";

interface Tenant {
  readonly tenant: string;
  readonly calls: readonly Call[];
  readonly ledgers: Ledgers;
  readonly circumstances: Circumstances;
}

interface Answer {
  readonly call: CallOf<"tenant_search">;
  readonly value: ScopeSearchAnswer;
}

export function checkTenants(history: History, ledgers: Ledgers, circumstances: Circumstances): readonly Violation[] {
  const tenants = new Set(circumstances.scopes.map(({ tenant }) => tenant));
  return [...tenants].flatMap((tenant) => {
    const calls = history.calls.filter((call) => call.tenant === tenant);
    const told = { tenant, calls, ledgers, circumstances };
    const answers = answered({ calls }, "tenant_search");
    return [
      ...answers.flatMap((answer) => [...checkHits(told, answer), ...checkSeen(told, answer)]),
      ...checkRepeats(answers),
      ...checkProgress(answers),
      ...callsOf({ calls }, "tenant_search").flatMap((call) => checkFailure(told, call)),
      ...checkSettled(told, answers),
    ].map(({ invariant, what }) => ({ invariant, what: `${tenant}: ${what}` }));
  });
}

function isStrong({ request }: CallOf<"tenant_search">): boolean {
  return request.body.consistency === "strong";
}

/** Each hit is of an event that stands in the log of its entity, and was neither erased nor redacted before. */
function checkHits(told: Tenant, { call, value }: Answer): readonly Violation[] {
  return value.hits.flatMap((hit): Violation[] => {
    const { incarnation = 0, commit = 0 } = placeOfSegment(hit.citation.segment) ?? {};
    const scope = `${told.tenant}/${hit.entity}`;
    const own = told.calls.filter(({ entity }) => entity === hit.entity);
    const refuse = (invariant: string, why: string) => [
      { invariant, what: `call ${call.id} finds ${hit.id} of ${hit.entity}, ${why}` },
    ];
    const folder = `tenants/${told.tenant}/entities/${encodeURIComponent(hit.entity)}/`;
    if (!hit.citation.segment.startsWith(folder)) return refuse("tenancy", `cited as ${hit.citation.segment}`);
    if (erasedBefore({ calls: own }, call, incarnation) !== null)
      return refuse("erased stays erased", "which was erased before");
    const isRedacted = answered({ calls: own }, "redact").some(
      ({ call: redact, value: { token } }) =>
        redact.replied < call.invoked &&
        redact.request.ids.includes(hit.id) &&
        token !== null &&
        positionOf(token).incarnation === incarnation,
    );
    if (isRedacted) return refuse("redacted stays redacted", "which was redacted before");
    if (value.coverage.kind === "summaries") return [];
    return isInLog(told.ledgers, scope, incarnation, commit, hit)
      ? []
      : refuse("nothing is made up", "as nobody sent it");
  });
}

function isInLog(ledgers: Ledgers, scope: string, incarnation: number, commit: number, hit: SearchHit): boolean {
  const text = ledgers.of(scope, incarnation)?.firstText(commit, hit.citation.line - 1) ?? null;
  if (text === null) return true;
  const event = JSON.parse(text) as StoredEvent;
  return event.id === hit.id && event.attributes?.by === hit.attributes?.by;
}

/** Clocks have whole milliseconds. */
const ROUNDING_MS = 2;

/** Of what was acknowledged before the moment that the answer names, and withdrawn by nobody, it misses nothing. */
function checkSeen(told: Tenant, { call, value }: Answer): readonly Violation[] {
  const { kind, asOf } = value.coverage;
  if (told.circumstances.isSkewed || kind === "summaries" || call.request.body.snapshot !== undefined) return [];
  const isSeen = (append: CallOf<"append">): boolean =>
    isStrong(call)
      ? append.replied < call.invoked
      : asOf !== null && told.circumstances.epochMs + append.repliedMs < asOf - ROUNDING_MS;
  const found = new Set(value.hits.map(({ entity, attributes }) => `${entity} ${String(attributes?.by)}`));
  const words = new Set(String(call.request.body.text).split(" "));
  words.delete("the");
  return answered({ calls: told.calls }, "append").flatMap(({ call: append, value: { eventIds, conflicts } }) => {
    if (!isSeen(append) || append.replied >= call.invoked) return [];
    const missed = append.request.events.find(
      ({ text, attributes }, index) =>
        (text ?? "").split(" ").some((word) => words.has(word)) &&
        !conflicts.includes(eventIds[index] ?? "") &&
        !isTouched(told, append, eventIds[index] ?? "") &&
        !found.has(`${append.entity} ${attributes.by}`),
    );
    if (missed === undefined) return [];
    const what = `call ${call.id} misses ${missed.attributes.by} of ${append.entity}, which call ${append.id} had acknowledged`;
    return [{ invariant: isStrong(call) ? "read your writes" : "staleness is said", what }];
  });
}

/** Somebody asked at any time that it be no more. */
function isTouched({ calls }: Tenant, { entity, request }: CallOf<"append">, id: string): boolean {
  const isRepeated =
    calls.filter((call) => call.request.type === "append" && call.request.body === request.body).length > 1;
  return (
    isRepeated ||
    calls.some(
      ({ entity: other, request: asked }) =>
        other === entity &&
        ((asked.type === "job" && asked.job === "erase") ||
          (asked.type === "withdraw" && asked.id === id) ||
          (asked.type === "redact" && asked.ids.includes(id))),
    )
  );
}

function checkRepeats(answers: readonly Answer[]): readonly Violation[] {
  const known = new Map<string, { readonly id: number; readonly found: string }>();
  return answers.flatMap(({ call, value }) => {
    if (isStrong(call)) return [];
    const { snapshot: _, ...asked } = call.request.body;
    const question = `${value.snapshot} ${value.coverage.kind} ${JSON.stringify(asked)}`;
    const found = foundIn(value.hits).join("\n");
    const before = known.get(question);
    known.set(question, { id: call.id, found });
    if (before === undefined || before.found === found) return [];
    const what = `call ${call.id} has other hits than call ${before.id} had at the same snapshot`;
    return [{ invariant: "snapshots reproduce", what }];
  });
}

function foundIn(hits: readonly SearchHit[]): readonly string[] {
  return hits.map(({ entity, id, chunk, score }) => `${score} ${entity} ${id} ${chunk}`);
}

const CHECK_BYTES = 8;

/** What an answer covers only grows, and an index that was built anew says so. */
function checkProgress(answers: readonly Answer[]): readonly Violation[] {
  const fresh = answers
    .filter(({ call }) => !isStrong(call) && call.request.body.snapshot === undefined)
    .map(({ call, value }) => {
      const json = Buffer.from(value.snapshot.slice(1), "base64url").subarray(CHECK_BYTES).toString();
      const [, incarnation, events, summaries] = JSON.parse(json) as [string, number, number, number];
      return { call, incarnation, events, summaries };
    });
  return fresh.flatMap((later) => {
    const earlier = fresh.find(
      ({ call, incarnation, events, summaries }) =>
        call.replied < later.call.invoked &&
        (incarnation > later.incarnation ||
          (incarnation === later.incarnation && (events > later.events || summaries > later.summaries))),
    );
    if (earlier === undefined) return [];
    return [
      { invariant: "coverage only grows", what: `call ${later.call.id} covers less than call ${earlier.call.id} did` },
    ];
  });
}

function checkFailure(
  { calls }: Tenant,
  { id, request, reply, isFinal }: CallOf<"tenant_search">,
): readonly Violation[] {
  const isSilent = reply.kind === "unknown" || (reply.kind === "failed" && reply.failure.reason === "unavailable");
  if (isSilent && isFinal)
    return [{ invariant: "what failed comes back", what: `call ${id} is not answered though nothing fails any more` }];
  if (isSilent || reply.kind !== "failed" || reply.failure.reason === "rate_limited") return [];
  const { reason } = reply.failure;
  const isPinned = request.body.snapshot !== undefined;
  const isGone = calls.some(
    ({ request: asked }) => asked.type === "redact" || (asked.type === "job" && asked.job === "erase"),
  );
  // Without an index there is nothing to search; of one that was there before, a snapshot may be newer.
  const mayFail =
    (reason === "conflict" && request.body.consistency !== "strong") ||
    (reason === "snapshot_expired" && isPinned) ||
    (reason === "snapshot_erased" && isGone);
  return mayFail ? [] : [{ invariant: "refusals have a reason", what: `call ${id}: ${JSON.stringify(reply.failure)}` }];
}

/** The first answer after everything had its time, where the index holds all events and nothing waits or was given up. */
function checkSettled(
  { tenant, ledgers, circumstances, calls }: Tenant,
  answers: readonly Answer[],
): readonly Violation[] {
  const last = answers.find(({ call }) => call.isFinal && !isStrong(call));
  if (last === undefined || last.value.coverage.kind !== "full" || last.value.coverage.waitingEntities > 0) return [];
  const isGivenUp = answered({ calls }, "status").some(({ call, value }) => call.isFinal && value.sealed !== null);
  if (isGivenUp) return [];
  const logs = circumstances.scopes
    .filter((scope) => scope.tenant === tenant)
    .map(({ entity }) => {
      const own = calls.filter((call) => call.entity === entity && call.isFinal);
      const position = answered({ calls: own }, "search").map(({ value }) => positionOf(value.snapshot))[0];
      const ledger = position === undefined ? null : ledgers.of(`${tenant}/${entity}`, position.incarnation);
      return { entity, log: ledger?.at(AT_LAST) ?? null, commit: position?.commit ?? 0 };
    });
  if (logs.some(({ log, commit }) => commit > 0 && log === null)) return [];
  const expected = expectedOfTenant(logs, String(last.call.request.body.text)).toSorted();
  const found = foundIn(last.value.hits).toSorted();
  const at = expected.findIndex((hit, index) => hit !== found[index]);
  if (at === -1 && expected.length === found.length) return [];
  const what = `call ${last.call.id}: ${found.length} hits, not ${expected.length}: ${found[Math.max(0, at)]}, not ${expected[at]}`;
  return [{ invariant: "answers are those of the log", what }];
}
