/** What a deployment costs a month, from what a counted run used. */
import { COLLECT_HEADS_MIN } from "../../core/limits.ts";
import { added, type Bill, billOf, scaled, storageBill, total, type Use } from "./bill.ts";
import { PLAN_MONTH } from "./prices.ts";
import { APPENDS_A_VISIT, type CostRun, READS_A_VISIT } from "./run.ts";

const MILLION = 1_000_000;

/** How a deployment is used. */
export interface Usage {
  readonly entities: number;
  /** A month. */
  readonly appends: number;
  readonly reads: number;
}

export interface CostLine {
  readonly what: string;
  readonly bill: Bill;
}

/** What one of each costs, in dollars; with what is indexed goes its share of the collection that follows. */
export interface UnitCosts {
  readonly creation: Bill;
  readonly loneAppend: Bill;
  readonly append: Bill;
  readonly read: Bill;
  /** After COLLECT_HEADS_MIN times that something was indexed. */
  readonly collection: Bill;
  /** An entity with one event that nobody asks for, a month. */
  readonly idleMonth: Bill;
  /** What an append adds to the store, a month. */
  readonly storedMonth: Bill;
  /** What an append adds to its object, a month: copies go when nobody uses them (SSD_IDLE_DAYS). */
  readonly heldMonth: Bill;
}

export function unitCosts(run: CostRun): UnitCosts {
  const appends = run.entities * (1 + APPENDS_A_VISIT);
  const stored = scaled(storageBill(run.storedByAppends), 1 / appends);
  const each = (use: Use, count: number): Bill => scaled(billOf(use), 1 / count);
  const collection = each(run.collections, run.entities);
  const share = scaled(collection, 1 / COLLECT_HEADS_MIN);
  return {
    creation: added(each(run.creation, run.entities), share),
    loneAppend: added(each(run.loneAppends, run.entities), share),
    append: added(each(run.appends, run.entities * APPENDS_A_VISIT), scaled(share, 1 / APPENDS_A_VISIT)),
    collection,
    read: each(run.reads, run.entities * READS_A_VISIT),
    idleMonth: scaled(storageBill(run.storedByCreation), 1 / run.entities),
    storedMonth: { ...stored, objects: 0 },
    heldMonth: { ...stored, store: 0 },
  };
}

/** A month of `usage`, after a year of it: the store has twelve months of appends, objects hold the last of them. */
export function monthOf(usage: Usage, units: UnitCosts): readonly CostLine[] {
  return [
    { what: `${counted(usage.appends)} appends`, bill: scaled(units.append, usage.appends) },
    { what: `${counted(usage.reads)} reads`, bill: scaled(units.read, usage.reads) },
    { what: `${counted(usage.entities)} entities, idle`, bill: scaled(units.idleMonth, usage.entities) },
    { what: "a year of appends, stored", bill: scaled(units.storedMonth, 12 * usage.appends) },
    { what: "a month of them, in objects", bill: scaled(units.heldMonth, usage.appends) },
  ];
}

export function formatUnits(units: UnitCosts): string {
  return table(
    ["dollars a million", "store", "objects", "queue", "Workers", "in all"],
    [
      row("entities created", scaled(units.creation, MILLION)),
      row(`appends, ${APPENDS_A_VISIT} at a visit`, scaled(units.append, MILLION)),
      row("appends, one at a visit", scaled(units.loneAppend, MILLION)),
      row("reads", scaled(units.read, MILLION)),
      row("collections", scaled(units.collection, MILLION)),
      row("idle entities, a month", scaled(units.idleMonth, MILLION)),
      row("appends stored, a month", scaled(units.storedMonth, MILLION)),
      row("appends in objects, a month", scaled(units.heldMonth, MILLION)),
    ],
  );
}

export function formatMonth(usage: Usage, units: UnitCosts): string {
  const lines = monthOf(usage, units);
  const sum = lines.reduce((dollars, { bill }) => dollars + total(bill), PLAN_MONTH);
  return [
    table(
      ["dollars a month", "store", "objects", "queue", "Workers", "in all"],
      lines.map(({ what, bill }) => row(what, bill)),
    ),
    `with the plan's ${PLAN_MONTH}: ${dollars(sum)} a month, ${dollars((sum / usage.entities) * 1_000)} for a thousand entities`,
  ].join("\n");
}

function row(what: string, bill: Bill): readonly string[] {
  return [what, ...[bill.store, bill.objects, bill.queue, bill.workers, total(bill)].map(dollars)];
}

function dollars(amount: number): string {
  return amount.toFixed(2);
}

function counted(count: number): string {
  return count.toLocaleString("en-US");
}

/** As Markdown, so that it can be pasted. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
