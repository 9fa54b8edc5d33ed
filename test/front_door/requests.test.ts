/**
 * What the scripts behind the front door are asked, and how their answers look on the wire.
 */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { deadLetterPageSchema, replayedSchema, tenantStatusSchema } from "../../core/schema/admin.ts";
import {
  appendResultSchema,
  bulkResultSchema,
  documentResultSchema,
  writeTokenSchema,
} from "../../core/schema/append.ts";
import { entityPageSchema, entityStatusSchema, warmOneSchema } from "../../core/schema/entity.ts";
import { jobPageSchema, jobSchema, jobStartedSchema } from "../../core/schema/job.ts";
import { problemSchema } from "../../core/schema/problem.ts";
import { recallAnswerSchema, searchAnswerSchema } from "../../core/schema/search_answer.ts";
import { settingsSchema } from "../../core/schema/stored.ts";
import { citedEventSchema, eventPageSchema } from "../../core/schema/timeline.ts";
import { writeEntityCursor } from "../../workers/query/entities/cursor.ts";
import { DEVELOPMENT_KEY } from "./credentials.ts";
import { type FrontDoor, startFrontDoor } from "./front_door.ts";
import { documentSchema } from "./openapi_document.ts";

let frontDoor: FrontDoor;
beforeAll(async () => {
  frontDoor = await startFrontDoor();
});
afterAll(() => frontDoor.dispose());

const authorized = { Authorization: `Bearer ${DEVELOPMENT_KEY}` };

/** Sends JSON, and checks that what comes back is what `/openapi.json` says of it. */
async function call<Wire>(
  schema: z.ZodType<Wire>,
  method: string,
  path: string,
  content?: unknown,
  more: Record<string, string> = {},
) {
  const json = {
    body: JSON.stringify(content),
    headers: { ...authorized, "Content-Type": "application/json", ...more },
  };
  const response = await frontDoor.fetch(path, {
    method,
    ...(content === undefined ? { headers: { ...authorized, ...more } } : json),
  });
  const body: unknown = await response.json();
  schema.parse(body);
  return { status: response.status, headers: response.headers, body: body as Wire };
}

const ENTITY = "account:a/b %\u20ac";
const PATH = `/v1/entities/${encodeURIComponent(ENTITY)}`;
const scope = { tenant: "dev", entity: ENTITY };
const asked = (text: unknown) => JSON.parse(String(text));

describe("appending", () => {
  it("hands the body on as it came and answers 201", async () => {
    const { status, body } = await call(
      appendResultSchema,
      "POST",
      `${PATH}/events`,
      { events: [] },
      { "Idempotency-Key": "k 1" },
    );
    const { token, ...rest } = body;
    expect([status, rest]).toEqual([
      201,
      { commit: 1, segment: "segments/1", accepted: 1, duplicates: 0, conflicts: [], event_ids: ["e1"] },
    ]);
    const sent = { contentType: "application/json", gzip: false, size: 13 };
    expect(asked(token)).toEqual({ scope, body: sent, idempotencyKey: "k 1" });
  });

  it("hands compressed lines on compressed", async () => {
    const bytes = gzipSync('{"text":"x"}\n');
    const headers = {
      ...authorized,
      "Content-Type": "application/x-ndjson; charset=utf-8",
      "Content-Encoding": "gzip",
    };
    const response = await frontDoor.fetch(`${PATH}/events`, { method: "POST", headers, body: bytes });
    const { token } = appendResultSchema.parse(await response.json());
    expect(asked(token).body).toEqual({ contentType: "application/x-ndjson", gzip: true, size: bytes.length });
  });

  it("answers 201 when every entity took its events and 207 with the error of each that did not", async () => {
    const events = [{ entity: "a" }, { entity: "failing:conflict" }];
    expect(await call(bulkResultSchema, "POST", "/v1/events", { events: [{ entity: "a" }] })).toMatchObject({
      status: 201,
      body: { accepted: 1 },
    });
    const { status, headers, body } = await call(bulkResultSchema, "POST", "/v1/events", { events });
    expect(status).toBe(207);
    expect(body).toMatchObject({
      accepted: 1,
      duplicates: 0,
      results: [{ entity: "a", commit: 1 }, { entity: "failing:conflict" }],
    });
    expect(body.results[0]).not.toHaveProperty("error");
    expect(body.results[1]?.error).toMatchObject({
      status: 409,
      code: "conflict",
      request_id: headers.get("X-Request-Id"),
    });
  });
});

