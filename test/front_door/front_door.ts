/**
 * The front door as it is deployed, in the real runtime, over stub scripts.
 */
import { readdir, readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { bundle } from "../../scripts/bundle.ts";
import { FRONT_DOOR } from "../../scripts/deployment.ts";

export interface FrontDoor {
  readonly url: URL;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  dispose(): Promise<void>;
}

export interface FrontDoorOptions {
  readonly variables?: Readonly<Record<string, string>>;
  readonly requestsPerPeriod?: number;
}

export async function startFrontDoor(options: FrontDoorOptions = {}): Promise<FrontDoor> {
  const variables = options.variables ?? { ENVIRONMENT: "development" };
  const workers = await Promise.all([frontDoorScript(variables, options.requestsPerPeriod ?? 10_000), stubScript()]);
  const runtime = new Miniflare({ workers });
  const url = await runtime.ready;
  return {
    url,
    fetch: (path, init) => fetch(new URL(path, url), init),
    dispose: () => runtime.dispose(),
  };
}

const COMPATIBILITY_DATE = "2026-08-04";

async function frontDoorScript(variables: Readonly<Record<string, string>>, limit: number) {
  const text = Object.entries(variables).map(([name, value]) => [name, { type: "text" as const, value }]);
  return {
    config: {
      name: "context-plane",
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ["nodejs_compat"],
      manifest: await frontDoorBundle(),
      env: {
        ...Object.fromEntries(text),
        BUCKET: { type: "r2" as const, name: "context-plane" },
        INGEST: { type: "worker" as const, worker: "stubs", exportName: "Ingest" },
        INDEXER: { type: "worker" as const, worker: "stubs" },
        ENTITY: { type: "durable-object" as const, worker: "stubs", exportName: "EntityObject" },
        TENANT: { type: "durable-object" as const, worker: "stubs", exportName: "TenantObject" },
        SCOPE: { type: "durable-object" as const, worker: "stubs", exportName: "ScopeObject" },
        RATE_LIMITER: { type: "rate-limit" as const, namespace: "1001", simple: { limit, period: 10 as const } },
      },
    },
  };
}

async function stubScript() {
  const source = await readFile(new URL("./stub_scripts.ts", import.meta.url), "utf8");
  return {
    config: {
      name: "stubs",
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: manifest("stubs.mjs", stripTypeScriptTypes(source)),
      exports: {
        EntityObject: { type: "durable-object" as const, storage: "sqlite" as const },
        TenantObject: { type: "durable-object" as const, storage: "sqlite" as const },
        ScopeObject: { type: "durable-object" as const, storage: "sqlite" as const },
      },
    },
  };
}

function manifest(mainModule: string, contents: string) {
  return { mainModule, modules: { [mainModule]: { type: "esm" as const, contents } } };
}

interface Module {
  readonly type: "esm" | "wasm";
  readonly contents: string | Uint8Array<ArrayBuffer>;
}

/** What `wrangler deploy` would upload: the code, and the kernel beside it. */
async function frontDoorBundle() {
  const built = (await bundle()).find(({ script }) => script === FRONT_DOOR);
  if (built === undefined) throw new Error("the front door is not among the bundles");
  const { directory } = built;
  const code = await readFile(join(directory, "worker.js"), "utf8");
  const modules: Record<string, Module> = { "worker.js": { type: "esm", contents: code } };
  for (const name of await readdir(directory)) {
    if (!name.endsWith(".wasm")) continue;
    modules[name] = { type: "wasm", contents: new Uint8Array(await readFile(join(directory, name))) };
  }
  return { mainModule: "worker.js", modules };
}
