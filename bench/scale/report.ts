/** What `npm run scale` found. */
import { z } from "zod";

const latencySchema = z.object({ p50_ms: z.number(), p99_ms: z.number(), requests: z.number().int() });
const memorySchema = z.object({
  /** Of the process that runs the scripts: now, and the most so far, as the operating system counts them. */
  resident_bytes: z.number().nullable(),
  peak_bytes: z.number().nullable(),
});

export const scaleReportSchema = z.object({
  machine: z.string(),
  dimensions: z.number().int(),
  /** One scope that grows. */
  chunks: z.array(
    z.object({
      chunks: z.number().int(),
      shards: z.number().int(),
      /** Appending and indexing, since the size before. */
      ingest_seconds: z.number(),
      events_per_second: z.number(),
      latencies: z.record(z.string(), latencySchema),
      memory: memorySchema,
    }),
  ),
  /** One tenant that grows. */
  entities: z.array(
    z.object({
      entities: z.number().int(),
      ingest_seconds: z.number(),
      events_per_second: z.number(),
      latencies: z.record(z.string(), latencySchema),
      memory: memorySchema,
    }),
  ),
});

export type ScaleReport = z.infer<typeof scaleReportSchema>;
export type ChunkRow = ScaleReport["chunks"][number];
export type EntityRow = ScaleReport["entities"][number];
export type Latency = z.infer<typeof latencySchema>;

/** Of times in milliseconds, at least one. */
export function latencyOf(times: readonly number[]): Latency {
  const ascending = [...times].sort((a, b) => a - b);
  const at = (share: number): number => rounded(ascending[Math.ceil(share * ascending.length) - 1] ?? 0);
  return { p50_ms: at(0.5), p99_ms: at(0.99), requests: times.length };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** One size in a line. */
export function lineOf(name: string, row: ChunkRow | EntityRow): string {
  const { memory, latencies } = row;
  const mib = (bytes: number | null): string => (bytes === null ? "?" : `${Math.round(bytes / 2 ** 20)} MiB`);
  const times = Object.entries(latencies).map(([kind, { p50_ms, p99_ms }]) => `${kind} ${p50_ms} / ${p99_ms} ms`);
  const rate = `${Math.round(row.events_per_second)} events/s`;
  return `${name}: ${rate}; ${times.join(", ")}; memory ${mib(memory.resident_bytes)}, peak ${mib(memory.peak_bytes)}`;
}
