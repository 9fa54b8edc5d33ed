/** Searches against the log: the hits are those of their snapshot, whatever the layout, and staleness is what is said. */

import type { CallOf } from "./history.ts";
import { AT_LAST, isBeingRedacted } from "./ledger.ts";
import { expectedHits, foundIn } from "./oracle.ts";
import { answered, erasedBefore, forgivenMs, isBefore, positionOf, shown, type Told } from "./told.ts";
import type { Violation } from "./violation.ts";

export function checkSearches(told: Told): readonly Violation[] {
  const known = new Map<string, { readonly id: number; readonly found: string }>();
  return answered(told, "search").flatMap(({ call, value }): Violation[] => {
    const violations: Violation[] = [];
    const refuse = (invariant: string, what: string): void => {
      violations.push({ invariant, what: `call ${call.id} of ${told.scope}: ${what}` });
    };
    const { body, foreign } = call.request;
    const { incarnation, commit, redacted, name } = positionOf(value.snapshot);
    const found = foundIn(value.hits);
    if (foreign && body.snapshot !== undefined)
      refuse("tenancy", "a snapshot of another tenant was taken for one of this");
    if (positionOf(value.token).commit !== commit || positionOf(value.token).incarnation !== incarnation)
      refuse("tokens name what they say", `snapshot ${value.snapshot} and token ${value.token}`);
    if (typeof body.snapshot === "string" && positionOf(body.snapshot).name !== name)
      refuse("snapshots reproduce", `asked for ${body.snapshot}, answered ${value.snapshot}`);
    const wrong = value.hits.find(
      ({ citation, attributes }) =>
        !citation.segment.startsWith(`tenants/${call.tenant}/`) ||
        !String(attributes?.by).match(`^(${call.tenant}|another)\\.`),
    );
    if (wrong !== undefined) refuse("tenancy", `${wrong.id} is of another tenant`);
    const { snapshot: _, at_least: __, consistency: ___, ...asked } = body;
    const question = `${name} ${redacted} ${JSON.stringify(asked)}`;
    const before = known.get(question);
    if (before !== undefined && before.found !== found.join("\n"))
      refuse("snapshots reproduce", `other hits than call ${before.id} had at the same snapshot`);
    known.set(question, { id: call.id, found: found.join("\n") });
    const ledger = told.ledgers.of(told.scope, incarnation);
    const log = ledger?.at(redacted) ?? null;
    const isKnown = (ledger?.commits.length ?? 0) >= commit && (log?.unknownFrom ?? AT_LAST) > commit;
    if ((commit === 0 || isKnown) && !isBeingRedacted(ledger, redacted)) {
      const expected = expectedHits(log, commit, body);
      if (expected !== null && expected.join("\n") !== found.join("\n"))
        refuse(
          "answers are those of the log",
          `at ${shown({ incarnation, commit })} ${JSON.stringify(asked)}: ${differenceOf(expected, found)}`,
        );
    }
    const erasedMs = erasedBefore(told, call, incarnation);
    if (erasedMs !== null && call.invokedMs > erasedMs + forgivenMs(value))
      refuse("erased stays erased", `${shown({ incarnation, commit })} is of what was erased before`);
    if (!told.isSkewed && body.consistency === "eventual" && body.snapshot === undefined) {
      const staleMs = leastStaleMs(told, call, { incarnation, commit });
      if (value.staleMs < staleMs)
        refuse("staleness is said", `stale for ${value.staleMs} ms, and at least ${staleMs}`);
    }
    return violations;
  });
}

/** Clocks have whole milliseconds. */
const ROUNDING_MS = 2;

/** The first write that was acknowledged before and is not seen was acknowledged so long ago. */
function leastStaleMs(
  told: Told,
  call: CallOf<"search">,
  seen: { readonly incarnation: number; readonly commit: number },
): number {
  const missed = answered(told, "append").filter(({ call: append, value }) => {
    const position = positionOf(value.token);
    return append.replied < call.invoked && position.incarnation === seen.incarnation && isBefore(seen, position);
  });
  return Math.max(0, ...missed.map(({ call: append }) => Math.floor(call.invokedMs - append.repliedMs) - ROUNDING_MS));
}

function differenceOf(expected: readonly string[], found: readonly string[]): string {
  const at = expected.findIndex((hit, index) => hit !== found[index]);
  const index = at === -1 ? expected.length : at;
  return `hit ${index + 1} is ${found[index] ?? "missing"}, not ${expected[index] ?? "there"}`;
}
