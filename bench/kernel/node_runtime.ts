/**
 * Sessions in Node: every corpus in a process of its own, so that a native peer that crashes, hangs or fills the memory
 * takes nobody else's corpus with it, and nobody's garbage is left for the next. It is ended by force: libraries hold
 * threads that never end.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Binaries, Call } from "./node_process.ts";
import type { AskReport, OpenRefusal, OpenReport, Refusal, Runtime, SystemName } from "./session.ts";

/** @param entry what the process runs: a file that calls `serveParent` */
export function nodeRuntime(entry: string, binaries: Binaries): Runtime {
  return {
    async start(corpus, budgets) {
      const folder = mkdtempSync(join(tmpdir(), "bench-"));
      const child = fork(entry, [], {
        serialization: "advanced",
        execArgv: ["--no-warnings", "--expose-gc"],
        env: { ...process.env, TMPDIR: folder },
        // What a peer prints is no part of the report.
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      const ended = new Promise<void>((resolve) => {
        child.once("exit", () => resolve());
      });
      const end = async (): Promise<void> => {
        if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
        await ended;
        rmSync(folder, { recursive: true, force: true });
      };
      const post = (call: Call): Promise<unknown> => answered(child, call, budgets.silenceMsMax);
      try {
        const begun = (await post({ call: "begin", binaries, corpus, budgets })) as {
          readonly systems: readonly SystemName[];
          readonly absent: readonly Refusal[];
        };
        return {
          ...begun,
          open: (system) => post({ call: "open", system }) as Promise<OpenReport | OpenRefusal>,
          ask: (set) => post({ call: "ask", set }) as Promise<AskReport>,
          end,
        };
      } catch (error) {
        await end();
        throw error;
      }
    },
  };
}

function answered(child: ChildProcess, call: Call, msMax: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      then();
    };
    const onMessage = (value: unknown): void => settle(() => resolve(value));
    const onExit = (code: number | null, signal: string | null): void =>
      settle(() => reject(new Error(`its process ended by ${signal === null ? `code ${code}` : signal}`)));
    const timer = setTimeout(
      () => settle(() => reject(new Error(`its process was silent for ${msMax / 1_000} s`))),
      msMax,
    );
    if (child.exitCode !== null || child.signalCode !== null) return onExit(child.exitCode, child.signalCode);
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(call, (error) => {
      if (error !== null) settle(() => reject(new Error(`its process could not be asked: ${error.message}`)));
    });
  });
}
