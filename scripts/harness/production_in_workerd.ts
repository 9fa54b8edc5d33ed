/**
 * Around every script under `harness:production`: what a deployment's bucket does and the local runtime's does not.
 *
 * - A call answers after the latency that R2 has been seen with; a put whose key was written less than a second ago is
 *   refused as R2 refuses it (the referee knows, since a key may be written by several scripts).
 * - No more than six calls of one invocation wait for their headers; further ones wait for a turn. The calls of an object
 *   belong together, however many requests it serves: it has one input and output for all of them.
 * - An invocation that took longer than its script may compute is told to the referee. Time is an upper bound of what it
 *   computed: the local runtime tells neither an isolate nor us how much of it was waiting.
 *
 * What the local runtime does by itself is left to it: messages beyond 32 MiB are refused, and alarms and queued messages
 * are lost at a restart.
 */

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { AsyncLocalStorage } from "node:async_hooks";
import type { Harness, PlatformClass } from "./around.ts";
import type { ProductionLimits } from "./production.ts";
import type { Referee } from "./referee_in_workerd.ts";

interface HarnessEnv {
  readonly BUCKET?: R2Bucket;
  readonly HARNESS_REFEREE: Service<Referee>;
  /** JSON of `ProductionLimits`. */
  readonly HARNESS_LIMITS: string;
  /** Of the script, milliseconds. */
  readonly HARNESS_CPU_MS: string;
}

/** Turns for calls that wait for their headers. */
class Connections {
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  async use<T>(openMax: number, call: () => Promise<T>): Promise<T> {
    if (this.#open === openMax) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#open += 1;
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#open -= 1;
      else next();
    }
  }
}

/** Whose calls these are. */
const invocations = new AsyncLocalStorage<Connections>();
/** Of objects, which outlive an invocation. */
const ofInstance = new WeakMap<object, Connections>();

export const wrapClass: Harness["wrapClass"] = <Class extends PlatformClass>(shipped: Class): Class => {
  const Wrapped = class extends shipped {
    constructor(...parameters: ConstructorParameters<PlatformClass>) {
      const [context, env] = parameters as [unknown, HarnessEnv];
      super(context, harnessed(env));
      ofInstance.set(this, new Connections());
    }
  };
  for (const name of methodsOf(shipped)) {
    const method = Reflect.get(shipped.prototype, name) as (...parameters: unknown[]) => unknown;
    Object.defineProperty(Wrapped.prototype, name, {
      value(this: object, ...parameters: unknown[]) {
        return invoked(ofInstance.get(this) ?? new Connections(), name, envOf(this), () =>
          method.apply(this, parameters),
        );
      },
    });
  }
  return Wrapped;
};

export const wrapHandlers: Harness["wrapHandlers"] = (shipped) => {
  const wrapped = Object.entries(shipped).map(([name, handler]) => {
    const invoke = (event: unknown, env: HarnessEnv, context: unknown): unknown =>
      invoked(new Connections(), name, env, () => handler.call(shipped, event, harnessed(env), context));
    return [name, invoke];
  });
  return Object.fromEntries(wrapped);
};

/** Own and inherited, up to the platform's own class. */
function methodsOf(shipped: PlatformClass): readonly string[] {
  const names = new Set<string>();
  let prototype: object = shipped.prototype;
  while (
    prototype !== DurableObject.prototype &&
    prototype !== WorkerEntrypoint.prototype &&
    prototype !== Object.prototype
  ) {
    for (const name of Object.getOwnPropertyNames(prototype)) names.add(name);
    prototype = Object.getPrototypeOf(prototype);
  }
  names.delete("constructor");
  return [...names];
}

function envOf(instance: object): HarnessEnv {
  return Reflect.get(instance, "env") as HarnessEnv;
}

async function invoked(connections: Connections, name: string, env: HarnessEnv, call: () => unknown): Promise<unknown> {
  const fromMs = Date.now();
  try {
    return await invocations.run(connections, call);
  } finally {
    const ms = Date.now() - fromMs;
    if (ms > Number(env.HARNESS_CPU_MS)) await env.HARNESS_REFEREE.tookLong(name, ms);
  }
}

// --- The bucket -----------------------------------------------------------------------------

/** Each script composes itself from the first `env` it meets, so one bucket an isolate is enough. */
let bucket: ReturnType<typeof productionBucket> | null = null;

function harnessed(env: HarnessEnv): HarnessEnv {
  if (env.BUCKET === undefined) return env;
  bucket ??= productionBucket(env.BUCKET, env.HARNESS_REFEREE, JSON.parse(env.HARNESS_LIMITS));
  return { ...env, BUCKET: bucket as R2Bucket };
}

function productionBucket(real: R2Bucket, referee: Service<Referee>, limits: ProductionLimits) {
  const answered = async <T>(latencyMs: number, call: () => Promise<T>): Promise<T> => {
    const connections = invocations.getStore();
    if (connections === undefined) throw new Error("the bucket is called outside of every invocation");
    return connections.use(limits.connectionsMax, async () => {
      const [answer] = await Promise.all([call(), scheduler.wait(latencyMs)]);
      return answer;
    });
  };
  return {
    head: (key: string) => answered(limits.getMs, () => real.head(key)),
    get: (key: string, options?: R2GetOptions) => answered(limits.getMs, () => real.get(key, options)),
    list: (options?: R2ListOptions) => answered(limits.getMs, () => real.list(options)),
    delete: (keys: string | string[]) => answered(limits.getMs, () => real.delete(keys)),
    put: (key: string, value: Uint8Array, options?: R2PutOptions) =>
      answered(limits.putMs, async () => {
        if (!(await referee.mayWrite(key))) throw new Error(TOO_MANY_WRITES);
        return real.put(key, value, options);
      }),
  };
}

/** As R2 words its 429. */
const TOO_MANY_WRITES = "put: Reduce your concurrent request rate for the same object. (10058)";
