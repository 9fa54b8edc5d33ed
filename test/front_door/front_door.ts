/**
 * The front door as it is deployed, in the real runtime, over stub scripts.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";

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
  const runtime = new Miniflare({
    workers: [frontDoorScript(variables, options.requestsPerPeriod ?? 10_000), stubScript()],
  });
  const url = await runtime.ready;
  return {
    url,
    fetch: (path, init) => fetch(new URL(path, url), init),
    dispose: () => runtime.dispose(),
  };
}

const COMPATIBILITY_DATE = "2026-08-04";

function frontDoorScript(variables: Readonly<Record<string, string>>, limit: number) {
  const text = Object.entries(variables).map(([name, value]) => [name, { type: "text" as const, value }]);
  return {
    config: {
      name: "context-plane",
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ["nodejs_compat"],
      manifest: manifest("worker.js", frontDoorBundle()),
      env: {
        ...Object.fromEntries(text),
        BUCKET: { type: "r2" as const, name: "context-plane" },
        INGEST: { type: "worker" as const, worker: "stubs", exportName: "Ingest" },
        INDEXER: { type: "worker" as const, worker: "stubs" },
        ENTITY: { type: "durable-object" as const, worker: "stubs", exportName: "EntityObject" },
        TENANT: { type: "durable-object" as const, worker: "stubs", exportName: "TenantObject" },
        RATE_LIMITER: { type: "rate-limit" as const, namespace: "1001", simple: { limit, period: 10 as const } },
      },
    },
  };
}

function stubScript() {
  const source = readFileSync(new URL("./stub_scripts.ts", import.meta.url), "utf8");
  return {
    config: {
      name: "stubs",
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: manifest("stubs.mjs", stripTypeScriptTypes(source)),
      exports: {
        EntityObject: { type: "durable-object" as const, storage: "sqlite" as const },
        TenantObject: { type: "durable-object" as const, storage: "sqlite" as const },
      },
    },
  };
}

function manifest(mainModule: string, contents: string) {
  return { mainModule, modules: { [mainModule]: { type: "esm" as const, contents } } };
}

let bundle: string | null = null;

/** What `wrangler deploy` would upload. */
function frontDoorBundle(): string {
  if (bundle !== null) return bundle;
  const folder = mkdtempSync(join(tmpdir(), "context-plane-"));
  const root = new URL("../../", import.meta.url).pathname;
  const wrangler = join(root, "node_modules/.bin/wrangler");
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" };
  execFileSync(wrangler, ["deploy", "--dry-run", "--outdir", folder], { cwd: root, env, stdio: "pipe" });
  bundle = readFileSync(join(folder, "worker.js"), "utf8");
  rmSync(folder, { recursive: true });
  return bundle;
}
