/** A store whose calls tests hold, fail and count: before they have had their effect, or after. */
import type { TenantStore } from "../../core/ports.ts";

type StoreCall = "get" | "getRange" | "list" | "put" | "create" | "delete";
type Moment = "before" | "after";

interface Interception {
  readonly call: StoreCall;
  /** Part of a key of the call. */
  readonly within: string;
  readonly moment: Moment;
  readonly act: () => Promise<void>;
}

export interface Hold {
  /** Resolves when a call has come this far. */
  readonly reached: Promise<void>;
  release(): void;
}

export class StoreCalls {
  #interceptions: Interception[] = [];
  /** Calls so far, and the most that were under way together. */
  count = 0;
  atOnceMax = 0;
  #underWay = 0;
  /** Calls so far that began after one another had ended: how often whoever calls waited for the store. */
  waves = 0;
  /** How many turns the next call takes before it has its effect, and again after it. */
  turns: () => number = () => 0;

  /** Calls of this kind stop here, until they are released. */
  hold(call: StoreCall, within: string, moment: Moment): Hold {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const stop = this.#intercept(call, within, moment, () => {
      reached.resolve();
      return released.promise;
    });
    return {
      reached: reached.promise,
      release: () => {
        stop();
        released.resolve();
      },
    };
  }

  /** Calls of this kind reject, until they are mended. `after`: they have had their effect. */
  break(call: StoreCall, within: string, moment: Moment): { mend(): void } {
    const mend = this.#intercept(call, within, moment, async () => {
      throw new Error("the store is down");
    });
    return { mend };
  }

  #intercept(call: StoreCall, within: string, moment: Moment, act: () => Promise<void>): () => void {
    const interception: Interception = { call, within, moment, act };
    this.#interceptions.push(interception);
    return () => {
      this.#interceptions = this.#interceptions.filter((other) => other !== interception);
    };
  }

  /** From here on calls are counted anew. Meanwhile none is under way. */
  reset(): void {
    this.count = 0;
    this.atOnceMax = 0;
    this.waves = 0;
  }

  /** The wave that the call is in. */
  began(): number {
    this.count += 1;
    this.#underWay += 1;
    this.atOnceMax = Math.max(this.atOnceMax, this.#underWay);
    return this.waves + 1;
  }

  ended(wave: number): void {
    this.#underWay -= 1;
    this.waves = Math.max(this.waves, wave);
  }

  async at(moment: Moment, call: StoreCall, keys: readonly string[]): Promise<void> {
    await passTurns(this.turns());
    for (const interception of this.#interceptions) {
      if (interception.call !== call || interception.moment !== moment) continue;
      if (keys.some((key) => key.includes(interception.within))) await interception.act();
    }
  }
}

/** Lets others run first, `count` times. */
export async function passTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}

export function watchedStore(plain: TenantStore): { readonly store: TenantStore; readonly calls: StoreCalls } {
  const calls = new StoreCalls();
  const around = async <T>(call: StoreCall, keys: readonly string[], run: () => Promise<T>): Promise<T> => {
    const wave = calls.began();
    try {
      await calls.at("before", call, keys);
      const answer = await run();
      await calls.at("after", call, keys);
      return answer;
    } finally {
      calls.ended(wave);
    }
  };
  const store: TenantStore = {
    ...plain,
    get: (key) => around("get", [key], () => plain.get(key)),
    getRange: (key, offset, length) => around("getRange", [key], () => plain.getRange(key, offset, length)),
    list: (prefix, cursor) => around("list", [prefix], () => plain.list(prefix, cursor)),
    put: (key, bytes, metadata) => around("put", [key], () => plain.put(key, bytes, metadata)),
    create: (key, bytes, metadata) => around("create", [key], () => plain.create(key, bytes, metadata)),
    delete: (keys) => around("delete", keys, () => plain.delete(keys)),
  };
  return { store, calls };
}
