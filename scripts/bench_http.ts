/**
 * `npm run bench:http [-- --quick] [--rows "hybrid,text warm"] [--mixed-seconds 60] [--requests 1000] [--resume]
 *                    [--out file.json] [--profile]`
 *
 * Measures the plane through HTTP in the local runtime: open-loop load from when each request is due, beside a plain
 * Worker in the same process as the floor. Prints each row against its goal and writes bench/results/http.json and
 * http.svg; `--quick` runs every row over little data and writes nothing but `--out`.
 *
 * --rows      beginnings of names of rows; the others keep what was recorded before
 * --resume    keeps the state of the plane from the last run, and rows that were recorded at this commit
 * --requests  timed requests of a row, other than what a recording needs; nothing is recorded then
 * --profile   says where the isolates spent their time; what it measures then is slower
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { httpChart } from "../bench/http/chart.ts";
import { formatHttpTable, type HttpReport, type HttpRow, httpReportSchema } from "../bench/http/report.ts";
import { runHttpBench } from "../bench/http/run.ts";
import { FULL, QUICK, type Scenario, scenarios } from "../bench/http/scenarios.ts";
import { ROOT } from "./deployment.ts";

const RESULTS = join(ROOT, "bench", "results");
const STATE = join(ROOT, ".wrangler", "bench_http");
const INSPECTOR_PORT = 9_230;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rows: { type: "string" },
      "mixed-seconds": { type: "string" },
      requests: { type: "string" },
      resume: { type: "boolean", default: false },
      out: { type: "string" },
      profile: { type: "boolean", default: false },
    },
  });
  const { quick, resume, out, profile } = values;
  const scale = quick
    ? QUICK
    : {
        ...FULL,
        mixedSeconds: Number(values["mixed-seconds"] ?? FULL.mixedSeconds),
        requestsMax: Number(values.requests ?? FULL.requestsMax),
      };
  const records = !quick && !profile && values.requests === undefined;
  const known = quick ? [] : recorded();
  const at = commit();
  const done = resume ? known.filter((row) => row.commit === at) : [];
  const beginnings = values.rows?.split(",") ?? [""];
  const wanted = scenarios(scale).filter(
    (scenario) =>
      beginnings.some((beginning) => scenario.name.startsWith(beginning)) && !done.some((row) => isOf(row, scenario)),
  );
  const rows = new Map(known.map((row) => [nameOf(row), row]));
  const stateDir = quick ? mkdtempSync(join(tmpdir(), "context-plane-")) : STATE;
  if (!quick && !resume) rmSync(STATE, { recursive: true, force: true });
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = (): HttpReport => ({ quick, machine: machine(), rows: inOrder([...rows.values()]) });
  try {
    await runHttpBench({
      scale,
      scenarios: wanted,
      stateDir,
      commit: at,
      inspectorPort: profile ? INSPECTOR_PORT : null,
      say,
      record(row) {
        rows.set(nameOf(row), row);
        say(formatHttpTable([row]));
        for (const sample of row.error_samples) say(`  ${sample}`);
        if (records) writeReport(join(RESULTS, "http.json"), report());
        if (out !== undefined) writeReport(out, report());
      },
    });
  } finally {
    if (quick) rmSync(stateDir, { recursive: true, force: true });
  }
  if (records) writeFileSync(join(RESULTS, "http.svg"), httpChart(report().rows));
  process.stdout.write(`${formatHttpTable(report().rows)}\n`);
  if (quick) process.stdout.write("A quick run: little data and few questions. Its figures mean nothing.\n");
}

function inOrder(rows: readonly HttpRow[]): HttpRow[] {
  return scenarios(FULL).flatMap((scenario) => rows.filter((row) => isOf(row, scenario)));
}

function isOf(row: HttpRow, { name, harness }: Scenario): boolean {
  return row.scenario === name && row.harness === harness;
}

function nameOf({ scenario, harness }: HttpRow): string {
  return `${scenario}, ${harness}`;
}

function recorded(): readonly HttpRow[] {
  const file = join(RESULTS, "http.json");
  if (!existsSync(file)) return [];
  return httpReportSchema.parse(JSON.parse(readFileSync(file, "utf8"))).rows;
}

function writeReport(file: string, report: HttpReport): void {
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
}

/** Nothing that names the machine. */
function machine(): HttpReport["machine"] {
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules", "workerd", "package.json"), "utf8")) as {
    version: string;
  };
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memory_bytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    workerd: version,
  };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

await main();
