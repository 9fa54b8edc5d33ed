/**
 * The logs of a history, as their owners read them: every export is of one incarnation, and all exports of one
 * incarnation tell the same of the commits that they share.
 */
import type { CommitLines } from "../../core/index/part.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import type { CallOf, ExportedCommit, History } from "./history.ts";
import type { Violation } from "./violation.ts";

export interface LedgerLine {
  readonly event: StoredEvent;
  /** Of the commit. */
  readonly commit: number;
  /** The id of the event that it withdraws; null when it is no tombstone. */
  readonly withdraws: string | null;
}

/** The commits of one incarnation that are known; there may be more. */
export interface Ledger {
  readonly commits: readonly ExportedCommit[];
  readonly lines: readonly LedgerLine[];
  readonly asParts: readonly CommitLines[];
}

const SEGMENT = /(\d{6})-(\d{12})\.jsonl\.zst$/;

/** Incarnation and commit that a segment's key names; null when it names none. */
export function placeOfSegment(key: string): { readonly incarnation: number; readonly commit: number } | null {
  const [, incarnation, commit] = SEGMENT.exec(key) ?? [];
  return incarnation === undefined ? null : { incarnation: Number(incarnation), commit: Number(commit) };
}

/** By scope and incarnation. */
export class Ledgers {
  readonly violations: Violation[] = [];
  readonly #ledgers = new Map<string, Ledger>();

  constructor(history: History) {
    for (const call of history.callsOf("export")) if (call.reply.kind === "ok") this.#take(call, call.reply.value);
  }

  of(scope: string, incarnation: number): Ledger | null {
    return this.#ledgers.get(`${scope} ${incarnation}`) ?? null;
  }

  /** The lines of commits up to `commit`; null when not all are known. */
  through(scope: string, incarnation: number, commit: number): readonly LedgerLine[] | null {
    if (commit === 0) return [];
    const ledger = this.of(scope, incarnation);
    if (ledger === null || ledger.commits.length < commit) return null;
    return ledger.lines.filter((line) => line.commit <= commit);
  }

  #take({ id, tenant, entity }: CallOf<"export">, commits: readonly ExportedCommit[]): void {
    const scope = `${tenant}/${entity}`;
    const [first] = commits;
    const incarnation = first === undefined ? null : placeOfSegment(first.segment)?.incarnation;
    const isWhole = commits.every((commit, index) => {
      const place = placeOfSegment(commit.segment);
      return commit.commit === index + 1 && place?.commit === commit.commit && place.incarnation === incarnation;
    });
    if (!isWhole || incarnation === undefined) {
      this.violations.push({
        invariant: "one log",
        what: `call ${id}: the segments are not those of one incarnation, from commit 1 on`,
      });
      return;
    }
    if (incarnation === null) return;
    const known = this.of(scope, incarnation);
    const shared = Math.min(known?.commits.length ?? 0, commits.length);
    if (JSON.stringify(known?.commits.slice(0, shared) ?? []) !== JSON.stringify(commits.slice(0, shared)))
      this.violations.push({ invariant: "one log", what: `call ${id}: commits are not what they were` });
    if (known === null || known.commits.length < commits.length)
      this.#ledgers.set(`${scope} ${incarnation}`, ledgerOf(commits));
  }
}

function ledgerOf(commits: readonly ExportedCommit[]): Ledger {
  const lines = commits.flatMap(({ commit, lines: texts }) =>
    texts.map((text): LedgerLine => {
      const event = JSON.parse(text) as StoredEvent;
      const target = event.relations?.find(({ type }) => type === "withdraws")?.target ?? null;
      return { event, commit, withdraws: event.kind === "tombstone" ? target : null };
    }),
  );
  const asParts = commits.map((commit) => ({ ...commit, arrivalMs: 0 }));
  return { commits, lines, asParts };
}

/** Events that are live after these lines, tombstones left out, in order of position: the first of an id, unless withdrawn. */
export function liveEvents(lines: readonly LedgerLine[]): readonly StoredEvent[] {
  const withdrawn = new Set(lines.map(({ withdraws }) => withdraws));
  const seen = new Set<string>();
  return lines.flatMap(({ event, withdraws }) => {
    const isFirst = !seen.has(event.id);
    seen.add(event.id);
    return isFirst && withdraws === null && !withdrawn.has(event.id) ? [event] : [];
  });
}
