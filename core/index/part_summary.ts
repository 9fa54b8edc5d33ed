/** What a part says of itself before anything else of it is read: JSON, the first section of a shard. */
import { z } from "zod";
import { fail, ok, type Result } from "../errors.ts";
import { VECTOR_DIMENSIONS_MAX } from "../limits.ts";
import type { PartVectors } from "./part.ts";
import { corrupt } from "./shard_file.ts";

/** What is known of a part's vectors without their section. */
export type VectorsSummary = Pick<PartVectors, "space" | "from">;

export interface PartSummary {
  readonly rows: number;
  readonly documents: number;
  /** Event times of the rows that are not tombstones, epoch milliseconds. */
  readonly times: { readonly min: number; readonly max: number } | null;
  readonly vectors: { readonly supplied: VectorsSummary | null; readonly embedded: VectorsSummary | null };
  /** Every attribute name has its column; if not, the others are read from the lines. */
  readonly columnsComplete: boolean;
}

const countSchema = z.number().int().min(0);

const vectorsSchema = z
  .object({
    model: z.string(),
    dimensions: z.number().int().min(1).max(VECTOR_DIMENSIONS_MAX),
    from: z.number().int().min(1),
  })
  .transform(({ model, dimensions, from }): VectorsSummary => ({ space: { model, dimensions }, from }))
  .nullable();

/** Members that a later minor version adds are ignored. */
const partSummarySchema = z
  .object({
    rows: countSchema,
    documents: countSchema,
    times: z.object({ min_ms: z.number().int(), max_ms: z.number().int() }).nullable(),
    vectors: z.object({ supplied: vectorsSchema, embedded: vectorsSchema }),
    columns_complete: z.boolean(),
  })
  .transform(
    ({ rows, documents, times, vectors, columns_complete }): PartSummary => ({
      rows,
      documents,
      times: times && { min: times.min_ms, max: times.max_ms },
      vectors,
      columnsComplete: columns_complete,
    }),
  );

export function writeSummary({ rows, documents, times, vectors, columnsComplete }: PartSummary): Uint8Array {
  const stored = {
    rows,
    documents,
    times: times && { min_ms: times.min, max_ms: times.max },
    vectors: { supplied: storedVectors(vectors.supplied), embedded: storedVectors(vectors.embedded) },
    columns_complete: columnsComplete,
  };
  return new TextEncoder().encode(JSON.stringify(stored));
}

function storedVectors(vectors: VectorsSummary | null): z.input<typeof vectorsSchema> {
  return vectors && { model: vectors.space.model, dimensions: vectors.space.dimensions, from: vectors.from };
}

export function readSummary(bytes: Uint8Array): Result<PartSummary> {
  const parsed = partSummarySchema.safeParse(jsonOf(bytes));
  return parsed.success ? ok(parsed.data) : fail(corrupt("summary"));
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
