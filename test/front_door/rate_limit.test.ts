import { describe, expect, it } from "vitest";
import { RATE_LIMIT_PERIOD_SECONDS, RATE_LIMITED_NAMES_MAX } from "../../core/limits.ts";
import { createRateLimit } from "../../workers/query/http/rate_limit.ts";

/** Allows each name so many requests. */
function counting(allowance: number) {
  const counted = new Map<string, number>();
  const limiter = {
    allow: async (name: string) => {
      const count = (counted.get(name) ?? 0) + 1;
      counted.set(name, count);
      return count <= allowance;
    },
  };
  return { limiter, counted };
}

const timer = { sleep: () => Promise.resolve() };

describe("the rate limit", () => {
  it("counts every request once, whether it was waited for or not", async () => {
    const { limiter, counted } = counting(3);
    const rate = createRateLimit(limiter, timer);
    for (let i = 0; i < 6; i++) {
      const admitted = await rate.admit("acme");
      if (admitted.ok && admitted.value.countLater) await rate.count("acme");
    }
    expect(counted.get("acme")).toBe(6);
  });

  it("refuses from the request after the one that was too many, and admits again at the first yes", async () => {
    const { limiter, counted } = counting(2);
    const rate = createRateLimit(limiter, timer);
    const ask = async () => {
      const admitted = await rate.admit("acme");
      if (admitted.ok && admitted.value.countLater) await rate.count("acme");
      return admitted.ok;
    };
    expect([await ask(), await ask(), await ask(), await ask(), await ask()]).toEqual([true, true, true, false, false]);
    expect(await rate.admit("acme")).toEqual({
      ok: false,
      failure: { reason: "rate_limited", retryAfterSeconds: RATE_LIMIT_PERIOD_SECONDS },
    });
    expect((await rate.admit("other")).ok).toBe(true);
    counted.set("acme", 0);
    expect(await rate.admit("acme")).toEqual({ ok: true, value: { countLater: false } });
    expect(await rate.admit("acme")).toEqual({ ok: true, value: { countLater: true } });
  });

  it("remembers a bounded number of those that went too far", async () => {
    const rate = createRateLimit(counting(0).limiter, timer);
    for (let i = 0; i <= RATE_LIMITED_NAMES_MAX; i++) await rate.count(`t${i}`);
    expect((await rate.admit("t0")).ok).toBe(true);
    expect((await rate.admit("t1")).ok).toBe(false);
    expect((await rate.admit(`t${RATE_LIMITED_NAMES_MAX}`)).ok).toBe(false);
  });
});
