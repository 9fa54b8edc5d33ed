/** Runs one load in a process of its own. */
import { fork } from "node:child_process";
import { join } from "node:path";
import type { LoadPlan, LoadReport } from "./load.ts";

export function generateLoad(plan: LoadPlan): Promise<LoadReport> {
  const child = fork(join(import.meta.dirname, "load_process.ts"), { execArgv: ["--no-warnings"] });
  return new Promise((settle, reject) => {
    child.once("message", (report) => settle(report as LoadReport));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the load generator ended with code ${code}`)));
    child.send(plan);
  });
}
