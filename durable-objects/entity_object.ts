/**
 * EntityObject: one for each entity, SQLite-backed. It composes `Entity` from the platform, checks that a call is meant for
 * it, and answers with values: a throw across RPC would lose its type.
 */

import { DurableObject } from "cloudflare:workers";
import { logFault } from "../adapters/platform/fault_log.ts";
import { type Failure, fail, ok, type Result, UnfitStore } from "../core/errors.ts";
import type { Placed } from "../core/retrieval/search.ts";
import {
  type AppendCommand,
  type EntityApi,
  type EntityIndexApi,
  type EntityScope,
  entityObjectName,
  type HeadProposal,
  type PlannedOn,
  type SearchCommand,
  type TimelineQuery,
  type WorkPurpose,
} from "../core/rpc.ts";
import type { EntityStepsApi, SearchStep } from "../core/scope/scope_rpc.ts";
import { composeEntity } from "./compose.ts";
import type { Entity } from "./entity/entity.ts";
import type { Env } from "./env.ts";
import { Misconfiguration } from "./settings.ts";

/** The next try of an alarm that could not even be composed: a variable is wrong until the next deployment. */
const ALARM_RETRY_MS = 60_000;

export class EntityObject extends DurableObject<Env> implements EntityApi, EntityIndexApi, EntityStepsApi {
  #entity: Entity | null = null;

  append(command: AppendCommand) {
    return this.#serve(command.scope, (entity) => entity.append(command), true);
  }

  withdraw(scope: EntityScope, id: string) {
    return this.#serve(scope, (entity) => entity.withdraw(id));
  }

  redact(scope: EntityScope, ids: readonly string[], dryRun: boolean) {
    return this.#serve(scope, (entity) => entity.redact(ids, dryRun));
  }

  search({ scope, request, bm25 }: SearchCommand) {
    return this.#serve(scope, (entity) => entity.reader.search(request, bm25));
  }

  surveySearch(command: SearchCommand) {
    return this.#serve(command.scope, (entity) => entity.reader.surveySearch(command));
  }

  rankSearch(step: SearchStep) {
    return this.#serve(step.scope, (entity) => entity.reader.rankSearch(step));
  }

  hydrateSearch(step: SearchStep, placed: readonly Placed[]) {
    return this.#serve(step.scope, (entity) => entity.reader.hydrateSearch(step, placed));
  }

  timeline(query: TimelineQuery) {
    return this.#serve(query.scope, (entity) => entity.reader.timeline(query));
  }

  event(scope: EntityScope, id: string) {
    return this.#serve(scope, (entity) => entity.reader.event(id));
  }

  document(scope: EntityScope, id: string) {
    return this.#serve(scope, (entity) => entity.reader.document(id));
  }

  status(scope: EntityScope) {
    return this.#serve(scope, (entity) => entity.reader.status());
  }

  warm(scope: EntityScope) {
    return this.#serve(scope, (entity) => entity.reader.warm());
  }

  segments(scope: EntityScope) {
    return this.#serve(scope, (entity) => entity.reader.segments());
  }

  nextWork(scope: EntityScope) {
    return this.#serve(scope, async (entity) => ok(await entity.nextWork()));
  }

  proposeHead(proposal: HeadProposal) {
    return this.#serve(proposal.scope, (entity) => entity.proposeHead(proposal));
  }

  workFailed(scope: EntityScope, from: number, error: string, deferred: boolean, purpose?: WorkPurpose) {
    return this.#serve(scope, async (entity) => ok({ smaller: entity.workFailed(from, error, deferred, purpose) }));
  }

  stands(scope: EntityScope, incarnation: number, from: number, plannedOn?: PlannedOn) {
    return this.#serve(scope, async (entity) => ok(entity.stands(incarnation, from, plannedOn)));
  }

  lastFailure(scope: EntityScope) {
    return this.#serve(scope, async (entity) => ok(entity.lastFailure()));
  }

  unseal(scope: EntityScope) {
    return this.#serve(scope, async (entity) => {
      entity.unseal();
      return ok(null);
    });
  }

  counters(scope: EntityScope) {
    return this.#serve(scope, (entity) => entity.counters());
  }

  commits(scope: EntityScope, incarnation: number, from: number, to: number) {
    return this.#serve(scope, (entity) => entity.reader.commits(incarnation, from, to));
  }

  summarySources(scope: EntityScope, incarnation: number) {
    return this.#serve(scope, (entity) => entity.reader.summarySources(incarnation));
  }

  rebuild(scope: EntityScope) {
    return this.#serve(scope, (entity) => entity.rebuild());
  }

  compact(scope: EntityScope) {
    return this.#serve(scope, async (entity) => {
      entity.compact();
      return ok(null);
    });
  }

  erase(scope: EntityScope) {
    return this.#serve(scope, (entity) => entity.erase());
  }

  erased(scope: EntityScope) {
    return this.#serve(scope, async (entity) => ok(entity.erased()));
  }

  /** Never throws: after six throws the platform would give the alarm up. */
  override async alarm(): Promise<void> {
    const scope = scopeOf(this.ctx.id.name);
    if (scope === null) return;
    try {
      await this.#compose(scope).wake();
    } catch (cause) {
      logFault("alarm_failed", cause);
      await this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  async #serve<T>(
    scope: EntityScope,
    call: (entity: Entity) => Promise<Result<T>>,
    forWrite = false,
  ): Promise<Result<T>> {
    if (this.ctx.id.name !== entityObjectName(scope)) return fail({ reason: "internal" });
    try {
      const entity = this.#compose(scope);
      const ready = await entity.ready(forWrite);
      return ready.ok ? await call(entity) : ready;
    } catch (cause) {
      // A store or queue fault, or a bug: either way nothing was acknowledged, and the reason stays here.
      logFault("entity_call_failed", cause);
      if (cause instanceof Misconfiguration || cause instanceof UnfitStore) return fail(unavailable(cause.message));
      return fail(unavailable("The entity could not answer."));
    }
  }

  #compose(scope: EntityScope): Entity {
    this.#entity ??= composeEntity(this.ctx, this.env, scope);
    return this.#entity;
  }
}

/** The scope that an object's name stands for; null when it is none of `entityObjectName`'s. */
function scopeOf(name: string | undefined): EntityScope | null {
  const slash = name?.indexOf("/") ?? -1;
  if (name === undefined || slash === -1) return null;
  return { tenant: name.slice(0, slash), entity: decodeURIComponent(name.slice(slash + 1)) };
}

function unavailable(what: string): Failure {
  return { reason: "unavailable", what, retryAfterSeconds: 1 };
}
