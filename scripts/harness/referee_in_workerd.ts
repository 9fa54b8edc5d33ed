/**
 * A Worker of its own beside the scripts under `harness:production`: knows what no isolate knows by itself. Who asks with
 * GET gets what it has seen.
 */
import { WorkerEntrypoint } from "cloudflare:workers";

/** R2 takes about one write a second of a key. */
const WRITE_INTERVAL_MS = 1_000;
/** Keys remembered before those that may be written again are forgotten. */
const KEYS_MAX = 10_000;
const NAMED_MAX = 100;

export interface RefereeReport {
  readonly writes: number;
  /** Writes that were refused: the key had been written less than a second before. */
  readonly refused: number;
  readonly refusedKeys: readonly string[];
  /** Invocations that took longer than their script may compute. */
  readonly tookLong: readonly { readonly name: string; readonly ms: number }[];
}

const writtenMs = new Map<string, number>();
const tookLong: { name: string; ms: number }[] = [];
const refusedKeys: string[] = [];
let writes = 0;
let refused = 0;

export class Referee extends WorkerEntrypoint {
  mayWrite(key: string): boolean {
    const nowMs = Date.now();
    const may = nowMs - (writtenMs.get(key) ?? 0) >= WRITE_INTERVAL_MS;
    if (may) {
      writes += 1;
      writtenMs.delete(key);
      writtenMs.set(key, nowMs);
      if (writtenMs.size > KEYS_MAX) forget(nowMs);
    } else {
      refused += 1;
      if (refusedKeys.length < NAMED_MAX) refusedKeys.push(key);
    }
    return may;
  }

  tookLong(name: string, ms: number): void {
    if (tookLong.length < NAMED_MAX) tookLong.push({ name, ms });
  }
}

/** In order of their writes. */
function forget(nowMs: number): void {
  for (const [key, ms] of writtenMs) {
    if (nowMs - ms < WRITE_INTERVAL_MS) return;
    writtenMs.delete(key);
  }
}

export default {
  fetch(): Response {
    const report: RefereeReport = { writes, refused, refusedKeys, tookLong };
    return Response.json(report);
  },
} satisfies ExportedHandler;
