/**
 * Counts what a script uses, as a harness around each of the four: at the prototypes of what is bound, letting everything
 * through, so that the scripts run as they are shipped. `GET /counted` tells.
 */
import { DurableObject, env } from "cloudflare:workers";
import type { Harness, PlatformClass } from "../../scripts/harness/around.ts";
import type { Counted } from "./counted.ts";

type Count = { -readonly [name in keyof Counted]: number };
type Method = (this: object, ...parameters: unknown[]) => unknown;

const COUNTED_PATH = "/counted";
const STORE_CALLS: Readonly<Record<string, keyof Counted>> = {
  put: "storeWrites",
  list: "storeWrites",
  get: "storeReads",
  head: "storeReads",
  delete: "storeDeletes",
};

const count: Count = {
  requests: 0,
  storeWrites: 0,
  storeReads: 0,
  storeDeletes: 0,
  messages: 0,
  objectCalls: 0,
  objectMs: 0,
  rowsRead: 0,
  rowsWritten: 0,
};

countBindings();

export const wrapHandlers: Harness["wrapHandlers"] = (shipped) => {
  if (typeof shipped === "function") return shipped;
  const { fetch, queue, scheduled } = shipped as Record<string, Method | undefined>;
  return {
    ...shipped,
    fetch: (request: Request, ...rest: unknown[]) => answer(request) ?? served(fetch, [request, ...rest]),
    ...(queue && { queue: (...parameters: unknown[]) => served(queue, parameters) }),
    ...(scheduled && { scheduled: (...parameters: unknown[]) => served(scheduled, parameters) }),
  };
};

/** Of an object its calls, its rows and its time at work. Entry points of other kinds are called by scripts, for nothing. */
export const wrapClass: Harness["wrapClass"] = <Class extends PlatformClass>(shipped: Class): Class => {
  if (!(shipped.prototype instanceof DurableObject)) return shipped;
  countMethods(shipped.prototype as object as Record<string, unknown>);
  return class extends shipped {
    constructor(...parameters: ConstructorParameters<PlatformClass>) {
      countStorage((parameters[0] as DurableObjectState).storage);
      super(...parameters);
    }
  };
};

function served(handle: Method | undefined, parameters: readonly unknown[]): unknown {
  count.requests += 1;
  return handle?.apply({}, [...parameters]);
}

function answer(request: Request): Response | null {
  if (new URL(request.url).pathname !== COUNTED_PATH) return null;
  settleRows();
  return Response.json(count);
}

function countBindings(): void {
  const { BUCKET, INDEX_QUEUE } = env as Readonly<Record<string, object | undefined>>;
  if (BUCKET !== undefined) {
    for (const [name, kind] of Object.entries(STORE_CALLS)) {
      around(Object.getPrototypeOf(BUCKET), name, (call, keys) => {
        count[kind] += kind === "storeDeletes" && Array.isArray(keys) ? keys.length : 1;
        return call();
      });
    }
  }
  if (INDEX_QUEUE !== undefined) {
    around(Object.getPrototypeOf(INDEX_QUEUE), "send", (call) => {
      count.messages += 1;
      return call();
    });
  }
}

interface Cursor {
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** The newest cursor of each object: it may still be read from. */
const open = new Map<object, Cursor>();
const storages = new WeakSet<object>();

function countStorage(storage: DurableObjectStorage): void {
  const { sql } = storage;
  const prototypes: readonly object[] = [Object.getPrototypeOf(sql), Object.getPrototypeOf(storage)];
  if (prototypes.some((prototype) => storages.has(prototype))) return;
  for (const prototype of prototypes) storages.add(prototype);
  around(Object.getPrototypeOf(sql), "exec", (call, _statement, ...rest) => {
    void rest;
    settleRows();
    const cursor = call() as Cursor;
    open.set(cursor, cursor);
    return cursor;
  });
  around(Object.getPrototypeOf(storage), "setAlarm", (call) => {
    count.rowsWritten += 1;
    return call();
  });
}

function settleRows(): void {
  for (const cursor of open.values()) {
    count.rowsRead += cursor.rowsRead;
    count.rowsWritten += cursor.rowsWritten;
  }
  open.clear();
}

/** Calls of each object that are under way, and since when there are any. */
const atWork = new WeakMap<object, { calls: number; sinceMs: number }>();

function countMethods(prototype: Record<string, unknown>): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (name === "constructor" || typeof prototype[name] !== "function") continue;
    const method = prototype[name] as Method;
    prototype[name] = async function counting(this: object, ...parameters: unknown[]): Promise<unknown> {
      count.objectCalls += 1;
      const work = atWork.get(this) ?? { calls: 0, sinceMs: 0 };
      atWork.set(this, work);
      if (work.calls === 0) work.sinceMs = Date.now();
      work.calls += 1;
      try {
        return await method.apply(this, parameters);
      } finally {
        work.calls -= 1;
        if (work.calls === 0) count.objectMs += Date.now() - work.sinceMs;
      }
    };
  }
}

function around(
  prototype: Record<string, Method>,
  name: string,
  counting: (call: () => unknown, ...parameters: unknown[]) => unknown,
): void {
  const method = prototype[name];
  if (method === undefined) throw new Error(`there is no ${name} to count`);
  prototype[name] = function counted(this: object, ...parameters: unknown[]): unknown {
    return counting(() => method.apply(this, parameters), ...parameters);
  };
}