describe("reading the timeline", () => {
  it("takes times as RFC 3339 and as milliseconds, and fills in what is not said", async () => {
    const { body } = await call(
      eventPageSchema,
      "GET",
      `${PATH}/events?from=1970-01-01T00:00:01Z&to=2000&kind=note&session=s`,
    );
    const query = { scope, from: 1_000, to: 2_000, kind: "note", session: "s", order: "asc", limit: 100, cursor: null };
    expect(asked(body.events[0]?.text)).toEqual(query);
    expect(body.next_cursor).toBeNull();
  });

  it("decodes an event's id once and answers it with its citation", async () => {
    const { body } = await call(citedEventSchema, "GET", `${PATH}/events/${encodeURIComponent("a/b%2Fc")}`);
    expect(body).toMatchObject({ id: "a/b%2Fc", kind: "note", citation: { segment: "segments/1", line: 1 } });
  });

  it("withdraws through the object of that entity", async () => {
    const { status, body } = await call(writeTokenSchema, "DELETE", `${PATH}/events/e1`);
    expect(status).toBe(200);
    expect(asked(body.token)).toEqual({ scope, id: "e1", object: `dev/${encodeURIComponent(ENTITY)}` });
  });
});

describe("searching", () => {
  it("answers hits with their scores and citations, and what it cost", async () => {
    const { status, body } = await call(searchAnswerSchema, "POST", `${PATH}/search`, { text: "x" });
    expect(status).toBe(200);
    const { snapshot, ...rest } = body;
    const request = { text: "x", topK: 10, consistency: "strong" };
    expect(asked(snapshot)).toMatchObject({ scope, request, bm25: null });
    expect(rest).toEqual({
      hits: [
        {
          entity: ENTITY,
          id: "e1",
          chunk: 0,
          ts: "2026-01-01T00:00:00.000Z",
          kind: "note",
          score: 0.032,
          scores: { text: { score: 7.1, rank: 1 }, vector: { score: 0.83, rank: 4 } },
          citation: { segment: "segments/1", line: 12 },
        },
      ],
      token: "t",
      stale_ms: 0,
      index: { unindexed_events: 3 },
      performance: { cache: "ssd", plan: "exact", candidates: 9, total_ms: expect.any(Number) },
    });
  });

  it("gives the plan's reason and what was left out when there is something to say", async () => {
    const explained = await call(searchAnswerSchema, "POST", `${PATH}/search`, { text: "degraded", explain: true });
    expect(explained.body.performance.plan_reason).toBe("the stub has one plan");
    expect(explained.body.resolved).toEqual({ mode: "text" });
    expect(explained.body.degraded).toEqual(["vector: the embedder did not answer"]);
  });

  it("finds all of an exact answer where every plan is exact", async () => {
    const { body } = await call(recallAnswerSchema, "POST", `${PATH}/recall`, { samples: 3, top_k: 5 });
    expect(body).toMatchObject({ recall: 1, samples: 1 });
  });
});

