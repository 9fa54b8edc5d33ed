/**
 * Faults that a simulation has to find. Each is an edit of a shipped source; any of `invariants` may catch it.
 */
export interface PlantedFault {
  readonly name: string;
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  readonly invariants: readonly string[];
  /** The first of the seeds to look at. */
  readonly from: number;
}

const ENTITY = "durable-objects/entity";

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: "acknowledge_before_put",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "      ports.store.create(intent.segment, bytes, metadata),\n",
        to: "      (ports.store.create(intent.segment, bytes, metadata).catch(() => true), Promise.resolve(true)),\n",
      },
    ],
    invariants: ["durable before acknowledged"],
    from: 4,
  },
  {
    name: "acknowledge_before_transaction",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "    this.#advance(facts, joinFrames(frames.frames).bytes, lines.value, results);\n",
        to: "    void ports.timer.sleep(30).then(() => this.#advance(facts, joinFrames(frames.frames).bytes, lines.value, results)).catch(() => null);\n",
      },
    ],
    invariants: ["read your writes", "counts are right"],
    from: 1,
  },
  {
    name: "adopt_whatever_exists",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "    if (metadata.sha256 === facts.sha256) return",
        to: "    if (metadata.sha256 !== null) return",
      },
    ],
    invariants: ["durable before acknowledged"],
    from: 1,
  },
  {
    name: "stale_proposal_accepted",
    edits: [
      { file: `${ENTITY}/entity_index.ts`, from: " || state.head.version !== headVersion;", to: ";" },
      {
        file: "core/index/head.ts",
        from: "  if (proposal.baseVersion !== version)\n",
        to: "  if (proposal.baseVersion < 0)\n",
      },
      {
        file: "core/index/head.ts",
        from: "  if (proposal.shards.length === 0 || !tiles(next, covered))\n",
        to: "  if (proposal.shards.length === 0)\n",
      },
    ],
    invariants: ["nothing is lost silently"],
    from: 102,
  },
  {
    name: "union_on_lost_race",
    edits: [
      { file: `${ENTITY}/entity_index.ts`, from: " || state.head.version !== headVersion;", to: ";" },
      {
        file: "core/index/head.ts",
        from: "  if (proposal.baseVersion !== version)\n",
        to: "  if (proposal.baseVersion < 0)\n",
      },
      { file: "core/index/head.ts", from: "  if (covered < (current?.covered ?? 0))", to: "  if (covered < 0)" },
      {
        file: "core/index/head.ts",
        from: "  const next = [...kept, ...proposal.shards];\n  if (proposal.shards.length === 0 || !tiles(next, covered))\n",
        to: "  const next = proposal.baseVersion === version ? [...kept, ...proposal.shards] : [...shards, ...proposal.shards];\n  if (proposal.shards.length === 0)\n",
      },
    ],
    invariants: ["nothing is lost silently"],
    from: 72,
  },
  {
    name: "tail_dropped_before_adoption",
    edits: [
      {
        file: `${ENTITY}/entity_index.ts`,
        from: "    const head = await this.#putHead(",
        to: "    ports.tables.transaction(() => ports.tables.tail.drop(part.value.to));\n    const head = await this.#putHead(",
      },
    ],
    invariants: ["it comes to rest", "read your writes"],
    from: 3,
  },
  {
    name: "key_without_incarnation",
    edits: [
      {
        file: "core/log/keys.ts",
        from: "export function segmentKey(entity: string, dayMs: number, incarnation: number, commit: number): string {\n",
        to: "export function segmentKey(entity: string, dayMs: number, incarnation: number, commit: number): string {\n  incarnation = 1;\n",
      },
    ],
    invariants: ["one log"],
    from: 4,
  },
  {
    name: "day_path_fork",
    edits: [
      { file: `${ENTITY}/entity_log.ts`, from: "if (intent?.commit === commit) return intent;", to: "" },
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "const isTaken = lastDayMs > 0 &&",
        to: "const isTaken = lastDayMs < 0 &&",
      },
      { file: "core/log/commit_plan.ts", from: " ? previousDayMs : today;", to: " ? today : today;" },
    ],
    invariants: ["refusals have a reason", "durable before acknowledged"],
    from: 46,
  },
  {
    name: "statistics_of_withdrawn",
    edits: [
      {
        file: "core/retrieval/legs.ts",
        from: "documentsOf(opened.value, liveRows(access, opened.value, live))",
        to: "documentsOf(opened.value, access.slab.rowsBefore(opened.value, live.rowEnd))",
      },
    ],
    invariants: ["answers are those of the log"],
    from: 1,
  },
  {
    name: "token_off_by_one",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "{ incarnation, commit: place.commit }, ports.digest),",
        to: "{ incarnation, commit: place.commit + 1 }, ports.digest),",
      },
    ],
    invariants: ["tokens name what they say"],
    from: 1,
  },
  {
    name: "duplicate_filter_off",
    edits: [
      { file: `${ENTITY}/entity_log.ts`, from: "    return this.#host.inShards(id);\n", to: "    return null;\n" },
    ],
    invariants: ["once", "duplicates"],
    from: 1,
  },
  {
    name: "eventual_without_bound",
    edits: [
      {
        file: `${ENTITY}/entity_reader.ts`,
        from: "behind && oldestUnindexedMs !== null ?",
        to: "!behind && oldestUnindexedMs !== null ?",
      },
    ],
    invariants: ["staleness is said"],
    from: 3,
  },
  {
    name: "idempotency_apart",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "      this.#record(results);\n      this.#host.write(next);\n",
        to: "      void ports.timer.sleep(100).then(() => ports.tables.transaction(() => this.#record(results))).catch(() => null);\n      this.#host.write(next);\n",
      },
    ],
    invariants: ["idempotency"],
    from: 12,
  },
  {
    name: "erased_incarnation_readable",
    edits: [
      {
        file: "core/retrieval/snapshots.ts",
        from: "  if (snapshot.incarnation < log.incarnation) {",
        to: "  if (snapshot.incarnation < 0) {",
      },
    ],
    invariants: ["answers are those of the log", "erased stays erased", "refusals have a reason"],
    from: 3,
  },
  {
    name: "second_page_ignored",
    edits: [
      {
        file: `${ENTITY}/segment_listing.ts`,
        from: "      cursor = page.cursor;\n    } while (cursor !== null);\n  }\n}\n\n/** Commits of one look",
        to: "      cursor = page === null ? cursor : null;\n    } while (cursor !== null);\n  }\n}\n\n/** Commits of one look",
      },
    ],
    invariants: ["durable before acknowledged"],
    from: 1,
  },
  {
    name: "later_commits_seen",
    edits: [
      {
        file: "core/log/live.ts",
        from: "liveness.parts.map(({ part }) => rowsThrough(part, commit));",
        to: "liveness.parts.map(({ part }) => rowsThrough(part, commit + 1));",
      },
    ],
    invariants: ["answers are those of the log"],
    from: 1,
  },
  {
    name: "alarm_not_rearmed",
    edits: [{ file: `${ENTITY}/entity.ts`, from: "    else this.#armNext();\n", to: "" }],
    invariants: ["it comes to rest", "nothing is lost silently"],
    from: 1,
  },
  {
    name: "withdrawn_listed",
    edits: [
      { file: "core/retrieval/timeline.ts", from: "  for (const row of live.deadRows) hidden[row] = 1;\n", to: "" },
    ],
    invariants: ["read your writes"],
    from: 1,
  },
  {
    name: "wrong_waiter_answered",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "    this.#advance(facts, joinFrames(frames.frames).bytes, lines.value, results);\n    for (const { waiting, result } of results)",
        to: "    this.#advance(facts, joinFrames(frames.frames).bytes, lines.value, results);\n    for (const [at, { waiting }] of results.entries()) for (const { result } of results.slice(results.length - 1 - at, results.length - at))",
      },
    ],
    invariants: ["duplicates"],
    from: 1,
  },
  {
    name: "idempotency_outlives_erasure",
    edits: [
      {
        file: `${ENTITY}/entity_tables.ts`,
        from: '"garbage_pages", "idempotency"])',
        to: '"garbage_pages"])',
      },
    ],
    invariants: ["erased stays erased"],
    from: 4,
  },
  {
    name: "named_shards_collected",
    edits: [
      {
        file: `${ENTITY}/collect.ts`,
        from: "...head.shards.map(({ sha256 }) => shardKey(entity, sha256))];\n",
        to: "...head.shards.slice(1).map(({ sha256 }) => shardKey(entity, sha256))];\n",
      },
    ],
    invariants: ["what failed comes back", "what a head names is there"],
    from: 4,
  },
  {
    name: "ties_reversed",
    edits: [
      {
        file: "core/retrieval/legs.ts",
        from: "b.score - a.score || a.ordinal - b.ordinal",
        to: "b.score - a.score || b.ordinal - a.ordinal",
      },
    ],
    invariants: ["answers are those of the log"],
    from: 1,
  },
  {
    name: "tombstones_not_counted",
    edits: [{ file: `${ENTITY}/entity_log.ts`, from: "        events -= 1;\n", to: "" }],
    invariants: ["counts are right"],
    from: 1,
  },
  {
    name: "not_registered_before_put",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "    if (dirtySinceMs !== null || registered > last) return ok(null);\n",
        to: "    if (dirtySinceMs !== null || registered >= last) return ok(null);\n",
      },
    ],
    invariants: ["durable before acknowledged", "counts are right", "nothing is lost silently"],
    from: 40,
  },
  {
    name: "always_clean",
    edits: [
      {
        file: "durable-objects/tenant/registry_tables.ts",
        from: "           WHEN ?12 THEN COALESCE(dirty_since_ms, ?13)\n           WHEN ?5 >= ?4 AND ?5 >= dirty_commit THEN NULL\n",
        to: "           WHEN ?4 + ?5 + ?12 + ?13 >= 0 THEN NULL\n",
      },
    ],
    invariants: ["nothing is lost silently"],
    from: 4,
  },
  {
    name: "erased_twice",
    edits: [
      {
        file: "durable-objects/tenant/entity_batches.ts",
        from: '        return ok(null);\n      case "warm"',
        to: '        return control.erase(scope);\n      case "warm"',
      },
    ],
    invariants: ["durable before acknowledged"],
    from: 3,
  },
  {
    name: "frame_missing_from_segment",
    edits: [
      {
        file: `${ENTITY}/entity_log.ts`,
        from: "    const frames = joined(admitted);\n",
        to: "    const frames = joined(admitted.length > 1 ? admitted.slice(0, -1) : admitted);\n",
      },
    ],
    invariants: ["durable before acknowledged"],
    from: 1,
  },
  {
    name: "withdrawn_before_the_shard_found",
    edits: [
      {
        file: "core/log/live.ts",
        from: "withdrawals: withdrawalsOf(part, before)",
        to: "withdrawals: withdrawalsOf(part, [])",
      },
    ],
    invariants: ["answers are those of the log"],
    from: 2,
  },
  {
    name: "recovery_without_waiting",
    edits: [
      {
        file: `${ENTITY}/recovery.ts`,
        from: "  await ports.timer.sleep(ports.settings.putDeadlineMs);\n",
        to: "",
      },
    ],
    invariants: ["durable before acknowledged", "one log", "refusals have a reason"],
    from: 180,
  },
  {
    // Whoever goes by a head that was replaced has its shards in memory too, so that half of the edits are needed to see it.
    name: "collected_before_deadline",
    edits: [
      {
        file: `${ENTITY}/collect.ts`,
        from: "const dueMs = sinceMs + settings.buildDeadlineMs;",
        to: "const dueMs = sinceMs;",
      },
      {
        file: `${ENTITY}/collect.ts`,
        from: "Math.max(litteredMs + this.#litterAgeMs(), this.#fencedUntilMs())",
        to: "Math.max(litteredMs, this.#fencedUntilMs())",
      },
      {
        file: "workers/query/eventual/shard_parts.ts",
        from: "    const opened = this.#opened.get(name);\n",
        to: "    const opened = null as Part | null;\n",
      },
      {
        file: "workers/query/eventual/shard_parts.ts",
        from: "    const near = await this.#ports.blocks.get(name);\n",
        to: "    const near = null as Uint8Array | null;\n",
      },
    ],
    invariants: ["what a head names is there"],
    from: 19,
  },
  {
    // Proposals are refused while a redaction is under way, and what was built before goes with it: either is enough.
    name: "head_version_reused",
    edits: [
      { file: `${ENTITY}/entity_redaction.ts`, from: "      head: { ...head, version },\n", to: "      head,\n" },
      {
        file: `${ENTITY}/entity_index.ts`,
        from: "if (state.erasing !== null || state.redaction !== null) return true;",
        to: "if (state.erasing !== null) return true;",
      },
    ],
    invariants: ["redacted stays redacted", "counts are right"],
    from: 69,
  },
  {
    name: "snapshots_outlive_redaction",
    edits: [
      { file: "core/retrieval/snapshots.ts", from: "  if (redacted < log.redacted) {", to: "  if (redacted < 0) {" },
    ],
    invariants: ["redacted stays redacted", "snapshots reproduce"],
    from: 1,
  },
  {
    name: "redacted_shards_kept",
    edits: [
      {
        file: `${ENTITY}/entity_redaction.ts`,
        from: "  const lines = redaction?.lines ?? [];\n",
        to: "  const lines = (redaction?.lines ?? []).slice(1);\n",
      },
    ],
    invariants: ["answers are those of the log", "snapshots reproduce"],
    from: 1,
  },
  {
    name: "redacted_tail_kept",
    edits: [{ file: `${ENTITY}/entity_redaction.ts`, from: "    this.#host.replaceTail(tail.value);\n", to: "" }],
    invariants: ["redacted stays redacted", "answers are those of the log", "counts are right"],
    from: 3,
  },
  {
    name: "redaction_named_too_early",
    edits: [{ file: `${ENTITY}/entity_redaction.ts`, from: "{ redacted: commit - 1 }", to: "{ redacted: commit }" }],
    invariants: ["answers are those of the log", "counts are right", "snapshots reproduce"],
    from: 5,
  },
  {
    name: "head_kept_at_the_door",
    edits: [
      {
        file: "workers/query/eventual/newest_head.ts",
        from: "(clock, EVENTUAL_HEAD_CACHE_MS, EVENTUAL_HEAD_ENTRIES_MAX)",
        to: "(clock, 1e12, EVENTUAL_HEAD_ENTRIES_MAX)",
      },
    ],
    invariants: ["erased stays erased", "redacted stays redacted", "what a head names is there"],
    from: 4,
  },
  {
    name: "head_fresher_than_it_is",
    edits: [
      { file: `${ENTITY}/entity_index.ts`, from: "confirmedAt: this.#seenThroughMs(nowMs)", to: "confirmedAt: nowMs" },
    ],
    invariants: ["staleness is said"],
    from: 3,
  },
  {
    name: "lost_shard_left_out",
    edits: [
      {
        file: `${ENTITY}/lost_shards.ts`,
        from: "    return this.#host.state().lost.filter(({ sha256 }) => !this.#host.parts.standIns.has(sha256));\n",
        to: "    for (const { sha256 } of this.#host.state().lost) this.#host.parts.standIns.set(sha256, []);\n    return [];\n",
      },
    ],
    invariants: ["answers are those of the log", "durable before acknowledged", "read your writes", "counts are right"],
    from: 1,
  },
  {
    name: "erased_in_the_tenants_index",
    edits: [
      {
        file: "durable-objects/scope/scope_search.ts",
        from: "hidden(erased, prefix)",
        to: "hidden(erased.slice(1), prefix)",
      },
    ],
    invariants: ["erased stays erased"],
    from: 21,
  },
  {
    // The registry's feed tells of it as well, at the next look.
    name: "redacted_in_the_tenants_index",
    edits: [
      { file: "durable-objects/scope/scope_index.ts", from: "known.redacted < redacted", to: "known.redacted < 0" },
      {
        file: "durable-objects/scope/scope_index.ts",
        from: 'this.state.mode === "off" || known === null ? ok(null) : this.rebuild();',
        to: 'known === null || this.state.mode === "off" ? ok(null) : ok(null);',
      },
    ],
    invariants: ["redacted stays redacted"],
    from: 2,
  },
  {
    name: "feed_read_past_a_rebuild",
    edits: [
      { file: "durable-objects/scope/scope_index.ts", from: "      if (this.state.feed !== feed) continue;\n", to: "" },
    ],
    invariants: ["answers are those of the log", "staleness is said"],
    from: 28,
  },
  {
    name: "heard_of_is_seen",
    edits: [
      {
        file: "durable-objects/scope/scope_index.ts",
        from: "this.state.behindSinceMs ?? this.state.heardThroughMs",
        to: "this.state.behindSinceMs ?? this.#ports.clock.now()",
      },
    ],
    invariants: ["staleness is said"],
    from: 12,
  },
  {
    name: "pending_dropped_too_far",
    edits: [
      {
        file: "durable-objects/scope/scope_index.ts",
        from: "dropPending(layer, coveredBy(shards.value))",
        to: "dropPending(layer, coveredBy(shards.value) + 1)",
      },
    ],
    invariants: ["it comes to rest", "answers are those of the log"],
    from: 10,
  },
];
