/**
 * A small run of the plane whose every operation is counted: entities are created, sleep, are appended to in visits,
 * sleep, are read in visits, and at last what indexing left behind is collected. Between visits the runtime restarts, so
 * objects have to wake as they do in a deployment.
 */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { OBJECTS, SCRIPTS } from "../../scripts/deployment.ts";
import { bootRuntime, type Runtime } from "../../scripts/runtime.ts";
import type { Stored, Use } from "./bill.ts";
import { type Counted, difference, sum } from "./counted.ts";

/** What comes together is committed and indexed together: a turn of a conversation, a sync of a record. */
export const APPENDS_A_VISIT = 10;
export const READS_A_VISIT = 5;

/** What a deployment's store takes that a local one does not; objects wait for it, and their time is charged. */
const STORE_WRITE_MS = 120;
const STORE_READ_MS = 60;
/** Visits that go on side by side. */
const VISITORS = 8;
/** Longer than a visit, so that what it appends is indexed once. */
const INDEX_AGE_MS = 3_000;
/** Collection is counted by itself: before, nothing is old enough, and then everything is. */
const NOT_COLLECTED = { COLLECT_AGE_MS: "3600000" };
const COLLECTED = { COLLECT_AGE_MS: "1", BUILD_DEADLINE_MS: "1000" };
/** Nothing is counted for so long: nothing is left to do. Longer than the age, shorter than the interval of sweeps. */
const QUIET_MS = 6_000;
const LOOK_MS = 250;
const KEY = "ck_dev_contextplane";
const CLOCK_TICKS_A_SECOND = 100;

/** What the run used in all, by what it was for, and what lay there afterwards. */
export interface CostRun {
  readonly entities: number;
  /** Creating the entities, each with one append. */
  readonly creation: Use;
  /** One append to each entity after a while, indexed by itself: what comes together costs less. */
  readonly loneAppends: Use;
  /** APPENDS_A_VISIT appends of one event to each entity, one after another, and their indexing. */
  readonly appends: Use;
  /** READS_A_VISIT hybrid searches of each entity. */
  readonly reads: Use;
  /** One collection of each entity. */
  readonly collections: Use;
  /** After the creation, and what all appends added. */
  readonly storedByCreation: Stored;
  readonly storedByAppends: Stored;
}

