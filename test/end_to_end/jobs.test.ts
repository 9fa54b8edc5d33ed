/** Jobs on the platform's durable execution, which the local runtime has too. Only a driver there can import. */
import { randomBytes } from "node:crypto";
import { unzipSync, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IMPORT_JOB_BYTES_MIN, IMPORT_LEASE_MS } from "../../core/limits.ts";
import { importKey } from "../../core/log/keys.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { withBucket } from "./bucket.ts";
import { append, json, pathOf, status, timeline, until } from "./plane.ts";

const SOURCE = "account:source";
const APPENDS = 8;
const EVENTS = 10;
/** Of a body that does not compress; ten of it are an append of about a megabyte. */
const BODY_BYTES = 75_000;
/** With nothing indexed, an import comes this far and has to wait. */
const STUCK = { indexing: "paused", variables: { TAIL_BYTES: "3000000" } } as const;

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: { readonly done: number; readonly total: number };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

let plane: TestRuntime;
let archive: Uint8Array;
let ids: string[];
beforeAll(async () => {
  plane = await bootTestRuntime();
  for (let n = 0; n < APPENDS; n += 1) {
    const events = Array.from({ length: EVENTS }, (_, k) => {
      return { id: `e${n}-${k}`, text: `word ${n}`, body: randomBytes(BODY_BYTES).toString("base64") };
    });
    await append(plane.call, SOURCE, events);
  }
  archive = new Uint8Array(await (await plane.call("GET", pathOf(SOURCE, "/export"))).arrayBuffer());
  ids = await timeline(plane.call, SOURCE);
}, 240_000);
afterAll(() => plane.close());

async function importInto(entity: string, bytes: Uint8Array): Promise<string> {
  const { job } = await json<{ job: string }>(
    plane.call("POST", pathOf(entity, "/import"), bytes, { "content-type": "application/zip" }),
    202,
  );
  return job;
}

const read = (id: string) => json<Job>(plane.call("GET", `/v1/jobs/${id}`));

async function ended(id: string): Promise<Job> {
  let job = await read(id);
  await until(`${id} has ended`, async () => {
    job = await read(id);
    return job.status !== "queued" && job.status !== "running";
  });
  return job;
}

/** Some of it is there, and the tail is full. */
function untilStuck(entity: string): Promise<void> {
  return until("some of it is there", async () => {
    const answer = await plane.call("GET", pathOf(entity));
    return answer.ok && ((await answer.json()) as { events: number }).events > 0;
  });
}

/** Whether the store still holds what the job was to import; with the runtime down. */
async function hasArchive(entity: string, job: string): Promise<boolean> {
  let found = true;
  await plane.restart({}, () =>
    withBucket(plane.stateDir, async (bucket) => {
      found = (await bucket.head(`tenants/dev/${importKey(entity, job)}`)) !== null;
    }),
  );
  return found;
}

describe("an import of a large archive", () => {
  test("is a job that gives the same events, and none the second time", async () => {
    expect(archive.length).toBeGreaterThan(IMPORT_JOB_BYTES_MIN);
    const entity = "account:copy";
    const first = await ended(await importInto(entity, archive));
    expect(first).toMatchObject({ status: "done", result: { accepted: ids.length, duplicates: 0, conflicts: 0 } });
    expect(first.progress.done).toBe(first.progress.total);
    expect(await timeline(plane.call, entity)).toEqual(ids);
    const again = await importInto(entity, archive);
    expect(await ended(again)).toMatchObject({ status: "done", result: { accepted: 0, duplicates: ids.length } });
    expect(await hasArchive(entity, again)).toBe(false);
  }, 240_000);

  test("waits while too much is not indexed, and goes on after the runtime has lost its driver", async () => {
    const entity = "account:lost";
    await plane.restart(STUCK);
    const job = await importInto(entity, archive);
    await untilStuck(entity);
    const append = plane.call("POST", pathOf(entity, "/events"), { events: [{ text: "x" }] });
    expect((await append).status).toBe(429);
    await plane.restart();
    expect((await read(job)).status).toBe("running");
    const goesOn = async (): Promise<boolean> => {
      await plane.sweep();
      return (await read(job)).status !== "running";
    };
    await until("it goes on", goesOn, 5 * IMPORT_LEASE_MS);
    expect(await read(job)).toMatchObject({ status: "done", result: { accepted: ids.length, duplicates: 0 } });
    expect(await timeline(plane.call, entity)).toEqual(ids);
  }, 240_000);

  test("with a damaged file fails by its name, and nothing of it is there", async () => {
    const entity = "account:damaged";
    const files = unzipSync(archive);
    const [name, bytes] = Object.entries(files).findLast(([path]) => path.endsWith(".jsonl")) ?? [];
    if (name === undefined || bytes === undefined) throw new Error("the archive has no segments");
    const damaged = bytes.slice();
    damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 1;
    const job = await ended(await importInto(entity, zipSync({ ...files, [name]: damaged }, { level: 0 })));
    expect(job.status).toBe("failed");
    expect(job.error).toContain(name);
    expect((await plane.call("GET", pathOf(entity))).status).toBe(404);
    expect(await hasArchive(entity, job.id)).toBe(false);
  }, 240_000);

  test("ends where it is when it is cancelled, and its archive goes", async () => {
    const entity = "account:cancelled";
    await plane.restart(STUCK);
    const job = await importInto(entity, archive);
    await untilStuck(entity);
    expect(await json<Job>(plane.call("DELETE", `/v1/jobs/${job}`))).toMatchObject({ id: job, status: "cancelled" });
    expect(await json<Job>(plane.call("DELETE", `/v1/jobs/${job}`))).toMatchObject({ status: "cancelled" });
    expect(await hasArchive(entity, job)).toBe(false);
    expect((await read(job)).status).toBe("cancelled");
  }, 240_000);
});

test("a compaction that finds nothing to do says so, and its entity's state is untouched", async () => {
  const before = await status(plane.call, SOURCE);
  const { job } = await json<{ job: string }>(plane.call("POST", "/v1/admin/compact", { entity: SOURCE }), 202);
  expect(await ended(job)).toMatchObject({ status: "done", result: { entities: 1, failed: 0 } });
  expect((await status(plane.call, SOURCE)).commits).toBe(before.commits);
});
