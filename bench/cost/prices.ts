/**
 * What the platform charges on its paid plan, in US dollars, as its pricing pages said in November 2026 (Workers,
 * Durable Objects, R2, Queues). What a month includes for free is left out: it is the same for everybody, and small.
 */

const MILLION = 1_000_000;

export const PRICES = {
  /** A request to a Worker, and each millisecond of its CPU. */
  workerRequest: 0.3 / MILLION,
  cpuMs: 0.02 / MILLION,
  /** A call or an alarm of an object; a GB-second that it is at work, for which it is taken to have OBJECT_GB. */
  objectCall: 0.15 / MILLION,
  objectGbSecond: 12.5 / MILLION,
  rowRead: 0.001 / MILLION,
  rowWritten: 1 / MILLION,
  objectGbMonth: 0.2,
  /** Class A: puts and lists. Class B: gets and heads. Deletes are free. */
  storeWrite: 4.5 / MILLION,
  storeRead: 0.36 / MILLION,
  storeGbMonth: 0.015,
  /** A write, a read or a delete of a message of up to 64 KB. */
  queueOperation: 0.4 / MILLION,
} as const;

/** The memory that an object's time is charged for, whatever it uses. */
export const OBJECT_GB = 0.128;
/** A message is written, read and deleted. */
export const QUEUE_OPERATIONS_A_MESSAGE = 3;
/** What the plan itself costs a month, whatever is done. */
export const PLAN_MONTH = 5;