describe("entities", () => {
  it("are listed by their tenant's object", async () => {
    const { body } = await call(
      entityPageSchema,
      "GET",
      `/v1/entities?prefix=acc&limit=7&cursor=${writeEntityCursor("acb")}`,
    );
    const [listed] = body.entities;
    expect(asked(listed?.entity)).toEqual({ tenant: "dev", prefix: "acc", limit: 7, cursor: "acb", object: "dev" });
    expect(listed).toMatchObject({ events: 1, last_ts: "1970-01-01T00:00:01.000Z" });
  });

  it("are not listed from a cursor of another list", async () => {
    const { status } = await call(problemSchema, "GET", "/v1/entities?cursor=zzz");
    expect(status).toBe(400);
  });

  it("show their log, shards and cache", async () => {
    const { body } = await call(entityStatusSchema, "GET", PATH);
    expect(body).toEqual({
      entity: ENTITY,
      snapshot: JSON.stringify(scope),
      events: 2,
      commits: 1,
      segments: 1,
      shards: [{ id: "s1", bytes: 10, chunks: 2, from: 1, to: 1, min_ts: "1970-01-01T00:00:00.000Z", max_ts: null }],
      unindexed_events: 0,
      last_indexed_at: "1970-01-01T00:00:01.000Z",
      vector: { dimensions: 3, model: "supplied" },
      cache: { tier: "memory", bytes: 5 },
      collected: 0,
    });
  });

  it("are warmed one by one and many at a time", async () => {
    expect(await call(warmOneSchema, "POST", `${PATH}/warm`)).toMatchObject({
      status: 202,
      body: { entity: ENTITY, bytes: 5 },
    });
    const { status, body } = await call(jobStartedSchema, "POST", "/v1/warm", { entities: ["b", "a", "b"] });
    const asked = { selection: { entities: ["a", "b"] } };
    expect([status, body]).toEqual([202, { job: `/tenants/dev/warm ${JSON.stringify(asked)}` }]);
  });

  it("are erased by a job", async () => {
    const { status, body } = await call(jobStartedSchema, "DELETE", PATH);
    expect([status, body]).toEqual([202, { job: `/tenants/dev/erase ${JSON.stringify({ entity: ENTITY })}` }]);
  });
});

describe("documents", () => {
  it("are handed on with their type as it was sent, and a missing one means bytes", async () => {
    const put = (headers: Record<string, string>) => {
      return frontDoor.fetch(`${PATH}/documents/d`, {
        method: "PUT",
        headers: { ...authorized, ...headers },
        body: new Uint8Array(3),
      });
    };
    const typed = await put({ "Content-Type": "Text/Plain; charset=utf-8" });
    const untyped = await put({});
    expect([typed.status, untyped.status]).toEqual([201, 201]);
    expect(await typed.json()).toMatchObject({
      searchable: true,
      token: JSON.stringify({ scope, id: "d", contentType: "Text/Plain; charset=utf-8", size: 3 }),
    });
    expect(asked(documentResultSchema.parse(await untyped.json()).token)).toMatchObject({
      contentType: "application/octet-stream",
    });
  });

  it("whose bytes are gone are a fault of ours, not of the caller", async () => {
    expect(await call(problemSchema, "GET", `${PATH}/documents/d`)).toMatchObject({
      status: 500,
      body: { code: "corrupt" },
    });
  });
});

