/**
 * Measures one corpus in one runtime, whatever its systems do to the process they live in.
 *
 * All of them share a process, and so take their turns in it (interleave.ts). A process that ends, or is silent for too
 * long, is lost, with what it had not yet told. Who is to blame shows by asking again:
 *
 *   lost while a peer was opened   the others go on without it; it gets a process beside ours alone
 *   lost while a row was asked     each peer gets a process beside ours alone
 *   lost with one peer in it       that peer is not measured, and is told
 *   lost with ours alone in it     ours failed
 *
 * A peer that hangs without blocking its process is told at once; the others go on in a fresh process, since it may still
 * be at work in the old one. What has been measured stays: of a system that was asked the same row twice, beside
 * different peers, the first figures count.
 */
import { LIMIT } from "./bandwidth_limit.ts";
import { OURS } from "./contender.ts";
import type { QuestionSet } from "./corpus.ts";
import type { Measured } from "./interleave.ts";
import type { AskReport, OpenReport, Refusal, Session, SystemName } from "./session.ts";

/** What takes less is not worth a line. */
const TOLD_MS_MIN = 500;

export interface MeasuredRow {
  readonly set: QuestionSet;
  readonly open: OpenReport;
  readonly measured: Measured;
  readonly coldLoadMs: number | null;
  readonly visited: number | null;
}

export interface RowRefusal extends Refusal {
  /** The corpus, when it is of all rows. */
  readonly row: string;
}

export interface CorpusResult {
  readonly opened: readonly OpenReport[];
  readonly rows: readonly MeasuredRow[];
  readonly refused: readonly RowRefusal[];
  /** As in Session. */
  readonly absent: readonly Refusal[];
}

export interface Survival {
  readonly corpus: string;
  readonly sets: readonly QuestionSet[];
  start(): Promise<Session>;
  say(line: string): void;
}

export async function measureAll(survival: Survival): Promise<CorpusResult> {
  const progress = new Progress(survival);
  const waiting: PeerChoice[] = [EVERYONE];
  for (let choice = waiting.shift(); choice !== undefined; choice = waiting.shift()) {
    if (choice === EVERYONE || progress.lacksAny(choice))
      waiting.push(...(await inOneProcess(survival, choice, progress)));
  }
  return progress.result();
}

/** Peers that share a process, beside ours; none: ours alone. */
type PeerChoice = readonly string[] | typeof EVERYONE;
const EVERYONE = "everyone";

/** @returns who is to share the processes that are needed after this one */
async function inOneProcess(
  { start, sets, say }: Survival,
  choice: PeerChoice,
  progress: Progress,
): Promise<readonly (readonly string[])[]> {
  let session: Session;
  try {
    session = await timed(say, "started", start);
  } catch (error) {
    const blamed = choice === EVERYONE ? [OURS] : choice.length === 0 ? progress.oursLacking() : choice;
    for (const system of blamed) progress.refuse(system, `it failed: no process: ${messageOf(error)}`);
    return [[]];
  }
  const wanted = progress.wantedOf(session, choice);
  const peersLacking = (): readonly string[] =>
    wanted.flatMap((name) => (isPeer(name) && progress.lacksSome(name.system) ? [name.system] : []));
  let opening: SystemName | null = null;
  try {
    for (opening of wanted) {
      const { system } = opening;
      const open = await timed(say, `opened ${system}`, () => session.open(system));
      if ("reason" in open) progress.refuse(system, open.reason);
      else progress.open(open);
      if ("reason" in open && open.goesOn) return [peersLacking()];
    }
    opening = null;
    for (const set of sets.filter(({ row }) => wanted.some(({ system }) => progress.lacks(system, row)))) {
      const report = await timed(say, `asked ${set.row}`, () => session.ask(set));
      progress.take(set, report);
    }
    return [];
  } catch (error) {
    say(`  LOST the process${opening === null ? "" : ` that opened ${opening.system}`}: ${messageOf(error)}`);
    return afterLoss(messageOf(error), opening, peersLacking(), progress);
  } finally {
    await session.end();
  }
}

/**
 * @param opening what was being opened; null: a row was asked
 * @param peers those that were still to be measured in the process
 */
