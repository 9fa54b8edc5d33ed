/**
 * The scripts behind the front door, as small as they can be. What they were asked comes back inside the answer, in the
 * opaque fields (`token`, `snapshot`, `segment`), so that a test sees a call's arguments from outside.
 * An entity named `failing:<reason>` fails with that reason; `throwing:…` throws.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import type { Failure, Result } from "../../core/errors.ts";
import type {
  AppendResult,
  BulkEntityResult,
  EntityApi,
  EntityScope,
  IngestApi,
  RawBody,
  TenantApi,
} from "../../core/rpc.ts";
import type { ScopeApi } from "../../core/scope/scope_rpc.ts";

const notFound: Failure = { reason: "not_found", what: "The entity" };

const failures: Record<string, Failure> = {
  conflict: { reason: "conflict", detail: "The stub says so." },
  not_found: notFound,
  unavailable: { reason: "unavailable", what: "The store did not answer.", retryAfterSeconds: 7 },
  unprocessable: { reason: "unprocessable", errors: [{ path: "events.0.kind", message: "is reserved" }] },
  snapshot_expired: { reason: "snapshot_expired", detail: "The stub says so." },
};

function answering<T>(entity: string, value: T): Result<T> {
  if (entity.startsWith("throwing:")) throw new TypeError("a bug with secret content");
  const failure = entity.startsWith("failing:") ? failures[entity.slice("failing:".length)] : undefined;
  return failure === undefined ? { ok: true, value } : { ok: false, failure };
}

function appended(asked: unknown): AppendResult {
  return {
    commit: 1,
    segment: "segments/1",
    accepted: 1,
    duplicates: 0,
    conflicts: [],
    eventIds: ["e1"],
    token: JSON.stringify(asked),
  };
}

function describe(body: RawBody) {
  return { contentType: body.contentType, gzip: body.gzip, size: body.bytes.length };
}

export class Ingest extends WorkerEntrypoint implements Omit<IngestApi, "importStretch"> {
  async append(scope: EntityScope, body: RawBody, idempotencyKey: string | null) {
    return answering(scope.entity, appended({ scope, body: describe(body), idempotencyKey }));
  }

  async appendBulk(tenant: string, entityPrefix: string | null, body: RawBody, idempotencyKey: string | null) {
    const asked = { tenant, entityPrefix, body: describe(body), idempotencyKey };
    const { events } = JSON.parse(new TextDecoder().decode(body.bytes)) as { events: { entity: string }[] };
    const results: BulkEntityResult[] = events.map(({ entity }) => {
      return { entity, result: answering(entity, appended(asked)) };
    });
    return { ok: true as const, value: results };
  }

  async putDocument(scope: EntityScope, id: string, contentType: string, bytes: Uint8Array) {
    const result = {
      ...appended({ scope, id, contentType, size: bytes.length }),
      searchable: contentType.toLowerCase().startsWith("text/plain"),
    };
    return answering(scope.entity, result);
  }

  async importArchive(scope: EntityScope, archive: Uint8Array) {
    const token = JSON.stringify({ scope, size: archive.length });
    return answering(scope.entity, { accepted: 2, duplicates: 1, conflicts: [], token });
  }
}

export class EntityObject extends DurableObject implements Omit<EntityApi, "append"> {
  async withdraw(scope: EntityScope, id: string) {
    return answering(scope.entity, { token: JSON.stringify({ scope, id, object: this.ctx.id.name }) });
  }

  async search(command: Parameters<EntityApi["search"]>[0]): ReturnType<EntityApi["search"]> {
    const citation = { segment: "segments/1", line: 12 };
    const scores = { text: { score: 7.1, rank: 1 }, vector: { score: 0.83, rank: 4 } };
    return answering(command.scope.entity, {
      hits: [
        {
          entity: command.scope.entity,
          id: "e1",
          chunk: 0,
          ts: "2026-01-01T00:00:00.000Z",
          kind: "note",
          score: 0.032,
          scores,
          citation,
        },
      ],
      snapshot: JSON.stringify(command),
      token: "t",
      staleMs: 0,
      unindexedEvents: 3,
      cache: "ssd",
      plan: "exact",
      planReason: "the stub has one plan",
      candidates: 9,
      resolved: { mode: "text" },
      degraded: command.request.text === "degraded" ? ["vector: the embedder did not answer"] : [],
    });
  }

  async timeline(query: Parameters<EntityApi["timeline"]>[0]) {
    const text = JSON.stringify(query);
    return answering(query.scope.entity, {
      events: [{ id: "e1", ts: "2026-01-01T00:00:00.000Z", kind: "note", text }],
      nextCursor: null,
    });
  }

  async event(scope: EntityScope, id: string) {
    const event = { id, ts: "2026-01-01T00:00:00.000Z", kind: "note", text: JSON.stringify(scope) };
    return answering(scope.entity, { event, citation: { segment: "segments/1", line: 1 } });
  }

  async status(scope: EntityScope): ReturnType<EntityApi["status"]> {
    return answering(scope.entity, {
      snapshot: JSON.stringify(scope),
      events: 2,
      commits: 1,
      segments: 1,
      shards: [{ id: "s1", bytes: 10, chunks: 2, from: 1, to: 1, minTs: 0, maxTs: null }],
      unindexedEvents: 0,
      lastIndexedAt: 1_000,
      vector: { dimensions: 3, model: "supplied" },
      cache: { tier: "memory", bytes: 5 },
      sealed: null,
      collected: 0,
    });
  }

  async segments(scope: EntityScope) {
    const segments = [
      { commit: 1, segment: "entities/a/segments/1" },
      { commit: 2, segment: "entities/a/segments/2" },
    ];
    return answering(scope.entity, scope.entity === "empty" ? [] : segments);
  }

  async document(scope: EntityScope, id: string): ReturnType<EntityApi["document"]> {
    return answering(scope.entity, {
      id,
      version: "1",
      eventIds: [],
      olderEventIds: [],
      blob: `entities/a/blobs/${"0".repeat(64)}`,
      sha256: "0".repeat(64),
      contentType: "text/html; charset=utf-8",
      bytes: 3,
      searchable: true,
    });
  }

  async redact(scope: EntityScope, ids: readonly string[], dryRun: boolean) {
    const lines = ids.map((id) => ({ id, segment: "segments/1", line: 1 }));
    return answering(scope.entity, { redacted: ids, lines, token: dryRun ? null : JSON.stringify({ scope, ids }) });
  }

  async warm(scope: EntityScope) {
    return answering(scope.entity, { bytes: 5 });
  }
}

export class ScopeObject extends DurableObject implements ScopeApi {
  async searchScope(command: Parameters<ScopeApi["searchScope"]>[0]): ReturnType<ScopeApi["searchScope"]> {
    return answering(command.search.entities?.[0] ?? "", {
      hits: [],
      snapshot: JSON.stringify({ command, object: this.ctx.id.name }),
      token: "t",
      staleMs: 0,
      unindexedEvents: 0,
      cache: "memory",
      plan: "exact",
      planReason: "the stub has one plan",
      candidates: 0,
      resolved: { mode: "text" },
      degraded: [],
      coverage: {
        kind: "full",
        statistics: "tenant",
        entities: 1,
        knownEntities: 2,
        waitingEntities: 1,
        unindexedEvents: 0,
        asOf: 1_000,
      },
    });
  }

  async scopeStatus(): ReturnType<ScopeApi["scopeStatus"]> {
    return answering("", {
      mode: "off" as const,
      coverage: null,
      shards: { events: 0, summaries: 0 },
      pending: 0,
      lastCommittedAt: null,
      error: null,
      unreadable: [],
    });
  }

  async redactEntity(tenant: string): ReturnType<ScopeApi["redactEntity"]> {
    return answering(tenant, null);
  }

  async configure(tenant: string): ReturnType<ScopeApi["configure"]> {
    return answering(tenant, null);
  }
}

export class TenantObject extends DurableObject implements TenantApi {
  async entities(tenant: string, prefix: string, limit: number, cursor: string | null) {
    const entity = JSON.stringify({ tenant, prefix, limit, cursor, object: this.ctx.id.name });
    return answering(prefix, { entities: [{ entity, events: 1, lastTs: 1_000 }], nextCursor: null });
  }

  async tenantStatus() {
    const waiting = [{ entity: "account:a", unindexedEvents: 4, since: 1_000 }];
    return answering("", {
      entities: 2,
      waiting,
      waitingEntities: 1_234,
      unindexedEvents: 5_000,
      unindexedBytes: 6_000,
      deadLetters: 1,
      sealed: 1,
      full: 2,
      refused: [{ entity: "account:b", why: "full" as const }],
      jobs: { queued: 1, running: 2, done: 3, failed: 4, cancelled: 5 },
      jobsWaiting: { count: 1, until: 3_000 },
      lastSweepAt: 2_000,
      lastReconcileAt: null,
    });
  }

  async deadLetters() {
    const letter = (id: string) => ({ id, entity: "account:a", at: 1_000, error: "poison" });
    return answering("", [letter("b"), letter("a"), letter("c")]);
  }

  async jobs(tenant: string) {
    return answering("", { jobs: [this.#job(tenant)], nextCursor: null });
  }

  async job(tenant: string, id: string): ReturnType<TenantApi["job"]> {
    return id === "unknown" ? answering("failing:not_found", this.#job(tenant)) : answering("", this.#job(tenant));
  }

  #job(tenant: string) {
    return {
      id: "j1",
      type: "rebuild",
      status: "running" as const,
      createdAt: 1_000,
      waitsUntil: null,
      progress: { done: 1, total: 2 },
      result: { tenant },
    };
  }
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const body = JSON.stringify(await request.json());
    if (pathname.endsWith("/unknown/replay")) {
      return Response.json({ failure: notFound }, { status: 404 });
    }
    return Response.json(pathname.endsWith("/replay") ? { replayed: pathname } : { job: `${pathname} ${body}` });
  },
};
