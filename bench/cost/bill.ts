/** From counts to dollars. Pure. */
import type { Counted } from "./counted.ts";
import { OBJECT_GB, PRICES, QUEUE_OPERATIONS_A_MESSAGE } from "./prices.ts";

const GB = 1_000_000_000;

/** What something used: counts, and the CPU of the process that ran it. */
export interface Use {
  readonly counted: Counted;
  readonly cpuMs: number;
}

/** Bytes that lie there. */
export interface Stored {
  readonly storeBytes: number;
  readonly objectBytes: number;
}

/** Dollars. */
export interface Bill {
  readonly store: number;
  readonly objects: number;
  readonly queue: number;
  readonly workers: number;
}

export function billOf({ counted, cpuMs }: Use): Bill {
  return {
    store: counted.storeWrites * PRICES.storeWrite + counted.storeReads * PRICES.storeRead,
    objects:
      counted.objectCalls * PRICES.objectCall +
      (counted.objectMs / 1_000) * OBJECT_GB * PRICES.objectGbSecond +
      counted.rowsRead * PRICES.rowRead +
      counted.rowsWritten * PRICES.rowWritten,
    queue: counted.messages * QUEUE_OPERATIONS_A_MESSAGE * PRICES.queueOperation,
    workers: counted.requests * PRICES.workerRequest + cpuMs * PRICES.cpuMs,
  };
}

/** For a month. */
export function storageBill({ storeBytes, objectBytes }: Stored): Bill {
  return {
    store: (storeBytes / GB) * PRICES.storeGbMonth,
    objects: (objectBytes / GB) * PRICES.objectGbMonth,
    queue: 0,
    workers: 0,
  };
}

export function scaled(bill: Bill, factor: number): Bill {
  const { store, objects, queue, workers } = bill;
  return { store: store * factor, objects: objects * factor, queue: queue * factor, workers: workers * factor };
}

export function added(one: Bill, other: Bill): Bill {
  return {
    store: one.store + other.store,
    objects: one.objects + other.objects,
    queue: one.queue + other.queue,
    workers: one.workers + other.workers,
  };
}

export function total({ store, objects, queue, workers }: Bill): number {
  return store + objects + queue + workers;
}
