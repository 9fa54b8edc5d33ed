/**
 * The logs of a history, as their owners read them: every export is of one incarnation, and all exports of one
 * incarnation tell the same of the commits that they share, but for lines that were redacted in between. Of those the
 * ledger keeps both: what they said, if any export has it, and which commits record their redaction.
 */
import type { CommitLines } from "../../core/index/part.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import { type CallOf, callsOf, type ExportedCommit, type History } from "./history.ts";
import type { Violation } from "./violation.ts";

export interface LedgerLine {
  readonly event: StoredEvent;
  /** Of the commit. */
  readonly commit: number;
  /** The id of the event that it withdraws; null when it withdraws none. */
  readonly withdraws: string | null;
  /** The ids whose redaction it records. */
  readonly redacts: readonly string[];
}

/** The log as it was when the redaction that commit `redacted` records was the last. */
export interface LedgerView {
  readonly lines: readonly LedgerLine[];
  readonly asParts: readonly CommitLines[];
  /** The first commit of which it is not known what it said then; Infinity: of all it is. */
  readonly unknownFrom: number;
}

/** A commit that records a redaction, and the ids that it names. */
export interface Redaction {
  readonly commit: number;
  readonly ids: readonly string[];
}

/** As the log was at last. */
export const AT_LAST = Number.POSITIVE_INFINITY;

const SEGMENT = /(\d{6})-(\d{12})\.jsonl\.zst$/;

/** Incarnation and commit that a segment's key names; null when it names none. */
export function placeOfSegment(key: string): { readonly incarnation: number; readonly commit: number } | null {
  const [, incarnation, commit] = SEGMENT.exec(key) ?? [];
  return incarnation === undefined ? null : { incarnation: Number(incarnation), commit: Number(commit) };
}

/** The commits of one incarnation that are known; there may be more. */
export class Ledger {
  readonly redactions: readonly Redaction[];
  readonly #commits: readonly ExportedCommit[];
  /** By commit and line: what it said before it was redacted. */
  readonly #before: ReadonlyMap<string, string>;
  readonly #views = new Map<number, LedgerView>();

  constructor(commits: readonly ExportedCommit[], before: ReadonlyMap<string, string>) {
    this.#commits = commits;
    this.#before = before;
    this.redactions = commits.flatMap(({ commit, lines }) =>
      lines.flatMap((line): Redaction[] => {
        const ids = targetsOf(JSON.parse(line) as StoredEvent, "redacts");
        return ids.length === 0 ? [] : [{ commit, ids }];
      }),
    );
  }

  get commits(): readonly ExportedCommit[] {
    return this.#commits;
  }

  /** What the line said at first; null when no export has it. */
  firstText(commit: number, index: number): string | null {
    const text = this.#commits[commit - 1]?.lines[index] ?? null;
    return text === null || !isRedacted(text) ? text : (this.#before.get(`${commit} ${index}`) ?? null);
  }

  at(redacted: number): LedgerView {
    const known = this.#views.get(redacted) ?? this.#read(redacted);
    this.#views.set(redacted, known);
    return known;
  }

  #read(redacted: number): LedgerView {
    let unknownFrom = Number.POSITIVE_INFINITY;
    const asParts = this.#commits.map(({ commit, segment, lines }) => ({
      commit,
      segment,
      arrivalMs: 0,
      lines: lines.map((last, index) => {
        const text = this.#textAt(redacted, commit, index, last);
        if (text === null) unknownFrom = Math.min(unknownFrom, commit);
        return text ?? last;
      }),
    }));
    const lines = asParts.flatMap(({ commit, lines: texts }) =>
      texts.map((text): LedgerLine => {
        const event = JSON.parse(text) as StoredEvent;
        const withdraws = targetsOf(event, "withdraws")[0] ?? null;
        return { event, commit, withdraws, redacts: targetsOf(event, "redacts") };
      }),
    );
    return { lines, asParts, unknownFrom };
  }

  /** null: not known. A redaction may have been recorded by an instance that lost it, and again when it was done. */
  #textAt(redacted: number, commit: number, index: number, last: string): string | null {
    const { id } = JSON.parse(last) as StoredEvent;
    const records = this.redactions.filter((record) => record.commit > commit && record.ids.includes(id));
    const [first] = records;
    if (redacted === AT_LAST || (first === undefined && !isRedacted(last))) return last;
    if (first === undefined || redacted < first.commit) return this.firstText(commit, index);
    return records.every((record) => record.commit <= redacted) && isRedacted(last) ? last : null;
  }
}

