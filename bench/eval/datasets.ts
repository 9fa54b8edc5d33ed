/**
 * Readers of the open evaluation sets. Each returns null when its folder is absent, so that a run can say what it
 * skipped. Nothing of a set is ever copied into the project.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Judgements } from "./metrics.ts";
import { readMatrix } from "./npy.ts";

/** Where the sets lie: CONTEXT_PLANE_DATA, or beside the checkout. */
export function dataFolder(environment: Readonly<Record<string, string | undefined>>, checkout: string): string {
  return environment.CONTEXT_PLANE_DATA ?? join(checkout, "..", "shared", "data");
}

export interface SetDocument {
  readonly id: string;
  /** Title and text joined. */
  readonly text: string;
  /** The scope it is searched in: a conversation, or the whole set. */
  readonly group: string;
  readonly ts: string | null;
}

export interface SetQuery {
  readonly id: string;
  readonly text: string;
  readonly group: string;
}

export interface RetrievalSet {
  readonly name: string;
  readonly documents: readonly SetDocument[];
  readonly queries: readonly SetQuery[];
  /** Judgements by query id. */
  readonly qrels: ReadonlyMap<string, Judgements>;
}

const documentSchema = z.object({
  _id: z.string(),
  title: z.string(),
  text: z.string(),
  conversation: z.string().optional(),
  timestamp: z.string().optional(),
});
const querySchema = z.object({ _id: z.string(), text: z.string(), conversation: z.string().optional() });

export function readRetrievalSet(data: string, folder: string, qrelsFile = "qrels.tsv"): RetrievalSet | null {
  const path = join(data, folder);
  if (!existsSync(path)) return null;
  return {
    name: folder,
    documents: readLines(join(path, "corpus.jsonl"), documentSchema).map((line) => ({
      id: line._id,
      text: `${line.title} ${line.text}`.trim(),
      group: line.conversation ?? folder,
      ts: line.timestamp ?? null,
    })),
    queries: readLines(join(path, "queries.jsonl"), querySchema).map((line) => ({
      id: line._id,
      text: line.text,
      group: line.conversation ?? folder,
    })),
    qrels: readQrels(join(path, qrelsFile)),
  };
}

/** Vectors made elsewhere for Cranfield, by document and by query id. */
export interface GivenVectors {
  readonly documents: ReadonlyMap<string, Float32Array>;
  readonly queries: ReadonlyMap<string, Float32Array>;
}

export function readCranfieldVectors(data: string): GivenVectors | null {
  const path = join(data, "cranfield_minilm");
  if (!existsSync(path)) return null;
  const documentIds = readLines(join(path, "corpus.upstream.jsonl"), z.object({ id: z.string() })).map(
    (line) => line.id,
  );
  const queryIds = z.array(z.string()).parse(JSON.parse(readFileSync(join(path, "query_ids.json"), "utf8")));
  return {
    documents: byId(documentIds, readMatrix(readFileSync(join(path, "doc_embeddings.npy")))),
    queries: byId(queryIds, readMatrix(readFileSync(join(path, "query_embeddings_ridge.npy")))),
  };
}

function byId(ids: readonly string[], rows: readonly Float32Array[]): Map<string, Float32Array> {
  if (ids.length !== rows.length) throw new Error(`${ids.length} ids for ${rows.length} vectors`);
  return new Map(ids.flatMap((id, index) => (rows[index] === undefined ? [] : [[id, rows[index]] as const])));
}

export interface SlackMessage {
  readonly id: string;
  readonly ts: string;
  readonly channel: string;
  readonly thread: string;
  readonly author: string;
  readonly text: string;
}

const slackSchema = z.object({
  id: z.string(),
  ts: z.string(),
  channel: z.string(),
  thread: z.string(),
  // One author has swallowed the mark-up of the messages after it.
  author: z.string().transform((author) => author.replace(/<.*$/su, "")),
  text: z.string(),
});

export function readSlack(data: string): readonly SlackMessage[] | null {
  const path = join(data, "tl_slack_racket", "messages.jsonl");
  return existsSync(path) ? readLines(path, slackSchema) : null;
}

const orderSchema = z.object({
  id: z.string(),
  ts: z.string(),
  account: z.string(),
  contact: z.string(),
  industry: z.string(),
  region: z.string(),
  product: z.string(),
  order: z.string(),
  amount: z.number(),
  qty: z.number(),
  text: z.string(),
});
export type CrmOrder = z.infer<typeof orderSchema>;

export function readCrm(data: string): readonly CrmOrder[] | null {
  const path = join(data, "tl_crm", "orders.jsonl");
  return existsSync(path) ? readLines(path, orderSchema) : null;
}

function readLines<T>(path: string, schema: z.ZodType<T>): T[] {
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return lines.map((line) => schema.parse(JSON.parse(line)));
}

/** `query document grade` a line, apart by tabs. */
function readQrels(path: string): Map<string, Map<string, number>> {
  const qrels = new Map<string, Map<string, number>>();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const [query, document, grade] = line.split("\t");
    if (query === undefined || document === undefined || grade === undefined) continue;
    const judgements = qrels.get(query) ?? new Map<string, number>();
    judgements.set(document, Number(grade));
    qrels.set(query, judgements);
  }
  return qrels;
}
