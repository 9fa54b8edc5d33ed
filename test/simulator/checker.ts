/**
 * Judges a history: requests, replies, their order, and kills. It knows nothing of what is inside.
 *
 * Each entity is a register whose value only grows: its position (incarnation, last commit). Tokens and snapshots say
 * which positions replies are of, so what is left to decide of linearizability is whether those are in an order that the
 * callers could have seen: whatever is answered before another request begins has to be visible to it, what a reply
 * shows has to be the log at its position, and a commit that did not exist then is later than it (linear.ts). What each
 * kind of reply says is compared with the log, as exported, by naive definitions (ledger.ts, oracle.ts).
 */
import { checkAppends } from "./check_appends.ts";
import { checkEnd } from "./check_end.ts";
import { checkFailures } from "./check_failures.ts";
import { checkRedactions } from "./check_redactions.ts";
import { checkSearches } from "./check_searches.ts";
import { checkTenants } from "./check_tenants.ts";
import type { History } from "./history.ts";
import { Ledgers } from "./ledger.ts";
import { checkOrder } from "./linear.ts";
import type { Circumstances } from "./told.ts";
import type { Violation } from "./violation.ts";

export function check(history: History, circumstances: Circumstances): readonly Violation[] {
  const { isSkewed, isDamaged } = circumstances;
  const ledgers = new Ledgers(history);
  return [
    ...ledgers.violations,
    ...circumstances.scopes.flatMap(({ tenant, entity }) => {
      const calls = history.calls.filter((call) => call.tenant === tenant && call.entity === entity);
      const kills = history.kills.filter(({ object }) => object === `${tenant}/${entity}`);
      const told = { scope: `${tenant}/${entity}`, calls, kills, ledgers, isSkewed, isDamaged };
      return [checkOrder, checkAppends, checkSearches, checkRedactions, checkFailures].flatMap((judge) => judge(told));
    }),
    ...checkTenants(history, ledgers, circumstances),
    ...checkEnd(history, ledgers, circumstances),
  ];
}
