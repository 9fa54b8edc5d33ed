/**
 * What runs over a whole tenant: its index, searches of it, and strong searches of a few entities.
 */
import { ok, type Result } from "../../core/errors.ts";
import type { ScopeSearchAnswer, ScopeSearchCommand, ScopeStatus } from "../../core/scope/scope_rpc.ts";
import { searchEntities } from "./fan_out.ts";
import type { ScopePorts } from "./ports.ts";
import { ScopeIndex } from "./scope_index.ts";
import { ScopeParts } from "./scope_parts.ts";
import { ScopeSearch } from "./scope_search.ts";

export class TenantScope {
  readonly index: ScopeIndex;
  readonly #ports: ScopePorts;
  readonly #search: ScopeSearch;

  constructor(ports: ScopePorts) {
    const parts = new ScopeParts(ports, ports.cache);
    this.#ports = ports;
    this.index = new ScopeIndex(ports, parts);
    this.#search = new ScopeSearch(ports, this.index, parts);
  }

  /** A strong search asks the entities themselves, and needs no index. */
  search(command: ScopeSearchCommand): Promise<Result<ScopeSearchAnswer>> {
    if (command.search.request.consistency === "strong") return searchEntities(this.#ports, command);
    return this.#search.search(command);
  }

  async status(): Promise<Result<ScopeStatus>> {
    await this.index.lookAgain();
    const { mode, head, work, committedMs, unreadable } = this.index.state;
    return ok({
      mode,
      coverage: mode === "off" ? null : this.#search.coverage(mode === "full" ? "events" : "summaries", null),
      shards: { events: head?.layers.events.length ?? 0, summaries: head?.layers.summaries.length ?? 0 },
      pending: this.#ports.tables.pendingCount(),
      lastCommittedAt: committedMs,
      error: work.error,
      unreadable,
    });
  }
}
