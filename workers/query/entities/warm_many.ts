/**
 * Warms many entities side by side, a few at a time. One that fails is named in its result.
 */
import type { Result } from "../../../core/errors.ts";
import { BULK_CONCURRENCY_MAX } from "../../../core/limits.ts";

export interface WarmResult {
  readonly entity: string;
  readonly result: Result<{ readonly bytes: number }>;
}

export async function warmMany(
  entities: readonly string[],
  warm: (entity: string) => Promise<Result<{ readonly bytes: number }>>,
): Promise<readonly WarmResult[]> {
  const results: WarmResult[] = [];
  for (let i = 0; i < entities.length; i += BULK_CONCURRENCY_MAX) {
    const some = entities.slice(i, i + BULK_CONCURRENCY_MAX);
    results.push(...(await Promise.all(some.map(async (entity) => ({ entity, result: await warm(entity) })))));
  }
  return results;
}
