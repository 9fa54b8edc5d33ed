/**
 * The four scripts in the local runtime: no account, no network. The bundles are those that a deployment uploads and
 * the bindings are those of the four wrangler.toml; only ENVIRONMENT and the variables handed in differ.
 *
 * State lies under `{stateDir}/v3`, where `wrangler … --local --persist-to {stateDir}` looks for it. The local runtime
 * forgets alarms and queued messages at a restart and fires no crons: a sweep at start-up and at an interval stands in.
 */
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { extname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  convertV4MiniflareOptions,
  Log,
  LogLevel,
  Miniflare,
  MiniflareCoreError,
  type V4SharedOptions,
  type V4WorkerOptions,
} from "miniflare";
import { type Bundle, bundle } from "./bundle.ts";
import { type DeployedScript, FRONT_DOOR, INDEXER, ROOT, SCRIPTS, WRANGLER_OFFLINE } from "./deployment.ts";
import { type Around, surrounded } from "./harness/around.ts";
import { runtimePid, watchRuntimes } from "./sentinel.ts";
import type { Variables } from "./variables.ts";

// Before wrangler is loaded: it reads some of these at import.
Object.assign(process.env, WRANGLER_OFFLINE);
const { unstable_getMiniflareWorkerOptions: workerOptionsOf, unstable_readConfig: readConfig } = await import(
  "wrangler"
);

/** A predecessor that was killed may hold the port for a moment. */
const PORT_WAIT_MS = 5_000;
const PORT_RETRY_MS = 100;
const HEALTH_WAIT_MS = 30_000;
const HEALTH_RETRY_MS = 50;
/** What a script may compute unless its wrangler.toml says more. */
const CPU_MS_DEFAULT = 30_000;
/** In place of the cron. */
const SWEEP_INTERVAL_MS = 15_000;

export interface RuntimeOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly host?: string;
  readonly stateDir: string;
  readonly variables?: Variables;
  /** The queue's messages wait, as when a consumer is paused in a deployment. */
  readonly indexing?: "paused" | "running";
  /** Only warnings and errors of the scripts are shown. */
  readonly quiet?: boolean;
  /** What runs around every script, inside out, and beside them: harnesses only. */
  readonly around?: readonly Around[];
  readonly companions?: readonly V4WorkerOptions[];
  /** Where the isolates can be profiled; nowhere by default. */
  readonly inspectorPort?: number;
}

export interface Runtime {
  readonly url: string;
  /** The process that runs the scripts, for measurements; null when it is gone. */
  workerdPid(): number | null;
  /** Nudges everything that waits to be indexed, as the cron would. */
  sweep(): Promise<void>;
  /** A request to a script that has no route. */
  ask(script: DeployedScript, path: string, init?: { readonly method: string }): Promise<Response>;
  stop(): Promise<void>;
}

export class PortInUseError extends Error {
  constructor(address: string, options?: ErrorOptions) {
    super(`${address} is in use. Stop what listens there, or choose another port: PORT=8788 npm start`, options);
    this.name = "PortInUseError";
  }
}

/** Resolves when requests are answered. */
export async function bootRuntime(options: RuntimeOptions): Promise<Runtime> {
  const host = options.host ?? "127.0.0.1";
  const [bundles, port] = await Promise.all([bundle(), freePort(host, options.port)]);
  // Requests from outside reach the first.
  const frontDoorFirst = bundles.toSorted((a, b) => Number(b.script === FRONT_DOOR) - Number(a.script === FRONT_DOOR));
  const workers = await Promise.all(frontDoorFirst.map((each) => workerOptions(each, options)));
  watchRuntimes();
  const all = [...workers, ...(options.companions ?? [])];
  const miniflare = withoutSignalHandlers(
    () => new Miniflare(convertV4MiniflareOptions({ ...sharedOptions(options), host, port, workers: all })),
  );
  try {
    await miniflare.ready;
    const url = `http://${host}:${port}`;
    await answersHealth(url);
    return started(miniflare, url, `${host}:${port}`);
  } catch (error) {
    await miniflare.dispose();
    if (!(error instanceof MiniflareCoreError) || error.code !== "ERR_ADDRESS_IN_USE") throw error;
    throw new PortInUseError(`${host}:${port}`, { cause: error });
  }
}

async function started(miniflare: Miniflare, url: string, address: string): Promise<Runtime> {
  const ask: Runtime["ask"] = async (script, path, init) => {
    const { name } = readConfig({ config: join(ROOT, script.config) });
    const worker = await miniflare.getWorker(name);
    return (await worker.fetch(`http://script${path}`, init)) as unknown as Response;
  };
  const sweep = async (): Promise<void> => {
    const answer = await ask(INDEXER, "/sweep", { method: "POST" });
    if (!answer.ok) console.error(`the sweep answered ${answer.status}: ${await answer.text()}`);
  };
  let stopped = false;
  const sweepOrSay = (): void => {
    // One in flight fails when the runtime stops.
    sweep().catch((error: unknown) => stopped || console.error("the sweep failed:", error));
  };
  sweepOrSay();
  const interval = setInterval(sweepOrSay, SWEEP_INTERVAL_MS);
  interval.unref();
  return {
    url,
    workerdPid: () => runtimePid(address),
    sweep,
    ask,
    async stop() {
      stopped = true;
      clearInterval(interval);
      await miniflare.dispose();
    },
  };
}

