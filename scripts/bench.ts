/**
 * `npm run bench [-- --quick] [--rows vector-10k,text] [--runtime node|workerd] [--out file.json] [--readme]`
 *
 * Measures the kernel beside its peers (bench/peers), in Node and in workerd: everything in one run, question by
 * question in turns, against exact answers. Every corpus has a process of its own in each runtime; what ends or hangs it
 * is named, and the run goes on. Prints a table and where a peer wins, on stderr what took how long, and writes
 * bench/results/kernel.json and kernel.svg. `--quick` runs every row over a little data and writes nothing but `--out`;
 * so does a run narrowed by `--rows` (beginnings of row names) or `--runtime`. `--readme` puts what is recorded into the
 * README, and runs nothing.
 *
 * Real vectors lie in ../shared/data, or where CONTEXT_PLANE_DATA says; rows without data are skipped, aloud. Exits 1 when
 * one of our own systems fails.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { dataFolder } from "../bench/eval/datasets.ts";
import { chartOf } from "../bench/kernel/chart.ts";
import { OURS } from "../bench/kernel/contender.ts";
import { FULL, QUICK } from "../bench/kernel/plan.ts";
import {
  type BenchReport,
  formatTable,
  readmeSection,
  reportSchema,
  winLines,
  withSection,
} from "../bench/kernel/report.ts";
import { RUNTIMES, type RunResult, runBench } from "../bench/kernel/run.ts";
import { unitCostLines, unitCosts } from "../bench/kernel/unit_costs.ts";
import { PEERS_FOLDER } from "../bench/peers/node_peers.ts";
import { buildKernel, kernelIsFresh } from "./build_kernel.ts";

const CHECKOUT = join(import.meta.dirname, "..");
const RESULTS = join(CHECKOUT, "bench", "results");
const README = join(CHECKOUT, "README.md");

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rows: { type: "string" },
      runtime: { type: "string" },
      out: { type: "string" },
      readme: { type: "boolean", default: false },
    },
  });
  if (values.readme) return writeReadme();
  const { quick, rows, runtime, out } = values;
  if (!quick) installPeers();
  if (!kernelIsFresh()) await buildKernel();
  const beginnings = rows?.split(",") ?? [""];
  const result = await runBench({
    scale: quick ? QUICK : FULL,
    dataFolder: dataFolder(process.env, CHECKOUT),
    runtimes: runtime === undefined ? RUNTIMES : [chosenRuntime(runtime)],
    wants: (row) => beginnings.some((beginning) => row.startsWith(beginning)),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const report: BenchReport = {
    machine: machine(),
    commit: commit(),
    rows: [...result.rows],
    unit_costs: [...unitCosts(result.rows)],
    absent: [...result.absent],
  };
  show(report, quick);
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(report, null, 1)}\n`);
  if (!quick && rows === undefined && runtime === undefined) record(report);
  return ourFaults(result).length === 0 ? 0 : 1;
}

function chosenRuntime(name: string): (typeof RUNTIMES)[number] {
  const runtime = RUNTIMES.find((known) => known === name);
  if (runtime === undefined) throw new Error(`--runtime takes ${RUNTIMES.join(" or ")}, not ${name}`);
  return runtime;
}

/** Into their own folder, so that nobody else gets them. One without a binary for this machine may stay away. */
function installPeers(): void {
  if (existsSync(join(PEERS_FOLDER, "node_modules"))) return;
  const { status } = spawnSync("npm", ["ci"], { cwd: PEERS_FOLDER, stdio: "inherit" });
  if (status !== 0) throw new Error("the peers could not be installed: `npm ci` failed in bench/peers");
}

function show(report: BenchReport, quick: boolean): void {
  const absent = report.absent.map(
    ({ row, system, runtime, reason }) => `Not measured: ${row} in ${runtime}: ${system}: ${reason}`,
  );
  const end = quick ? ["", "A quick run: little data and few questions. Its figures mean nothing."] : [];
  const lines = [
    formatTable(report.rows),
    "",
    ...winLines(report.rows),
    "",
    ...unitCostLines(report.unit_costs),
    ...absent,
    ...end,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function record(report: BenchReport): void {
  writeFileSync(join(RESULTS, "kernel.json"), `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(join(RESULTS, "kernel.svg"), chartOf(report.rows));
  writeReadme();
}

function writeReadme(): number {
  const file = join(RESULTS, "kernel.json");
  const report = existsSync(file) ? reportSchema.parse(JSON.parse(readFileSync(file, "utf8"))) : null;
  writeFileSync(README, withSection(readFileSync(README, "utf8"), readmeSection(report)));
  return 0;
}

/** Nothing that names the machine. */
function machine(): BenchReport["machine"] {
  const workerd = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(CHECKOUT, "node_modules", "workerd", "package.json"), "utf8")));
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memory_bytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    workerd: workerd.version,
  };
}

/** With a `+` when the checkout has changes that are not committed. */
function commit(): string {
  const git = (...parameters: readonly string[]): string =>
    execFileSync("git", parameters, { cwd: CHECKOUT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed =
      git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!README.md") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${changed ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}

function ourFaults({ absent }: RunResult): readonly string[] {
  return absent
    .filter(({ reason, system }) => system.startsWith(OURS) && reason.startsWith("it failed"))
    .map(({ system }) => system);
}

process.exitCode = await main();
