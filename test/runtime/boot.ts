/**
 * The real four-script topology for a test: in this process, or as `npm start` would run it, in a process of its own
 * that can be killed. State lies in a folder that outlives restarts and is removed at the end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/deployment.ts";
import { bootRuntime, type Runtime, type RuntimeOptions } from "../../scripts/runtime.ts";

export const DEVELOPMENT_KEY = "ck_dev_contextplane";

export interface TestRuntime {
  readonly stateDir: string;
  url(): string;
  /** With the development key unless `init` names another; JSON unless it is something else. */
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Stops in order, does what is to be done in `between`, and boots again on the same state. */
  restart(options?: Partial<RuntimeOptions>, between?: () => Promise<void>): Promise<void>;
  sweep(): Promise<void>;
  /** Stops and removes the state. */
  close(): Promise<void>;
}

export async function bootTestRuntime(options: Partial<RuntimeOptions> = {}): Promise<TestRuntime> {
  const stateDir = await temporaryStateDir();
  const boot = (changes: Partial<RuntimeOptions>): Promise<Runtime> =>
    bootRuntime({ port: 0, stateDir, quiet: true, ...options, ...changes });
  let runtime = await boot({});
  return {
    stateDir,
    url: () => runtime.url,
    call: (method, path, body, headers) => call(runtime.url, method, path, body, headers),
    sweep: () => runtime.sweep(),
    async restart(changes = {}, between = async () => undefined) {
      await runtime.stop();
      await between();
      runtime = await boot(changes);
    },
    async close() {
      await runtime.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

export interface SpawnedRuntime {
  readonly url: string;
  readonly call: TestRuntime["call"];
  /** All that it wrote to both streams so far. */
  output(): string;
  /** SIGKILL, with no chance to clean up. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves with the exit code. */
  terminate(): Promise<number | null>;
}

/** Runs scripts/start.ts in a process of its own; rejects with what it printed when it ends before it is ready. */
export async function spawnRuntime(
  stateDir: string,
  port: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<SpawnedRuntime> {
  const { npm_lifecycle_event: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [join(ROOT, "scripts/start.ts")], {
    cwd: ROOT,
    env: { ...inherited, PORT: String(port), STATE_DIR: stateDir, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  const url = await readyUrl(child);
  const end = (signal: NodeJS.Signals): Promise<number | null> =>
    new Promise((settle) => {
      child.once("exit", (code) => settle(code));
      child.kill(signal);
    });
  return {
    url,
    call: (method, path, body, headers) => call(url, method, path, body, headers),
    output: () => output,
    kill: async () => void (await end("SIGKILL")),
    terminate: () => end("SIGTERM"),
  };
}

export function temporaryStateDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), "context-plane-"));
}

function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((settle, reject) => {
    let output = "";
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const url = /^ready on (http:\S+)$/m.exec(output)?.[1];
      if (url !== undefined) settle(url);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    // Not "exit": what it printed last may still be on its way then.
    child.once("close", (code) => reject(new Error(`ended with code ${code} before it was ready:\n${output}`)));
  });
}

function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  return fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${DEVELOPMENT_KEY}`,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
  });
}
