/**
 * Which parts a time restriction rules out before anything of them is read.
 * A pruned part has no hit, yet its statistics still count: relevance belongs to the snapshot, not to the question.
 * Bounds may be wider than what a filter matches, never narrower.
 */
import type { Part } from "../index/part.ts";
import type { Filter, Test } from "./filter.ts";

/** Event times from ≤ t ≤ to, in milliseconds; empty when from > to. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

export const ALL_TIME: TimeWindow = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
const NO_TIME: TimeWindow = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };

export function intersect(a: TimeWindow, b: TimeWindow): TimeWindow {
  return { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) };
}

/** False when no event of the part can lie in the window. */
export function mayHold(part: Part, window: TimeWindow): boolean {
  return part.times !== null && part.times.min <= window.to && part.times.max >= window.from;
}

/** A window outside which the filter matches no event. */
export function timeBounds(filter: Filter): TimeWindow {
  switch (filter.type) {
    case "and":
      return filter.filters.map(timeBounds).reduce(intersect, ALL_TIME);
    case "or":
      return filter.filters.map(timeBounds).reduce(hull, NO_TIME);
    case "not":
      return ALL_TIME;
    case "condition":
      return filter.field === "ts" ? boundsOf(filter.test) : ALL_TIME;
  }
}

function hull(a: TimeWindow, b: TimeWindow): TimeWindow {
  return { from: Math.min(a.from, b.from), to: Math.max(a.to, b.to) };
}

function boundsOf(test: Test): TimeWindow {
  switch (test.op) {
    case "eq":
      return point(test.value);
    case "in":
      return [...test.values].map(point).reduce(hull, NO_TIME);
    case "gt":
    case "gte":
      return { from: Number(test.value), to: ALL_TIME.to };
    case "lt":
    case "lte":
      return { from: ALL_TIME.from, to: Number(test.value) };
    default:
      return ALL_TIME;
  }
}

function point(time: string | number | boolean): TimeWindow {
  return { from: Number(time), to: Number(time) };
}
