/**
 * What the commands that serve have in common: their settings from the shell, and their end.
 */
import type { Runtime, RuntimeOptions } from "./runtime.ts";
import { variablesFrom } from "./variables.ts";

export const PORT_DEFAULT = 8787;
export const STATE_DIR_DEFAULT = ".wrangler/state";

/** How often to look whether npm is still there. */
const PARENT_CHECK_MS = 250;

/** A variable of the shell that means nothing; the message says which and why. */
export class SettingError extends Error {}

type Shell = Readonly<Record<string, string | undefined>>;

/** Serves until it is told to stop. `harness` is what runs around the scripts and beside them. */
export async function serve(harness: Pick<RuntimeOptions, "around" | "companions"> = {}): Promise<void> {
  endWithNpm();
  // Not before: who only asks for settings does without the second that the local runtime takes to load.
  const { bootRuntime, PortInUseError } = await import("./runtime.ts");
  try {
    const runtime = await bootRuntime({ ...serveOptions(process.env), ...harness });
    stopOnSignals(runtime);
    console.log(`ready on ${runtime.url}`);
  } catch (error) {
    console.error(error instanceof PortInUseError || error instanceof SettingError ? error.message : error);
    process.exit(1);
  }
}

/** PORT, HOST, STATE_DIR, INDEXING and what variables.ts hands on. Throws a sentence on a value that means nothing. */
export function serveOptions(shell: Shell): RuntimeOptions {
  return {
    port: readPort(shell.PORT),
    host: shell.HOST || "127.0.0.1",
    stateDir: shell.STATE_DIR || STATE_DIR_DEFAULT,
    variables: variablesFrom(shell),
    indexing: readIndexing(shell.INDEXING),
  };
}

function readPort(text: string | undefined): number {
  const port = Number(text || PORT_DEFAULT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new SettingError(`PORT is ${text}, which is no port`);
  return port;
}

function readIndexing(text: string | undefined): "paused" | "running" {
  if (text === undefined || text === "" || text === "running") return "running";
  if (text === "paused") return "paused";
  throw new SettingError(`INDEXING is ${text}; it can be running or paused`);
}

/** Ends the process in order at the first SIGINT or SIGTERM, at once at the second. */
export function stopOnSignals(runtime: Runtime): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      runtime.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    });
  }
}

/**
 * `npm start` that was killed leaves its child behind, holding the port: it ends when its parent changes. The scripts of
 * package.json say `exec`, so that the parent is npm and not the shell that npm starts.
 */
export function endWithNpm(): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, PARENT_CHECK_MS);
  timer.unref();
}
