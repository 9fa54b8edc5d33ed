/**
 * `npm run relevance`: a small judged set of our own, over the search path without its transport. Part of
 * `npm run check`: exits 1 when ranking falls below its floors. The set lies in bench/relevance/*.jsonl.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { mean, ndcgAt } from "../bench/eval/metrics.ts";
import { indexScope, openInProcess, type Scope, type SearchInput } from "../bench/relevance/in_process.ts";

const FOLDER = join(import.meta.dirname, "..", "bench", "relevance");
const CUTOFF = 10;

/** What was measured when the set was written, less a little room; raise them when ranking improves. */
const FLOORS = { textNdcg: 0.93, vectorNdcg: 0.92, identifierAt1: 1, languageAt1: 1 };
/** What the embedded embedder may take from good text. */
const HYBRID_LOSS_MAX = 0.005;

const documentSchema = z.strictObject({ id: z.string(), text: z.string() });
const querySchema = z.strictObject({
  id: z.string(),
  kind: z.enum(["topic", "identifier", "language", "typo"]),
  text: z.string(),
  relevant: z.record(z.string(), z.number()),
  /** The first hit's text must contain it. */
  contains: z.string().optional(),
});
type Query = z.infer<typeof querySchema>;
type Mode = SearchInput["mode"];

interface Check {
  readonly name: string;
  readonly value: number;
  readonly floor: number;
}

function main(): number {
  const queries = readLines("queries.jsonl", querySchema);
  const scope = indexScope(openInProcess(), readLines("documents.jsonl", documentSchema));
  const checks = measure(scope, queries);
  for (const { name, value, floor } of checks) {
    console.log(`${name.padEnd(34)} ${value.toFixed(4)}   floor ${floor.toFixed(4)}${value < floor ? "   BELOW" : ""}`);
  }
  for (const query of queries) explainLoss(scope, query);
  return checks.some(({ value, floor }) => value < floor) ? 1 : 0;
}

function measure(scope: Scope, queries: readonly Query[]): readonly Check[] {
  const ndcg = (mode: Mode): number => mean(queries.map((query) => ndcgOf(scope, query, mode)));
  const of = (kind: Query["kind"]): readonly Query[] => queries.filter((query) => query.kind === kind);
  const text = ndcg("text");
  const firstIsRelevant = (query: Query): number => (isRelevant(query, ranking(scope, query, "hybrid")[0]) ? 1 : 0);
  return [
    { name: `text nDCG@${CUTOFF}`, value: text, floor: FLOORS.textNdcg },
    { name: `hybrid nDCG@${CUTOFF}`, value: ndcg("hybrid"), floor: text - HYBRID_LOSS_MAX },
    { name: `vector nDCG@${CUTOFF}`, value: ndcg("vector"), floor: FLOORS.vectorNdcg },
    {
      name: "identifiers at rank 1, hybrid",
      value: mean(of("identifier").map((query) => (hasIdentifierFirst(scope, query) ? 1 : 0))),
      floor: FLOORS.identifierAt1,
    },
    {
      name: "other languages at rank 1, hybrid",
      value: mean(of("language").map(firstIsRelevant)),
      floor: FLOORS.languageAt1,
    },
  ];
}

function explainLoss(scope: Scope, query: Query): void {
  const value = ndcgOf(scope, query, "hybrid");
  if (value === 1) return;
  console.log(
    `  ${query.id} ${value.toFixed(3)} “${query.text}” → ${ranking(scope, query, "hybrid").slice(0, 5).join(" ")}`,
  );
}

function hasIdentifierFirst(scope: Scope, query: Query): boolean {
  const first = scope.search({ text: query.text, mode: "hybrid", top_k: 1 })[0];
  return (query.contains !== undefined && first?.text.includes(query.contains)) ?? false;
}

function isRelevant(query: Query, id: string | undefined): boolean {
  return id !== undefined && (query.relevant[id] ?? 0) > 0;
}

function ndcgOf(scope: Scope, query: Query, mode: Mode): number {
  return ndcgAt(CUTOFF, ranking(scope, query, mode), new Map(Object.entries(query.relevant)));
}

function ranking(scope: Scope, query: Query, mode: Mode): readonly string[] {
  return scope.search({ text: query.text, mode, top_k: CUTOFF }).map((hit) => hit.id);
}

function readLines<T>(file: string, schema: z.ZodType<T>): T[] {
  const lines = readFileSync(join(FOLDER, file), "utf8").trim().split("\n");
  return lines.map((line) => schema.parse(JSON.parse(line)));
}

process.exitCode = main();