export async function runCounted(entities: number): Promise<CostRun> {
  const stateDir = await mkdtemp(join(tmpdir(), "context-plane-cost-"));
  const around = [{ file: join(import.meta.dirname, "in_workerd.ts") }];
  const phase = async (
    visit: (runtime: Runtime, entity: string) => Promise<void>,
    collecting: Readonly<Record<string, string>> = NOT_COLLECTED,
  ): Promise<Use> => {
    const variables = { INDEX_AGE_MS: String(INDEX_AGE_MS), ...collecting };
    const runtime = await bootRuntime({ port: 0, stateDir, quiet: true, around, variables });
    try {
      return await used(runtime, () => visitAll(runtime, entities, visit));
    } finally {
      await runtime.stop();
    }
  };
  try {
    const creation = await phase((runtime, entity) => append(runtime, entity, 0, 1));
    const storedByCreation = await storedIn(stateDir);
    const loneAppends = await phase((runtime, entity) => append(runtime, entity, 1, 2));
    const appends = await phase((runtime, entity) => append(runtime, entity, 2, 2 + APPENDS_A_VISIT));
    const stored = await storedIn(stateDir);
    const reads = await phase((runtime, entity) => read(runtime, entity, READS_A_VISIT));
    // The runtime has forgotten the alarms: a read wakes each object.
    const collections = await phase((runtime, entity) => read(runtime, entity, 1), COLLECTED);
    const storedByAppends = {
      storeBytes: stored.storeBytes - storedByCreation.storeBytes,
      objectBytes: Math.max(0, stored.objectBytes - storedByCreation.objectBytes),
    };
    return { entities, creation, loneAppends, appends, reads, collections, storedByCreation, storedByAppends };
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}

async function used(runtime: Runtime, work: () => Promise<void>): Promise<Use> {
  const before = await countedBy(runtime);
  const cpuBefore = await cpuMsOf(runtime);
  await work();
  await becomeQuiet(runtime);
  const use = { counted: difference(await countedBy(runtime), before), cpuMs: (await cpuMsOf(runtime)) - cpuBefore };
  await expectIndexed(runtime);
  return use;
}

async function countedBy(runtime: Runtime): Promise<Counted> {
  const counts = await Promise.all(
    SCRIPTS.map(async (script) => {
      const counted = (await (await runtime.ask(script, "/counted")).json()) as Counted;
      if (script !== OBJECTS) return counted;
      const waitedMs = counted.storeWrites * STORE_WRITE_MS + counted.storeReads * STORE_READ_MS;
      return { ...counted, objectMs: counted.objectMs + waitedMs };
    }),
  );
  return sum(counts);
}

/** User and system time of the runtime's process: all that the scripts need, and the local stores beside it. */
async function cpuMsOf(runtime: Runtime): Promise<number> {
  const pid = runtime.workerdPid();
  if (pid === null) throw new Error("the runtime's process is gone");
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / CLOCK_TICKS_A_SECOND;
}

async function visitAll(
  runtime: Runtime,
  entities: number,
  visit: (runtime: Runtime, entity: string) => Promise<void>,
): Promise<void> {
  let next = 0;
  const visitor = async (): Promise<void> => {
    while (next < entities) await visit(runtime, `account:${next++}`);
  };
  await Promise.all(Array.from({ length: VISITORS }, visitor));
}

/** The points `from` to `end` of what is said to the entity, one after another. */
async function append(runtime: Runtime, entity: string, from: number, end: number): Promise<void> {
  for (let index = from; index < end; index += 1) {
    const text = `Call with ${entity}, point ${index}: they asked when the renewal is due, what seats cost beyond the ${index + 20} they have, and who signs on their side. We promised an answer by the end of the week.`;
    await post(runtime, `/v1/entities/${encodeURIComponent(entity)}/events`, { events: [{ kind: "note", text }] });
  }
}

async function read(runtime: Runtime, entity: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const text = `what did we promise about ${["seats", "the renewal", "signing", "the price", "the answer"][index % 5]}?`;
    await post(runtime, `/v1/entities/${encodeURIComponent(entity)}/search`, { text, top_k: 5 });
  }
}

async function post(runtime: Runtime, path: string, body: object): Promise<void> {
  const answer = await fetch(runtime.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

/** Looking at counts costs nothing that is counted, while asking for the status of a tenant asks its objects. */
async function becomeQuiet(runtime: Runtime): Promise<void> {
  let last = "";
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += LOOK_MS) {
    const now = JSON.stringify(await countedBy(runtime));
    if (now !== last) quietMs = 0;
    last = now;
    await sleep(LOOK_MS);
  }
}

/** Otherwise the counts would be of work that is still to come. */
async function expectIndexed(runtime: Runtime): Promise<void> {
  const answer = await fetch(`${runtime.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
  const waiting = /^context_plane_waiting_entities (\d+)$/m.exec(await answer.text())?.[1];
  if (waiting !== "0") throw new Error(`${waiting} entities are not indexed`);
}

/** Bytes of the local bucket and of the objects' databases. */
async function storedIn(stateDir: string): Promise<Stored> {
  const objects = await filesUnder(join(stateDir, "v3/r2"), /blobs/);
  const sizes = await Promise.all(objects.map(async (path) => (await stat(path)).size));
  const databases = await filesUnder(join(stateDir, "v3/do"), /\.sqlite$/);
  return { storeBytes: sumOf(sizes), objectBytes: sumOf(databases.map(databaseBytes)) };
}

async function filesUnder(folder: string, wanted: RegExp): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return paths.filter((path) => wanted.test(path));
}

/** As SQLite tells: of what was written last the file may have nothing yet, since it lies in the log beside it. */
function databaseBytes(path: string): number {
  const database = new DatabaseSync(path);
  try {
    const row = database
      .prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
      .get();
    return Number(row?.bytes);
  } finally {
    database.close();
  }
}

function sumOf(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
