/**
 * ScopeObject: one for each tenant, SQLite-backed, for what runs over the whole of it. It stands apart from TenantObject
 * so that no search holds up the registry, which new entities wait for. All that it does is in `scope/`.
 */
import { DurableObject } from "cloudflare:workers";
import { logFault } from "../adapters/platform/fault_log.ts";
import { fail, ok, type Result, UnfitStore } from "../core/errors.ts";
import type { ScopeApi, ScopeIndexApi, ScopeProposal, ScopeSearchCommand } from "../core/scope/scope_rpc.ts";
import { composeScope } from "./compose.ts";
import type { Env } from "./env.ts";
import type { TenantScope } from "./scope/tenant_scope.ts";
import { Misconfiguration } from "./settings.ts";

/** The next try of an alarm that could not even be composed: a variable is wrong until the next deployment. */
const ALARM_RETRY_MS = 60_000;

export class ScopeObject extends DurableObject<Env> implements ScopeApi, ScopeIndexApi {
  #scope: TenantScope | null = null;

  searchScope(command: ScopeSearchCommand) {
    return this.#serve(command.tenant, (scope) => scope.search(command));
  }

  scopeStatus(tenant: string) {
    return this.#serve(tenant, (scope) => scope.status());
  }

  configure(tenant: string) {
    return this.#serve(tenant, ({ index }) => index.configure());
  }

  noticed(tenant: string) {
    return this.#serve(tenant, async ({ index }) => {
      index.noticed();
      return ok(null);
    });
  }

  redactEntity(tenant: string, entity: string) {
    return this.#serve(tenant, ({ index }) => index.redactEntity(entity));
  }

  eraseEntity(tenant: string, entity: string, below: number) {
    return this.#serve(tenant, ({ index }) => index.eraseEntity(entity, below));
  }

  rebuildScope(tenant: string) {
    return this.#serve(tenant, ({ index }) => index.rebuild());
  }

  nextScopeWork(tenant: string) {
    return this.#serve(tenant, async ({ index }) => ok(index.nextWork()));
  }

  proposeShard(proposal: ScopeProposal) {
    return this.#serve(proposal.tenant, ({ index }) => index.propose(proposal));
  }

  scopeWorkFailed(tenant: string, error: string, deferred: boolean) {
    return this.#serve(tenant, ({ index }) => index.failed(error, deferred));
  }

  /** Never throws: after six throws the platform would give the alarm up. */
  override async alarm(): Promise<void> {
    const tenant = this.ctx.id.name;
    if (tenant === undefined) return;
    try {
      await this.#compose(tenant).index.wake();
    } catch (cause) {
      logFault("alarm_failed", cause);
      await this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  async #serve<T>(tenant: string, call: (scope: TenantScope) => Promise<Result<T>>): Promise<Result<T>> {
    if (this.ctx.id.name !== tenant) return fail({ reason: "internal" });
    try {
      const scope = this.#compose(tenant);
      const ready = await scope.index.ready();
      return ready.ok ? await call(scope) : ready;
    } catch (cause) {
      logFault("scope_call_failed", cause);
      if (cause instanceof Misconfiguration || cause instanceof UnfitStore) {
        return fail({ reason: "unavailable", what: cause.message, retryAfterSeconds: 1 });
      }
      return fail({ reason: "unavailable", what: "The tenant could not be searched.", retryAfterSeconds: 1 });
    }
  }

  #compose(tenant: string): TenantScope {
    this.#scope ??= composeScope(this.ctx, this.env, tenant);
    return this.#scope;
  }
}