/** Which of the lines that are about to go are gone is not known, and nobody can ask for this snapshot again. */
export function isBeingRedacted(ledger: Ledger | null, redacted: number): boolean {
  return ledger?.redactions.some(({ commit }) => commit === redacted + 1) ?? false;
}

/** By scope and incarnation. */
export class Ledgers {
  readonly violations: Violation[] = [];
  readonly #ledgers = new Map<string, Ledger>();
  readonly #before = new Map<string, Map<string, string>>();

  constructor(history: History) {
    for (const call of callsOf(history, "export")) if (call.reply.kind === "ok") this.#take(call, call.reply.value);
  }

  of(scope: string, incarnation: number): Ledger | null {
    return this.#ledgers.get(`${scope} ${incarnation}`) ?? null;
  }

  /** The lines of commits up to `commit`; null when not all are known. */
  through(scope: string, incarnation: number, commit: number, redacted = AT_LAST): readonly LedgerLine[] | null {
    if (commit === 0) return [];
    const ledger = this.of(scope, incarnation);
    if (ledger === null || ledger.commits.length < commit) return null;
    const { lines, unknownFrom } = ledger.at(redacted);
    return unknownFrom <= commit ? null : lines.filter((line) => line.commit <= commit);
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
    const name = `${scope} ${incarnation}`;
    const known = this.of(scope, incarnation)?.commits ?? [];
    const before = this.#before.get(name) ?? new Map<string, string>();
    this.#before.set(name, before);
    const longer = commits.length > known.length ? commits : known;
    const united = longer.map((commit, at) => unitedOf(commit, commits[at], known[at], before));
    if (united.includes(null))
      this.violations.push({ invariant: "one log", what: `call ${id}: commits are not what they were` });
    else this.#ledgers.set(name, new Ledger(united as ExportedCommit[], before));
  }
}

/** A commit as two exports have it, with what is redacted in either; null when they are not of the same. */
function unitedOf(
  commit: ExportedCommit,
  a: ExportedCommit | undefined,
  b: ExportedCommit | undefined,
  before: Map<string, string>,
): ExportedCommit | null {
  if (a === undefined || b === undefined) return commit;
  if (a.segment !== b.segment || a.lines.length !== b.lines.length) return null;
  let isSame = true;
  const lines = a.lines.map((line, index) => {
    const other = b.lines[index] ?? "";
    if (line === other) return line;
    const [said, left] = isRedacted(other) ? [line, other] : [other, line];
    isSame &&= isRedacted(left) && isLeftOf(left, said);
    before.set(`${commit.commit} ${index}`, said);
    return left;
  });
  return isSame ? { ...commit, lines } : null;
}

/** Of a line that was redacted its id and time are left. */
function isRedacted(text: string): boolean {
  return Object.keys(JSON.parse(text) as StoredEvent).join() === "id,kind,ts" && kindOf(text) === "tombstone";
}

function kindOf(text: string): string {
  return (JSON.parse(text) as StoredEvent).kind;
}

function isLeftOf(left: string, said: string): boolean {
  const [a, b] = [JSON.parse(left) as StoredEvent, JSON.parse(said) as StoredEvent];
  return a.id === b.id && a.ts === b.ts && b.kind !== "tombstone";
}

function targetsOf({ kind, relations }: StoredEvent, type: string): readonly string[] {
  if (kind !== "tombstone") return [];
  return (relations ?? []).flatMap((relation) => (relation.type === type ? [relation.target] : []));
}

/** Events that are live after these lines, tombstones left out, in order of position: the first of an id, unless withdrawn. */
export function liveEvents(lines: readonly LedgerLine[]): readonly StoredEvent[] {
  return liveLines(lines).filter(({ kind }) => kind !== "tombstone");
}

/** The same with tombstones. */
export function liveLines(lines: readonly LedgerLine[]): readonly StoredEvent[] {
  const withdrawn = new Set(lines.map(({ withdraws }) => withdraws));
  const seen = new Set<string>();
  return lines.flatMap(({ event }) => {
    const isFirst = !seen.has(event.id);
    seen.add(event.id);
    return isFirst && !withdrawn.has(event.id) ? [event] : [];
  });
}
