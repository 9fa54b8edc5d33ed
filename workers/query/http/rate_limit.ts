/**
 * Bursts per tenant. The binding counts per location and is permissive: it protects, it does not account. So nobody waits
 * for it who has not gone too far: a request is counted after its answer, and only once that says "too many" do the
 * tenant's next requests wait for its word, until it is a yes again. What passes meanwhile is what was under way.
 */
import { fail, ok, type Result } from "../../../core/errors.ts";
import { RATE_LIMIT_PERIOD_SECONDS, RATE_LIMITED_NAMES_MAX } from "../../../core/limits.ts";
import type { Timer } from "../../../core/ports.ts";
import { afterAnswer } from "./after_answer.ts";

export interface RateLimiter {
  /** Counts one request of `name`; false when it has had its allowance. */
  allow(name: string): Promise<boolean>;
}

export interface RateLimit {
  /** Whether `name` may ask now. `countLater` is true when the request is still to be counted. */
  admit(name: string): Promise<Result<{ readonly countLater: boolean }>>;
  count(name: string): Promise<void>;
}

/** One an isolate: it remembers who went too far. */
export function createRateLimit(limiter: RateLimiter, timer: Pick<Timer, "sleep">): RateLimit {
  const limited = new Set<string>();
  return {
    async admit(name) {
      if (!limited.has(name)) return ok({ countLater: true });
      if (!(await limiter.allow(name))) {
        return fail({ reason: "rate_limited", retryAfterSeconds: RATE_LIMIT_PERIOD_SECONDS });
      }
      limited.delete(name);
      return ok({ countLater: false });
    },

    async count(name) {
      if (await afterAnswer(timer, () => limiter.allow(name))) return;
      const [oldest] = limited;
      if (limited.size >= RATE_LIMITED_NAMES_MAX && oldest !== undefined) limited.delete(oldest);
      limited.add(name);
    },
  };
}
