/**
 * Keeps the runtime's process from outliving this one. A process killed with SIGKILL cannot clean up, and workerd goes
 * on serving its port and writing its state without it. So every workerd that this process spawns gets a sentinel: a
 * shell that reads a pipe from here. When the pipe closes without a word, it kills that workerd.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { basename } from "node:path";

const WATCH = 'read -r word; [ "$word" = released ] || kill -9 "$1" 2>/dev/null';

/** The workerd processes of this process that are alive, by the address their entry socket was told. */
const alive = new Map<string, number>();

let watching = false;

/** Takes effect for every workerd spawned from now on. Calling it again changes nothing. */
export function watchRuntimes(): void {
  if (watching) return;
  watching = true;
  subscribe("child_process", (message) => {
    if (!isSpawned(message)) return;
    const { process: child } = message;
    child.once("spawn", () => {
      if (basename(child.spawnfile).startsWith("workerd")) guard(child);
    });
  });
}

/** The process that serves `address`, as `host:port`. */
export function runtimePid(address: string): number | null {
  return alive.get(address) ?? null;
}

function guard(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const address = child.spawnargs.find((argument) => argument.startsWith("--socket-addr=entry="))?.slice(20) ?? "";
  alive.set(address, child.pid);
  // Detached, so that Ctrl-C in a terminal does not end the sentinel before its word.
  const sentinel = spawn("sh", ["-c", WATCH, "sentinel", String(child.pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  sentinel.on("error", () => {});
  sentinel.stdin.on("error", () => {});
  sentinel.unref();
  child.once("exit", () => {
    if (alive.get(address) === child.pid) alive.delete(address);
    sentinel.stdin.end("released\n");
  });
}

function isSpawned(message: unknown): message is { readonly process: ChildProcess } {
  return typeof message === "object" && message !== null && "process" in message;
}
