/**
 * What the load generator is told and what it says: messages between the benchmark and its process (load_process.ts).
 */

export interface Ask {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** `NUMBER` in it becomes the request's number, so that what is written is never the same. */
  readonly body: string | null;
  readonly status: number;
  /** Where the answer must say it came from. */
  readonly tier: "memory" | "ssd" | "cold" | null;
  /** Is asked right after the answer, before any other ask with the same; not timed. */
  readonly after: string | null;
}

export const NUMBER = "{number}";

export interface LoadPlan {
  readonly url: string;
  readonly key: string;
  /** Requests a second, at even intervals: whatever the answers take, the next one is due when it is due. */
  readonly rate: number;
  /** Timed requests; `warmup` more go before them. */
  readonly requests: number;
  readonly warmup: number;
  /** In turn. */
  readonly asks: readonly Ask[];
  /** Asked at the same rate, in the middle of the intervals. */
  readonly floor: Ask | null;
}

export interface LoadReport {
  /** Milliseconds from when a request was due to the last byte of its answer; of a failed one too. */
  readonly latenciesMs: readonly number[];
  readonly floorLatenciesMs: readonly number[];
  /** How long after it was due a request was sent: the generator's own share. */
  readonly lateMs: readonly number[];
  readonly errors: number;
  /** Of the first few. */
  readonly errorSamples: readonly string[];
  readonly seconds: number;
}