describe("operation", () => {
  it("starts jobs for one entity or for all", async () => {
    expect(await call(jobStartedSchema, "POST", "/v1/admin/rebuild", { entity: "a" })).toMatchObject({
      status: 202,
      body: { job: '/tenants/dev/rebuild {"entity":"a"}' },
    });
    expect(await call(jobStartedSchema, "POST", "/v1/admin/compact")).toMatchObject({
      status: 202,
      body: { job: "/tenants/dev/compact {}" },
    });
    expect(await call(jobStartedSchema, "POST", "/v1/admin/reconcile", {})).toMatchObject({
      status: 202,
      body: { job: "/tenants/dev/reconcile {}" },
    });
  });

  it("pages dead letters by id and passes the indexer's failures on", async () => {
    const first = await call(deadLetterPageSchema, "GET", "/v1/admin/dead-letters?limit=2");
    expect(first.body.dead_letters.map(({ id }) => id)).toEqual(["a", "b"]);
    const second = await call(
      deadLetterPageSchema,
      "GET",
      `/v1/admin/dead-letters?limit=2&cursor=${first.body.next_cursor}`,
    );
    expect(second.body).toMatchObject({
      dead_letters: [{ id: "c", at: "1970-01-01T00:00:01.000Z" }],
      next_cursor: null,
    });
    expect(await call(replayedSchema, "POST", "/v1/admin/dead-letters/a/replay")).toMatchObject({
      status: 202,
      body: { replayed: "a" },
    });
    expect(await call(problemSchema, "POST", "/v1/admin/dead-letters/unknown/replay")).toMatchObject({ status: 404 });
  });

  it("shows jobs and status", async () => {
    const job = {
      id: "j1",
      type: "rebuild",
      status: "running",
      progress: { done: 1, total: 2 },
      created_at: "1970-01-01T00:00:01.000Z",
      result: { tenant: "dev" },
    };
    expect((await call(jobPageSchema, "GET", "/v1/jobs")).body).toEqual({ jobs: [job], next_cursor: null });
    expect((await call(jobSchema, "GET", "/v1/jobs/j1")).body).toEqual(job);
    expect((await call(jobSchema, "DELETE", "/v1/jobs/j1")).body).toEqual(job);
    expect((await call(tenantStatusSchema, "GET", "/v1/status")).body).toEqual({
      tenant_index: {
        mode: "off",
        coverage: null,
        shards: { events: 0, summaries: 0 },
        pending_commits: 0,
        last_committed_at: null,
        error: null,
        unreadable_segments: [],
      },
      entities: 2,
      waiting: [{ entity: "account:a", unindexed_events: 4, since: "1970-01-01T00:00:01.000Z" }],
      waiting_entities: 1_234,
      unindexed_events: 5_000,
      unindexed_bytes: 6_000,
      failed: 1,
      refused: 3,
      refused_entities: [{ entity: "account:b", why: "full" }],
      drift: null,
      jobs: { queued: 1, running: 2, done: 3, failed: 4, cancelled: 5 },
      maintenance: { waiting_jobs: 1, opens_at: "1970-01-01T00:00:03.000Z" },
      last_runs: { sweep: "1970-01-01T00:00:02.000Z", reconcile: null },
    });
  });

  it("gives figures as Prometheus reads them", async () => {
    const response = await frontDoor.fetch("/metrics", { headers: authorized });
    expect(response.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    expect(text.endsWith("\n")).toBe(true);
    const lines = text.trimEnd().split("\n");
    const families = new Set<string>();
    for (const [index, line] of lines.entries()) {
      const [, help] = /^# HELP (\w+) \S.*$/.exec(line) ?? [];
      if (help !== undefined) {
        expect(families.has(help)).toBe(false);
        families.add(help);
        expect(lines[index + 1]).toBe(`# TYPE ${help} gauge`);
      } else if (!line.startsWith("# TYPE ")) {
        const [, name] = /^(context_plane_[a-z_]+)(?:\{status="[a-z]+"\})? \d+(?:\.\d+)?$/.exec(line) ?? [line];
        // Samples of a family follow it, with no other between.
        expect([...families].at(-1)).toBe(name);
      }
    }
    const samples = [
      "context_plane_entities 2",
      "context_plane_waiting_entities 1234",
      "context_plane_unindexed_events 5000",
      "context_plane_unindexed_bytes 6000",
      "context_plane_dead_letters 1",
      "context_plane_sealed_entities 1",
      "context_plane_full_entities 2",
      'context_plane_jobs{status="failed"} 4',
      "context_plane_jobs_waiting_for_window 1",
      "context_plane_last_sweep_timestamp_seconds 2",
    ];
    expect(lines).toEqual(expect.arrayContaining(samples));
    expect(lines.some((line) => line.startsWith("context_plane_last_reconcile_timestamp_seconds "))).toBe(false);
    const [, waited] = /^context_plane_oldest_wait_seconds (\S+)$/m.exec(text) ?? [];
    expect(Number(waited)).toBeGreaterThan(1_000_000);
  });

  it("keeps the tenant's settings", async () => {
    const settings = { bm25: { k1: 1.2, b: 0.75 }, tenant_index: "off" };
    expect(await call(settingsSchema, "PUT", "/v1/settings", settings)).toMatchObject({ status: 200, body: settings });
    expect((await call(settingsSchema, "GET", "/v1/settings")).body).toEqual(settings);
    await call(settingsSchema, "PUT", "/v1/settings", {});
    expect((await call(settingsSchema, "GET", "/v1/settings")).body).toEqual({});
  });
});

describe("settings", () => {
  const CUSTOM = { bm25: { k1: 1.2, b: 0.75 } };

  async function bm25Of(path: string): Promise<unknown> {
    const { body } = await call(searchAnswerSchema, "POST", `${path}/search`, { text: "x" });
    return asked(body.snapshot).bm25;
  }

  it("of an entity go over its tenant's, and both over nothing", async () => {
    const path = "/v1/entities/account%3Ascored";
    expect(await bm25Of(path)).toBeNull();
    await call(settingsSchema, "PUT", "/v1/settings", CUSTOM);
    expect(await bm25Of(path)).toEqual(CUSTOM.bm25);
    const own = { bm25: { k1: 2, b: 0 } };
    expect(await call(settingsSchema, "PUT", `${path}/settings`, own)).toMatchObject({ status: 200, body: own });
    expect((await call(settingsSchema, "GET", `${path}/settings`)).body).toEqual(own);
    expect(await bm25Of(path)).toEqual(own.bm25);
    await call(settingsSchema, "PUT", `${path}/settings`, {});
    expect(await bm25Of(path)).toEqual(CUSTOM.bm25);
    await call(settingsSchema, "PUT", "/v1/settings", {});
    expect(await bm25Of(path)).toBeNull();
  });

  it("of an entity are not found where there are neither settings nor events", async () => {
    const settings = (entity: string) => frontDoor.fetch(`/v1/entities/${entity}/settings`, { headers: authorized });
    expect((await settings("account:unset")).status).toBe(200);
    expect((await settings("failing:not_found")).status).toBe(404);
    await call(settingsSchema, "PUT", "/v1/entities/failing:not_found/settings", CUSTOM);
    expect(await (await settings("failing:not_found")).json()).toEqual(CUSTOM);
  });
});

describe("failures behind the front door", () => {
  it.each([
    ["failing:conflict", 409, "conflict"],
    ["failing:snapshot_expired", 409, "snapshot_expired"],
    ["failing:unprocessable", 422, "unprocessable"],
    ["failing:not_found", 404, "not_found"],
  ])("%s: %i %s", async (entity, status, code) => {
    expect(await call(problemSchema, "POST", `/v1/entities/${entity}/search`, { text: "x" })).toMatchObject({
      status,
      body: { status, code },
    });
  });

  it("say when to try again", async () => {
    const { status, headers, body } = await call(problemSchema, "POST", "/v1/entities/failing:unavailable/search", {
      text: "x",
    });
    expect([status, body.code, headers.get("Retry-After")]).toEqual([503, "unavailable", "7"]);
  });

  it("that nobody expected tell nothing of what was thrown", async () => {
    const { status, body } = await call(problemSchema, "POST", "/v1/entities/throwing:x/search", { text: "x" });
    expect([status, body.code]).toEqual([500, "internal"]);
    expect(JSON.stringify(body)).not.toMatch(/secret|TypeError|worker\.js/);
  });
});

describe("every answer", () => {
  it("carries the caller's request id when it is well-formed, and another when it is not", async () => {
    const given = await call(entityStatusSchema, "GET", PATH, undefined, { "X-Request-Id": "trace-1:a.b_c" });
    expect(given.headers.get("X-Request-Id")).toBe("trace-1:a.b_c");
    const odd = await call(entityStatusSchema, "GET", PATH, undefined, { "X-Request-Id": "a b<script>" });
    expect(odd.headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("names its stages", async () => {
    const { headers } = await call(entityStatusSchema, "GET", PATH);
    expect(headers.get("Server-Timing")).toMatch(/^auth;dur=\d+, parse;dur=\d+, call;dur=\d+, total;dur=\d+$/);
  });

  it("to HEAD has the headers of GET and no body", async () => {
    const response = await frontDoor.fetch(PATH, { method: "HEAD", headers: authorized });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(response.headers.get("Content-Type")).toContain("application/json");
  });

  it("to an unknown method says which are known", async () => {
    const { headers } = await call(problemSchema, "PATCH", `${PATH}/events`);
    expect(headers.get("Allow")).toBe("POST, GET, HEAD");
  });

  it("is described to anyone", async () => {
    const response = await frontDoor.fetch("/openapi.json");
    expect(Object.keys(documentSchema.parse(await response.json()).paths)).toContain("/v1/entities/{entity}/search");
  });
});
