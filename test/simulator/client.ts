/** The callers of a plane: they send what the plan says and write down what they are answered, nothing else. */
import { nodeCompression } from "../../adapters/platform/node_compat.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { SEGMENT_READ_BYTES_MAX } from "../../core/limits.ts";
import type { EntityScope } from "../../core/rpc.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import { searchBodySchema, tenantSearchBodySchema } from "../../core/schema/search.ts";
import type { TenantRegistry } from "../../durable-objects/tenant/tenant_registry.ts";
import type { Call, CallOf, ExportedCommit, History, Replies, Request, SearchBody, SentEvent } from "./history.ts";
import { Process } from "./network.ts";
import type { Action, Sees, Step } from "./plan.ts";
import type { Plane, TenantIndex } from "./plane.ts";

const PAGE = 7;

export class Client {
  readonly #plane: Plane;
  readonly #history: History;
  readonly #process = new Process("client");
  /** By scope, oldest first: what was appended, ids that were sent, and snapshots that were given. */
  readonly #known = new Map<
    string,
    { appends: Extract<Request, { type: "append" }>[]; ids: string[]; snapshots: string[]; tokens: string[] }
  >();
  isFinal = false;

  constructor(plane: Plane, history: History) {
    this.#plane = plane;
    this.#history = history;
  }

  /** Nothing waits for the answer: it comes when it comes. */
  act({ scope, action }: Step): void {
    const plane = this.#plane;
    switch (action.type) {
      case "append":
        void this.append(scope, action.events, action.key);
        return;
      case "again":
        this.#again(scope, action);
        return;
      case "search":
        void this.search(scope, this.#bodyOf(scope, action), action.sees);
        return;
      case "tenant_search":
        void this.searchTenant(scope.tenant, this.#tenantBodyOf(scope.tenant, action));
        return;
      case "tenant_index":
        void this.setTenantIndex(scope.tenant, action.mode);
        return;
      case "withdraw":
        void this.#withdraw(scope, this.#idOf(scope, action.back));
        return;
      case "redact":
        void this.#redact(scope, action);
        return;
      case "event":
        void this.event(scope, this.#idOf(scope, action.back));
        return;
      case "timeline":
        void this.timeline(scope, action.kind);
        return;
      case "status":
        void this.status(scope);
        return;
      case "export":
        void this.export(scope);
        return;
      case "job":
        void this.#job(scope, action);
        return;
      case "entities":
        void this.entities(scope.tenant);
        return;
      case "tenant_status":
        void this.tenantStatus(scope.tenant);
        return;
      case "sweep":
        void this.sweep(scope.tenant);
        return;
      case "replay":
        void this.#replay(scope.tenant);
        return;
      case "crash":
        this.#kill(scope, false, () => plane.entity(scope).crash());
        return;
      case "lose":
        this.#lose(scope);
        return;
      case "supersede":
        this.#supersede(scope, action.lose && plane.weather.statesLost > 0);
        return;
      case "crash_tenant":
        plane.tenant(scope.tenant).crash();
        return;
      case "lose_tenant":
        if (plane.weather.statesLost > 0) plane.tenant(scope.tenant).lose();
        else plane.tenant(scope.tenant).crash();
        return;
      case "crash_scope":
        plane.scopes.of(scope.tenant).crash();
        return;
      case "lose_scope":
        if (plane.weather.statesLost > 0) plane.scopes.of(scope.tenant).lose();
        else plane.scopes.of(scope.tenant).crash();
        return;
      case "restart":
        plane.restart();
        return;
      case "end_indexers":
        plane.endIndexers();
        return;
      case "end_doors":
        plane.endDoors();
        return;
      case "damage":
        if (plane.weather.derivedDamaged > 0) void plane.damage(scope, action.derived, action.isMissing);
        return;
      case "skew":
        if (plane.weather.clocksSkewed > 0) plane.entity(scope).skewMs = action.skewMs;
        return;
    }
  }

  #lose(scope: EntityScope): void {
    const { weather } = this.#plane;
    const object = this.#plane.entity(scope);
    if (weather.statesLost > 0) this.#kill(scope, true, () => object.lose());
    else this.#kill(scope, false, () => object.crash());
  }

  #supersede(scope: EntityScope, lose: boolean): void {
    this.#kill(scope, lose, () => this.#plane.entity(scope).supersede(lose));
  }

  #kill({ tenant, entity }: EntityScope, lost: boolean, kill: () => void): void {
    kill();
    this.#history.kills.push({ object: `${tenant}/${entity}`, at: this.#history.moment(), lost });
  }