function afterLoss(
  reason: string,
  opening: SystemName | null,
  peers: readonly string[],
  progress: Progress,
): readonly (readonly string[])[] {
  const [first] = peers;
  if (opening !== null && !isPeer(opening)) {
    progress.refuse(opening.system, `it failed: ${reason}`);
    return [peers];
  }
  if (first === undefined) {
    for (const system of progress.oursLacking()) progress.refuse(system, `it failed: ${reason}`);
    return [];
  }
  if (peers.length === 1) {
    progress.refuse(first, `beside ours alone, ${reason}`);
    return [[]];
  }
  if (opening === null) return peers.map((system) => [system]);
  return [peers.filter((system) => system !== opening.system), [opening.system]];
}

/** Takes its turns, but is neither a peer nor ours. */
function isPeer({ system, ours }: SystemName): boolean {
  return !ours && system !== LIMIT;
}

/** What has been measured or refused so far. */
class Progress {
  readonly #survival: Survival;
  readonly #systems = new Map<string, SystemName>();
  readonly #opened = new Map<string, OpenReport>();
  readonly #rows: MeasuredRow[] = [];
  readonly #refused: RowRefusal[] = [];
  /** By `keyOf`, and by name when it is all rows. */
  readonly #settled = new Set<string>();
  #absent: readonly Refusal[] = [];

  constructor(survival: Survival) {
    this.#survival = survival;
  }

  /** Ours that lack something, what ours are compared by, and the chosen peers that lack something. */
  wantedOf({ systems, absent }: Session, choice: PeerChoice): readonly SystemName[] {
    this.#absent = absent;
    for (const name of systems) this.#systems.set(name.system, name);
    return systems.filter((name) => {
      if (isPeer(name)) return (choice === EVERYONE || choice.includes(name.system)) && this.lacksSome(name.system);
      const accompanies = name.system === OURS || name.system === LIMIT;
      return accompanies ? !this.#settled.has(name.system) : this.lacksSome(name.system);
    });
  }

  lacks(system: string, row: string): boolean {
    return !this.#settled.has(system) && !this.#settled.has(keyOf(system, row));
  }

  lacksSome(system: string): boolean {
    if (this.#settled.has(system)) return false;
    return !this.#opened.has(system) || this.#survival.sets.some(({ row }) => this.lacks(system, row));
  }

  /** Whether a process of these peers beside ours has anything to do. */
  lacksAny(peers: readonly string[]): boolean {
    return this.oursLacking().length > 0 || peers.some((system) => this.lacksSome(system));
  }

  oursLacking(): readonly string[] {
    return [...this.#systems.values()].flatMap(({ system, ours }) => (ours && this.lacksSome(system) ? [system] : []));
  }

  refuse(system: string, reason: string | null): void {
    this.#settled.add(system);
    this.#tell({ row: this.#survival.corpus, system, reason });
  }

  open(report: OpenReport): void {
    if (!this.#opened.has(report.system)) this.#opened.set(report.system, report);
  }

  take(set: QuestionSet, report: AskReport): void {
    const { row } = set;
    const isFirst = (system: string): boolean => {
      const first = this.lacks(system, row);
      this.#settled.add(keyOf(system, row));
      return first;
    };
    for (const { system, reason } of report.refused) if (isFirst(system)) this.#tell({ row, system, reason });
    for (const measured of report.measured) {
      const { system, fault } = measured;
      const open = this.#opened.get(system);
      if (open === undefined || !isFirst(system)) continue;
      if (fault !== null) this.#tell({ row, system, reason: `it failed: ${fault}` });
      else
        this.#rows.push({
          set,
          open,
          measured,
          coldLoadMs: report.coldLoadMs[system] ?? null,
          visited: report.visited[system] ?? null,
        });
    }
  }

  result(): CorpusResult {
    return { opened: [...this.#opened.values()], rows: this.#rows, refused: this.#refused, absent: this.#absent };
  }

  #tell(refusal: RowRefusal): void {
    const { row, system, reason } = refusal;
    if (reason === null) return;
    this.#survival.say(`  NOT MEASURED: ${row}: ${system}: ${reason}`);
    this.#refused.push(refusal);
  }
}

function keyOf(system: string, row: string): string {
  return JSON.stringify([system, row]);
}

async function timed<T>(say: (line: string) => void, what: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const value = await work();
  const ms = performance.now() - from;
  if (ms >= TOLD_MS_MIN) say(`  ${what} in ${(ms / 1_000).toFixed(1)} s`);
  return value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
