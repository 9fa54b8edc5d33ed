/**
 * The load generator: a process of its own, told by one message (`LoadPlan`), answering with one (`LoadReport`).
 *
 * Open loop: each request has a time at which it is due, and its latency counts from then, so a stalled server shows in
 * every request that it kept waiting (no coordinated omission). Timers of an event loop come up to a millisecond late,
 * so the last stretch before a request is due is spent in turns of the loop.
 */
import { Agent, request } from "node:http";
import { type Ask, type LoadPlan, type LoadReport, NUMBER } from "./load.ts";

/** Before a request is due, no timer is trusted. */
const TURNS_MS = 2;
const SAMPLES_MAX = 5;
const TIMEOUT_MS = 60_000;

process.once("message", async (plan: LoadPlan) => {
  const report = await run(plan);
  process.send?.(report, () => process.disconnect());
});

async function run(plan: LoadPlan): Promise<LoadReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, scheduling: "fifo" });
  const intervalMs = 1_000 / plan.rate;
  const all = plan.warmup + plan.requests;
  const latenciesMs: number[] = [];
  const floorLatenciesMs: number[] = [];
  const lateMs: number[] = [];
  const errorSamples: string[] = [];
  const underWay: Promise<unknown>[] = [];
  const followed = new Map<string, Promise<unknown>>();
  let errors = 0;

  /** Even turns are the plan's, odd ones the floor's, half an interval later. */
  const turns = plan.floor === null ? all : 2 * all;
  const isFloor = (turn: number): boolean => plan.floor !== null && turn % 2 === 1;
  const spacingMs = plan.floor === null ? intervalMs : intervalMs / 2;
  const fromMs = performance.now() + 100;

  const send = async (turn: number): Promise<void> => {
    const dueMs = fromMs + turn * spacingMs;
    const number = plan.floor === null ? turn : turn >> 1;
    const ask = isFloor(turn) ? plan.floor : plan.asks[number % plan.asks.length];
    if (ask === null || ask === undefined) return;
    const sentMs = performance.now();
    const answer = await inTurn(ask, () => exchange(plan, agent, ask, number));
    if (number < plan.warmup) return;
    (isFloor(turn) ? floorLatenciesMs : latenciesMs).push(answer.atMs - dueMs);
    lateMs.push(sentMs - dueMs);
    const wrong = faultOf(ask, answer);
    if (wrong === null) return;
    errors += 1;
    if (errorSamples.length < SAMPLES_MAX) errorSamples.push(`${ask.method} ${ask.path}: ${wrong}`);
  };

  /** What follows an answer must not meet another request: those of one entity go one after another, late if need be. */
  const inTurn = async (ask: Ask, exchanged: () => Promise<Exchanged>): Promise<Exchanged> => {
    const { after } = ask;
    if (after === null) return exchanged();
    const answer = (followed.get(after) ?? Promise.resolve()).then(exchanged);
    const follow = () => exchange(plan, agent, { ...ask, method: "POST", path: after, body: null }, 0);
    const done = answer.then(follow);
    followed.set(after, done);
    underWay.push(done);
    return answer;
  };

  await new Promise<void>((sentAll) => {
    let turn = 0;
    const next = (): void => {
      while (turn < turns && performance.now() >= fromMs + turn * spacingMs) underWay.push(send(turn++));
      if (turn === turns) {
        sentAll();
        return;
      }
      const waitMs = fromMs + turn * spacingMs - performance.now();
      if (waitMs > TURNS_MS) setTimeout(next, waitMs - TURNS_MS);
      else setImmediate(next);
    };
    next();
  });
  await Promise.all(underWay);
  agent.destroy();
  const seconds = (performance.now() - fromMs) / 1_000;
  return { latenciesMs, floorLatenciesMs, lateMs, errors, errorSamples, seconds };
}

interface Exchanged {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly text: string;
  readonly atMs: number;
}

function exchange({ url, key }: LoadPlan, agent: Agent, ask: Ask, number: number): Promise<Exchanged> {
  const body = ask.body === null ? null : Buffer.from(ask.body.replaceAll(NUMBER, String(number)));
  const headers = {
    authorization: `Bearer ${key}`,
    ...(body !== null && { "content-type": "application/json", "content-length": body.length }),
  };
  return new Promise((settle) => {
    const failed = (error: Error): void => settle({ status: 0, text: error.message, atMs: performance.now() });
    const asked = request(
      `${url}${ask.path}`,
      { method: ask.method, headers, agent, timeout: TIMEOUT_MS },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          const atMs = performance.now();
          settle({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString(), atMs });
        });
        answer.on("error", failed);
      },
    );
    asked.on("error", failed);
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    asked.end(body ?? undefined);
  });
}

/** null when the answer is as it should be. */
function faultOf(ask: Ask, { status, text }: Exchanged): string | null {
  if (status !== ask.status) return `${status} ${text.slice(0, 200)}`;
  if (ask.tier === null) return null;
  const { performance: told } = JSON.parse(text) as { performance: { cache: string } };
  return told.cache === ask.tier ? null : `came from ${told.cache}, not ${ask.tier}`;
}