/** Bindings as the script's wrangler.toml (and a `.dev.vars` beside it) says, code as bundled. */
async function workerOptions({ script, directory }: Bundle, options: RuntimeOptions): Promise<V4WorkerOptions> {
  const config = readConfig({ config: join(ROOT, script.config) });
  const { workerOptions: declared } = workerOptionsOf(config);
  const around = options.around ?? [];
  return {
    ...declared,
    name: config.name ?? script.config,
    modulesRoot: directory,
    modules: await surrounded(await modulesIn(directory), directory, classesOf(config), around),
    bindings: {
      ...(declared.bindings as V4WorkerOptions["bindings"]),
      ENVIRONMENT: "development",
      ...options.variables,
      ...(around.length > 0 && { HARNESS_CPU_MS: String(config.limits?.cpu_ms ?? CPU_MS_DEFAULT) }),
      ...Object.assign({}, ...around.map(({ bindings }) => bindings)),
    },
    serviceBindings: {
      ...(declared.serviceBindings as V4WorkerOptions["serviceBindings"]),
      ...Object.assign({}, ...around.map(({ serviceBindings }) => serviceBindings)),
    },
    ...(options.indexing === "paused" && { queueConsumers: {} }),
  };
}

type Config = ReturnType<typeof readConfig>;

/** What a script exports beside its handlers: its objects, its workflows, and entrypoints that any script binds to. */
function classesOf(config: Config): readonly string[] {
  const objects = config.migrations.flatMap(({ new_sqlite_classes = [] }) => new_sqlite_classes);
  const workflows = (config.workflows ?? []).flatMap(
    ({ class_name, script_name }: { class_name: string; script_name?: string }) =>
      script_name === undefined ? [class_name] : [],
  );
  const services = SCRIPTS.flatMap((script) => readConfig({ config: join(ROOT, script.config) }).services ?? []);
  const entrypoints = services.flatMap(({ service, entrypoint }) =>
    service === config.name && entrypoint !== undefined ? [entrypoint] : [],
  );
  return [...new Set([...objects, ...workflows, ...entrypoints])];
}

const MODULE_TYPES = { ".js": "ESModule", ".wasm": "CompiledWasm", ".txt": "Text", ".bin": "Data" } as const;

/** The entry first. */
async function modulesIn(
  directory: string,
): Promise<{ type: (typeof MODULE_TYPES)[keyof typeof MODULE_TYPES]; path: string }[]> {
  const names = (await readdir(directory)).sort((a, b) => Number(b === "worker.js") - Number(a === "worker.js"));
  return names.flatMap((name) => {
    const type = Object.entries(MODULE_TYPES).find(([extension]) => extension === extname(name))?.[1];
    return type === undefined ? [] : [{ type, path: join(directory, name) }];
  });
}

function sharedOptions({ stateDir, quiet = false, inspectorPort }: RuntimeOptions): V4SharedOptions {
  return {
    ...(inspectorPort !== undefined && { inspectorPort }),
    resourcePersistencePath: join(resolve(stateDir), "v3"),
    cf: false,
    telemetry: { enabled: false },
    logRequests: false,
    log: new StandardErrorLog(quiet ? LogLevel.ERROR : LogLevel.WARN),
    handleStructuredLogs: ({ level, message }) => {
      if (!quiet || level === "warn" || level === "error") process.stderr.write(`${message}\n`);
    },
  };
}

/** Standard output is for what the commands have to say. */
class StandardErrorLog extends Log {
  protected override log(message: string): void {
    process.stderr.write(`${message}\n`);
  }
}

/** Miniflare ends the process at the first signal; whoever boots a runtime wants to stop it first. */
function withoutSignalHandlers(construct: () => Miniflare): Miniflare {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const before = new Map(signals.map((signal) => [signal, new Set(process.listeners(signal))]));
  const miniflare = construct();
  for (const [signal, known] of before) {
    for (const listener of process.listeners(signal)) if (!known.has(listener)) process.off(signal, listener);
  }
  return miniflare;
}

async function answersHealth(url: string): Promise<void> {
  const deadline = Date.now() + HEALTH_WAIT_MS;
  for (;;) {
    const answer = await fetch(`${url}/healthz`).catch((error: unknown) => String(error));
    if (typeof answer !== "string" && answer.ok) return;
    if (Date.now() > deadline) {
      const said = typeof answer === "string" ? answer : `${answer.status} ${await answer.text()}`;
      throw new Error(`${url}/healthz did not answer 200 within ${HEALTH_WAIT_MS} ms, but: ${said}`);
    }
    await sleep(HEALTH_RETRY_MS);
  }
}

/** `wanted` once it can be bound, or any free port when it is 0. */
async function freePort(host: string, wanted: number): Promise<number> {
  const deadline = Date.now() + PORT_WAIT_MS;
  for (;;) {
    const bound = await bind(host, wanted);
    if (typeof bound === "number") return bound;
    if (bound.code !== "EADDRINUSE") throw bound;
    if (Date.now() > deadline) throw new PortInUseError(`${host}:${wanted}`, { cause: bound });
    await sleep(PORT_RETRY_MS);
  }
}

function bind(host: string, port: number): Promise<number | NodeJS.ErrnoException> {
  return new Promise((settle) => {
    const server = createServer();
    server.once("error", settle);
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => settle(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}