  // --- requests ---

  append(scope: EntityScope, events: readonly SentEvent[], key: string | null): Promise<unknown> {
    const request = { type: "append", events, body: JSON.stringify({ events }), key } as const;
    const known = this.#of(scope);
    known.appends.push(request);
    for (const { id } of events) if (id !== undefined) known.ids.push(id);
    return this.#send(scope, request);
  }

  #again(scope: EntityScope, { back, changed }: Extract<Action, { type: "again" }>): void {
    const request = this.#of(scope).appends.at(-1 - back);
    if (request === undefined) return;
    const other = [...request.events, { id: "another", text: "another", attributes: { by: `another.${back}` } }];
    const again =
      changed && request.key !== null
        ? { ...request, body: JSON.stringify({ events: other }), events: other }
        : request;
    void this.#send(scope, again);
  }

  async #send(scope: EntityScope, request: Extract<Request, { type: "append" }>): Promise<void> {
    const reply = await this.#record(scope, request, () =>
      this.#plane.append(this.#process, scope, request.body, request.key),
    );
    if (!reply?.ok) return;
    this.#of(scope).tokens.push(reply.value.token);
    for (const id of reply.value.eventIds) if (!id.startsWith("s-")) this.#of(scope).ids.push(id);
  }

  async search(scope: EntityScope, body: SearchBody, sees: Sees = "strong") {
    const atDoor = sees === "door" || sees === "door_pinned";
    const request = { type: "search", body, foreign: sees === "foreign", atDoor } as const;
    const command = { scope, request: searchBodySchema.parse(body), bm25: null };
    const reply = await this.#record(scope, request, () => {
      if (atDoor) return this.#plane.readAtDoor(command);
      const object = () => this.#api(scope).search(command);
      return body.consistency === "eventual" ? this.#plane.searchEventually(object, command) : object();
    });
    if (reply?.ok) this.#of(scope).snapshots.push(reply.value.snapshot);
    return reply;
  }

  async searchTenant(tenant: string, body: SearchBody) {
    const command = { tenant, search: tenantSearchBodySchema.parse(body), entityPrefix: null, bm25: null };
    const scope = { tenant, entity: "" };
    const api = this.#plane.scopes.api(this.#process, tenant);
    const reply = await this.#record(scope, { type: "tenant_search", body }, () => api.searchScope(command));
    if (reply?.ok && body.consistency !== "strong") this.#of(scope).snapshots.push(reply.value.snapshot);
  }

  #tenantBodyOf(tenant: string, { body, isPinned, back }: Extract<Action, { type: "tenant_search" }>): SearchBody {
    const snapshot = this.#of({ tenant, entity: "" }).snapshots.at(-1 - back);
    return isPinned && snapshot !== undefined ? { ...body, snapshot } : body;
  }

  setTenantIndex(tenant: string, mode: TenantIndex) {
    return this.#record({ tenant, entity: "" }, { type: "tenant_index", mode }, async () => {
      const configured = await this.#plane.setTenantIndex(this.#process, tenant, mode);
      return configured.ok ? ok({ mode }) : configured;
    });
  }

  #withdraw(scope: EntityScope, id: string) {
    return this.#record(scope, { type: "withdraw", id }, () => this.#api(scope).withdraw(scope, id));
  }

  /** Whoever has something redacted keeps a copy. */
  async #redact(scope: EntityScope, { back, count }: Extract<Action, { type: "redact" }>) {
    const ids = Array.from({ length: count }, (_, more) => this.#idOf(scope, back + more));
    await this.export(scope);
    return this.redact(scope, [...new Set(ids)]);
  }

  redact(scope: EntityScope, ids: readonly string[]) {
    return this.#record(scope, { type: "redact", ids }, async () => {
      const redacted = await this.#api(scope).redact(scope, ids, false);
      if (!redacted.ok) return redacted;
      const hidden = await this.#plane.scopes.api(this.#process, scope.tenant).redactEntity(scope.tenant, scope.entity);
      return hidden.ok ? redacted : hidden;
    });
  }

  event(scope: EntityScope, id: string) {
    return this.#record(scope, { type: "event", id }, () => this.#api(scope).event(scope, id));
  }

  timeline(scope: EntityScope, kind: string | null = null) {
    return this.#record(scope, { type: "timeline", kind }, () => this.#allPages(scope, kind));
  }

  async #allPages(scope: EntityScope, kind: string | null): Promise<Result<readonly StoredEvent[]>> {
    const events: StoredEvent[] = [];
    let cursor: string | null = null;
    do {
      const query = { scope, from: null, to: null, kind, session: null, order: "asc", limit: PAGE, cursor } as const;
      const page = await this.#api(scope).timeline(query);
      if (!page.ok) return cursor === null ? page : unknown();
      events.push(...page.value.events);
      cursor = page.value.nextCursor;
    } while (cursor !== null);
    return ok(events);
  }

  status(scope: EntityScope) {
    return this.#record(scope, { type: "status" }, () => this.#api(scope).status(scope));
  }

  export(scope: EntityScope) {
    return this.#record(scope, { type: "export" }, () => this.#read(scope));
  }

  /** The log as its owner reads it: the segments that the entity names. */
  async #read(scope: EntityScope): Promise<Result<readonly ExportedCommit[]>> {
    const segments = await this.#api(scope).segments(scope);
    if (!segments.ok) return segments;
    const store = this.#plane.storeFor(this.#process).forTenant(scope.tenant);
    const commits: ExportedCommit[] = [];
    for (const { commit, segment } of segments.value) {
      const object = await store.get(segment);
      if (object === null) return unknown();
      const raw = nodeCompression.unzstd(object.bytes, SEGMENT_READ_BYTES_MAX);
      if (!raw.ok) return raw;
      commits.push({ commit, segment, lines: new TextDecoder().decode(raw.value).split("\n").slice(0, -1) });
    }
    return ok(commits);
  }

  /** Whoever has something erased keeps a copy. */
  async #job(scope: EntityScope, { job, whole }: Extract<Action, { type: "job" }>) {
    if (job === "erase") await this.export(scope);
    return this.job(scope, job, whole);
  }

  /** The operation that starts a job also calls a driver for it, which may never come. */
  async job(scope: EntityScope, job: "erase" | "rebuild" | "compact" | "reconcile", whole = false): Promise<void> {
    const reply = await this.#start(scope, job, whole);
    const comes = this.isFinal || this.#plane.chance.happens("driver", 0.6);
    if (reply?.ok && comes) this.#plane.drive({ tenant: scope.tenant, job: reply.value.job, generation: 1 });
  }

  #start(scope: EntityScope, job: "erase" | "rebuild" | "compact" | "reconcile", whole: boolean) {
    return this.#record(scope, { type: "job", job }, () =>
      this.#plane.callTenant(this.#process, scope.tenant, `startJob ${job}`, (registry) =>
        registry.startJob(job, whole ? null : scope.entity),
      ),
    );
  }

  entities(tenant: string) {
    return this.#record({ tenant, entity: "" }, { type: "entities" }, () =>
      this.#plane.callTenant(this.#process, tenant, "entities", async (registry) => {
        const page = await registry.entities("", 100, null);
        return page.ok ? ok(page.value.entities) : page;
      }),
    );
  }

  tenantStatus(tenant: string) {
    return this.#record({ tenant, entity: "" }, { type: "tenant_status" }, () =>
      this.#plane.callTenant(this.#process, tenant, "status", (registry) => registry.status()),
    );
  }

  bucket(scope: EntityScope) {
    return this.#record(scope, { type: "bucket" }, async () => ok(await this.#plane.keysOf(scope)));
  }

  jobs(tenant: string) {
    return this.#record({ tenant, entity: "" }, { type: "jobs" }, () =>
      this.#plane.callTenant(this.#process, tenant, "jobs", async (registry) => {
        const page = registry.jobs(1_000, null);
        return page.ok ? ok(page.value.jobs) : page;
      }),
    );
  }

  /** The cron. */
  async sweep(tenant: string): Promise<void> {
    const swept = await this.#ask(tenant, "sweep", (registry) => registry.sweep());
    if (swept.ok) for (const order of swept.value.undriven) this.#plane.drive({ tenant, ...order });
  }

  /** An operator tries again what was given up. */
  async #replay(tenant: string): Promise<void> {
    const letters = await this.#ask(tenant, "deadLetters", async (registry) => registry.deadLetters());
    for (const { id } of letters.ok ? letters.value : [])
      await this.#ask(tenant, "replay", (registry) => registry.replay(id));
  }

  #ask<T>(tenant: string, name: string, serve: (registry: TenantRegistry) => Promise<Result<T>>): Promise<Result<T>> {
    return this.#plane.callTenant(this.#process, tenant, name, serve).catch(() => unknown());
  }

  // --- what is known from earlier replies ---

  #of({ tenant, entity }: EntityScope) {
    const name = `${tenant}/${entity}`;
    const known = this.#known.get(name) ?? { appends: [], ids: ["never-sent"], snapshots: [], tokens: [] };
    this.#known.set(name, known);
    return known;
  }

  #idOf(scope: EntityScope, back: number): string {
    const { ids } = this.#of(scope);
    return ids.at(-1 - back) ?? ids[0] ?? "never-sent";
  }

  snapshotsOf(scope: EntityScope): readonly string[] {
    return this.#of(scope).snapshots;
  }

  #bodyOf(scope: EntityScope, { body, sees, back }: Extract<Action, { type: "search" }>): SearchBody {
    const { snapshots, tokens } = this.#of(scope);
    const other = this.#of({ ...scope, tenant: scope.tenant === "t1" ? "t2" : "t1" });
    const snapshot = (sees === "foreign" ? other.snapshots : snapshots).at(-1 - back);
    const token = tokens.at(-1 - back);
    if (sees === "door_pinned" && snapshot !== undefined) return { ...body, snapshot, consistency: "eventual" };
    if (sees === "eventual" || sees.startsWith("door")) return { ...body, consistency: "eventual" };
    if ((sees === "pinned" || sees === "foreign") && snapshot !== undefined) return { ...body, snapshot };
    if (sees === "at_least" && token !== undefined) return { ...body, at_least: token, consistency: "eventual" };
    return body;
  }

  // --- ---

  #api(scope: EntityScope) {
    return this.#plane.entityApi(this.#process, scope);
  }

  async #record<Type extends Request["type"]>(
    { tenant, entity }: EntityScope,
    request: Extract<Request, { type: Type }>,
    send: () => Promise<Result<Replies[Type]>>,
  ): Promise<Result<Replies[Type]> | null> {
    const { scheduler } = this.#plane;
    const call: CallOf<Type> = {
      id: this.#history.calls.length,
      tenant,
      entity,
      request,
      invoked: this.#history.moment(),
      invokedMs: scheduler.nowMs,
      replied: Number.POSITIVE_INFINITY,
      repliedMs: Number.POSITIVE_INFINITY,
      reply: { kind: "unknown" },
      isFinal: this.isFinal,
    };
    this.#history.calls.push(call as unknown as Call);
    scheduler.note(`call ${call.id}: ${tenant}/${entity} ${shown(request)}`);
    const result = await send().catch(() => null);
    call.replied = this.#history.moment();
    call.repliedMs = scheduler.nowMs;
    if (result?.ok) call.reply = { kind: "ok", value: result.value };
    else if (result !== null) call.reply = { kind: "failed", failure: result.failure };
    scheduler.note(
      `call ${call.id} = ${result === null ? "unknown" : shown(result.ok ? result.value : result.failure)}`,
    );
    return result;
  }
}

function unknown(): Result<never> {
  return fail({ reason: "unavailable", what: "It was read in part.", retryAfterSeconds: 1 });
}

const SHOWN_CHARACTERS = 600;

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, SHOWN_CHARACTERS);
}
