/**
 * The four scripts of a deployment: where their configuration lies, in the order in which a new account needs them.
 * A script that another binds to comes before it.
 */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "..");

export interface DeployedScript {
  /** Relative to the root. */
  readonly config: string;
}

export const OBJECTS: DeployedScript = { config: "durable-objects/wrangler.toml" };
export const INGEST: DeployedScript = { config: "workers/ingest/wrangler.toml" };
export const INDEXER: DeployedScript = { config: "workers/indexer/wrangler.toml" };
export const FRONT_DOOR: DeployedScript = { config: "wrangler.toml" };

export const SCRIPTS: readonly DeployedScript[] = [OBJECTS, INGEST, INDEXER, FRONT_DOOR];

/** Without these wrangler reports usage, looks for a newer release and leaves log files in the home folder. */
export const WRANGLER_OFFLINE: Readonly<Record<string, string>> = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

export interface CommandOutcome {
  readonly code: number;
  /** What it wrote to both streams, unless it wrote to ours. */
  readonly output: string;
}

/** Runs `node …` at the root. `inherit` shows its output as it comes; `capture` keeps it for an error message. */
export function runNode(
  parameters: readonly string[],
  streams: "inherit" | "capture",
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandOutcome> {
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, parameters, {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: streams === "inherit" ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => settle({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

export const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
