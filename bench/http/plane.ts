/**
 * The plane that is measured: the local runtime with the floor beside the scripts and the forgetful harness around them,
 * and, where asked for, that of production too.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WRITE_AFTER_READ_MS } from "../../core/limits.ts";
import { javascript } from "../../scripts/harness/around.ts";
import { companion, productionHarness } from "../../scripts/harness/production.ts";
import { bootRuntime, type Runtime } from "../../scripts/runtime.ts";
import type { Corpus } from "./corpus.ts";

export type HarnessName = "loopback" | "production";

export const KEY = "ck_dev_contextplane";
export const FLOOR_PATH = "/bench/floor";
const FORGET_PATH = "/bench/forget";
const TENANT = "dev";

export interface Plane {
  readonly url: string;
  readonly harness: HarnessName;
  /** Resident memory of the process that runs the scripts, and the most it ever was, as the system reports it; bytes. */
  memory(): { readonly resident: number; readonly peak: number };
  call(method: string, path: string, body?: string): Promise<{ readonly status: number; readonly text: string }>;
  stop(): Promise<void>;
}

export async function bootPlane(stateDir: string, harness: HarnessName, inspectorPort?: number): Promise<Plane> {
  const forgetful = join(import.meta.dirname, "forgetful_in_workerd.ts");
  const around = harness === "production" ? await productionHarness() : { around: [], companions: [] };
  const objects = { ENTITY: { className: "EntityObject", scriptName: "context-plane-objects" } };
  const floor = await javascript(join(import.meta.dirname, "floor_in_workerd.ts"));
  const runtime = await bootRuntime({
    port: 0,
    stateDir,
    quiet: true,
    around: [...around.around, { file: forgetful }],
    companions: [
      ...around.companions,
      companion("bench-floor", FLOOR_PATH, floor),
      companion("bench-forget", FORGET_PATH, await javascript(forgetful), { durableObjects: objects }),
    ],
    ...(inspectorPort !== undefined && { inspectorPort }),
  });
  return {
    url: runtime.url,
    harness,
    memory: () => memoryOf(runtime),
    async call(method, path, body) {
      const headers = {
        authorization: `Bearer ${KEY}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      };
      const answer = await fetch(`${runtime.url}${path}`, { method, headers, ...(body !== undefined && { body }) });
      return { status: answer.status, text: await answer.text() };
    },
    stop: () => runtime.stop(),
  };
}

export function entityPath(entity: string, rest = ""): string {
  return `/v1/entities/${encodeURIComponent(entity)}${rest}`;
}

/** Takes the object's memory, and with `copies` what it has of the store. */
export function forgetPath(entity: string, copies: boolean): string {
  const object = `${TENANT}/${encodeURIComponent(entity)}`;
  return `${FORGET_PATH}?object=${encodeURIComponent(object)}&copies=${copies}&after=${2 * WRITE_AFTER_READ_MS}`;
}

const BATCH_CHARACTERS_MAX = 6_000_000;
const BATCH_EVENTS_MAX = 1_000;
const AT_ONCE = 4;
const LOOK_MS = 50;
const RETRY_MS = 200;
const QUIET_MS = 3_000;
const INDEXED_WITHIN_MS = 300_000;

/**
 * Appends the corpus to each entity that does not hold it yet, several requests at once, and waits until it is indexed.
 * Answers what that took from the first request on; seconds.
 */
export async function ingest(plane: Plane, corpus: Corpus, entities: readonly string[]): Promise<number> {
  const missing: string[] = [];
  for (const entity of entities) if ((await statusOf(plane, entity)).events < corpus.plan.events) missing.push(entity);
  if (missing.length === 0) return 0;
  const jobs = jobsOf(corpus, missing);
  const fromMs = performance.now();
  const senders = Array.from({ length: AT_ONCE }, async () => {
    for (const { entity, body } of jobs) await append(plane, entity, body);
  });
  await Promise.all(senders);
  await until(missing, async (entity) => (await statusOf(plane, entity)).unindexed === 0);
  return (performance.now() - fromMs) / 1_000;
}

/** Waits until merges are done too: nothing is built for a while. */
export async function settled(plane: Plane, entities: readonly string[]): Promise<void> {
  await until(entities, async (entity) => {
    const before = await statusOf(plane, entity);
    await sleep(before.shards > 1 ? QUIET_MS : LOOK_MS);
    return (await statusOf(plane, entity)).layout === before.layout;
  });
}

async function until(entities: readonly string[], holds: (entity: string) => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + INDEXED_WITHIN_MS;
  for (const entity of entities) {
    while (!(await holds(entity))) {
      if (Date.now() > deadline) throw new Error(`${entity} is still being indexed after ${INDEXED_WITHIN_MS} ms`);
      await sleep(LOOK_MS);
    }
  }
}

/** Each body when it is asked for: to make all of a large corpus at once would let connections time out. */
function* jobsOf(corpus: Corpus, entities: readonly string[]) {
  const { events, dimensions, textCharacters } = corpus.plan;
  const each = textCharacters + dimensions * 9 + 100;
  const size = Math.max(1, Math.min(BATCH_EVENTS_MAX, Math.floor(BATCH_CHARACTERS_MAX / each)));
  for (let from = 0; from < events; from += size) {
    const body = corpus.body(from, Math.min(events, from + size));
    for (const entity of entities) yield { entity, body };
  }
}

/** An entity whose tail is full, or that is busy, is asked again: ids make that harmless. */
async function append(plane: Plane, entity: string, body: string): Promise<void> {
  for (;;) {
    const { status, text } = await plane.call("POST", entityPath(entity, "/events"), body);
    if (status === 201) return;
    if (status !== 429 && status !== 503) throw new Error(`an append answered ${status}: ${text.slice(0, 300)}`);
    await sleep(RETRY_MS);
  }
}

interface EntityLayout {
  readonly events: number;
  readonly unindexed: number;
  readonly shards: number;
  /** Names of the shards. */
  readonly layout: string;
}

async function statusOf(plane: Plane, entity: string): Promise<EntityLayout> {
  const { status, text } = await plane.call("GET", entityPath(entity));
  if (status === 404) return { events: 0, unindexed: 0, shards: 0, layout: "" };
  if (status !== 200) return { events: 0, unindexed: Number.POSITIVE_INFINITY, shards: 0, layout: "" };
  const body = JSON.parse(text) as { events: number; unindexed_events: number; shards: { id: string }[] };
  const names = body.shards.map(({ id }) => id);
  return { events: body.events, unindexed: body.unindexed_events, shards: names.length, layout: names.join() };
}

const KIB = 1_024;

function memoryOf(runtime: Runtime): { readonly resident: number; readonly peak: number } {
  const pid = runtime.workerdPid();
  if (pid === null) return { resident: 0, peak: 0 };
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytesOf = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * KIB;
  return { resident: bytesOf("VmRSS"), peak: bytesOf("VmHWM") };
}
