/**
 * `npm run cost [-- --entities 10000 --appends 1000000 --reads 1000000] [-- --sample 100]`
 *
 * What a deployment costs on the platform's paid plan: runs `sample` entities through the local runtime, counts what
 * they use of the store, the objects, the queue and the Workers, and multiplies by bench/cost/prices.ts. `appends` and
 * `reads` are a month's; left out, two deployments of common sizes are told.
 */
import { parseArgs } from "node:util";
import { formatMonth, formatUnits, type Usage, unitCosts } from "../bench/cost/report.ts";
import { APPENDS_A_VISIT, READS_A_VISIT, runCounted } from "../bench/cost/run.ts";

const MILLION = 1_000_000;

const { values } = parseArgs({
  options: {
    entities: { type: "string" },
    appends: { type: "string" },
    reads: { type: "string" },
    sample: { type: "string" },
  },
});

const isAsked = values.entities !== undefined || values.appends !== undefined || values.reads !== undefined;
const usages: readonly Usage[] = isAsked
  ? [{ entities: count("entities", 10_000), appends: count("appends", MILLION), reads: count("reads", MILLION) }]
  : [
      { entities: 10_000, appends: MILLION, reads: MILLION },
      { entities: MILLION, appends: 10 * MILLION, reads: 10 * MILLION },
    ];
const sample = count("sample", 100);
console.error(`counting ${sample} entities: ${APPENDS_A_VISIT} appends and ${READS_A_VISIT} reads of each`);
const units = unitCosts(await runCounted(sample));
console.log([formatUnits(units), ...usages.map((usage) => formatMonth(usage, units))].join("\n\n"));

function count(name: keyof typeof values, otherwise: number): number {
  const number = Number(values[name] ?? otherwise);
  if (Number.isSafeInteger(number) && number > 0) return number;
  console.error(`--${name} takes a whole number above 0, not ${values[name]}`);
  process.exit(1);
}
