/** Collection over the shipped classes: what a head may need is never deleted, and what none needs is, in the end. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ok } from "../../core/errors.ts";
import { COLLECT_HEADS_MIN, COLLECT_OBJECTS_MAX } from "../../core/limits.ts";
import { headKey, headsPrefix, shardKey } from "../../core/log/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import type { HeadProposal, IndexWork } from "../../core/rpc.ts";
import { headSchema, readStored } from "../../core/schema/stored.ts";
import type { EntityState } from "../../durable-objects/entity/state.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

/** More alarms than the longest way from the last build to the end of a collection takes. */
const QUIET_WAKES = 40;

function stateOf(fixture: EntityFixture): EntityState | null {
  if (fixture.sql.run("SELECT 1 AS found FROM sqlite_master WHERE name = 'state'").length === 0) return null;
  const [row] = fixture.sql.run("SELECT json FROM state");
  return row === undefined ? null : (JSON.parse(String(row.json)) as EntityState);
}

/** Every key of the entity. */
async function keysOf(fixture: EntityFixture): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await fixture.store.list("entities/", cursor);
    keys.push(...page.objects.map(({ key }) => key));
    cursor = page.cursor;
  } while (cursor !== null);
  return keys;
}

/** What the adopted head names, itself included. */
function named(fixture: EntityFixture): string[] {
  const head = stateOf(fixture)?.head;
  if (head === undefined || head.covered === 0) return [];
  const { entity } = fixture.scope;
  return [headKey(entity, head.version), ...head.shards.map(({ sha256 }) => shardKey(entity, sha256))];
}

const isSegment = (key: string) => key.includes("/segments/");

/** Alarms ring until none is set. */
async function untilQuiet(fixture: EntityFixture): Promise<void> {
  await fixture.serve(async () => ok(null));
  for (let wake = 0; fixture.alarm.atMs !== null; wake += 1) {
    if (wake === QUIET_WAKES) throw new Error("the alarm never ends");
    await fixture.wake();
    await fixture.index();
  }
}

async function filled(commits: number, objects?: ObjectStore): Promise<EntityFixture> {
  const fixture = objects === undefined ? new EntityFixture() : new EntityFixture("account:acme", objects);
  await fill(fixture, commits);
  return fixture;
}

/** Each is indexed by itself. */
async function fill(fixture: EntityFixture, commits: number): Promise<void> {
  const first = stateOf(fixture)?.last ?? 0;
  for (let n = first; n < first + commits; n += 1) {
    await fixture.accept({ id: `e${n}`, text: `report ${n}` });
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
  }
}

async function expectOnlyNeeded(fixture: EntityFixture): Promise<void> {
  const keys = await keysOf(fixture);
  const hint = keys.filter((key) => key.endsWith("/head.json"));
  expect(keys.filter((key) => !isSegment(key)).toSorted()).toEqual([...named(fixture), ...hint].toSorted());
}

describe("an entity that has become quiet", () => {
  test("has the head, its shards and its segments in the store, and sets no alarm any more", async () => {
    const fixture = await filled(6);
    expect((await keysOf(fixture)).filter((key) => key.includes("/heads/"))).toHaveLength(6);
    await untilQuiet(fixture);
    await expectOnlyNeeded(fixture);
    fixture.crash();
    await fixture.entity.ready();
    expect(fixture.alarm.atMs).toBeNull();
    // Each build but the last left a head and a shard behind.
    expect(valueIn(await fixture.entity.reader.status())).toMatchObject({ commits: 6, collected: 10 });
    expect(await fixture.ids()).toHaveLength(6);
  });

  test("sets no alarm any more either when a rebuild of it was given up", async () => {
    const fixture = await filled(3);
    await fixture.store.delete([(await keysOf(fixture)).find(isSegment) ?? ""]);
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    await fixture.index();
    expect(stateOf(fixture)?.rebuilding?.attempted?.sealed).toBe(true);
    await untilQuiet(fixture);
    // Asked for again it is tried again, and what waits is collected once it has ended.
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    expect(fixture.alarm.atMs).not.toBeNull();
  });

  test("lists nothing when nothing was built since", async () => {
    const fixture = await filled(3);
    await untilQuiet(fixture);
    const calls = fixture.calls.count;
    fixture.nowMs += 10 * fixture.settings.buildDeadlineMs;
    await fixture.wake();
    expect(fixture.calls.count).toBe(calls);
    expect(fixture.alarm.atMs).toBeNull();
  });

  test("is collected all the same after its state was lost, and when that was written before there was collection", async () => {
    const fixture = await filled(4);
    fixture.loseState();
    await untilQuiet(fixture);
    await expectOnlyNeeded(fixture);
    const older = await filled(4);
    older.sql.run("UPDATE state SET json = json_remove(json, '$.collection')");
    older.crash();
    await untilQuiet(older);
    await expectOnlyNeeded(older);
  });

  test("is collected after so many heads, and a few are left for as long as they may lie", async () => {
    const collected = async (fixture: EntityFixture) => valueIn(await fixture.entity.reader.status()).collected;
    const pass = async (fixture: EntityFixture, ms: number) => {
      const end = fixture.nowMs + ms;
      while (fixture.alarm.atMs !== null && fixture.alarm.atMs <= end) await fixture.wake();
      fixture.nowMs = end;
    };
    const fixture = new EntityFixture();
    fixture.settings = { ...fixture.settings, collectAgeMs: 100 * fixture.settings.buildDeadlineMs };
    await fill(fixture, COLLECT_HEADS_MIN - 1);
    await pass(fixture, 10 * fixture.settings.buildDeadlineMs);
    expect(await collected(fixture)).toBe(0);
    await fill(fixture, 1);
    await pass(fixture, 3 * fixture.settings.buildDeadlineMs);
    expect(await collected(fixture)).toBe(2 * (COLLECT_HEADS_MIN - 1));
    await fill(fixture, 1);
    await pass(fixture, 10 * fixture.settings.buildDeadlineMs);
    expect(await collected(fixture)).toBe(2 * (COLLECT_HEADS_MIN - 1));
    await pass(fixture, fixture.settings.collectAgeMs);
    expect(await collected(fixture)).toBe(2 * COLLECT_HEADS_MIN);
  });

  test("loses what was marked only after a deadline", async () => {
    const fixture = await filled(3);
    const before = await keysOf(fixture);
    fixture.nowMs += fixture.settings.buildDeadlineMs;
    await fixture.wake();
    fixture.nowMs += fixture.settings.buildDeadlineMs - 1;
    await fixture.entity.wake();
    expect((await keysOf(fixture)).filter((key) => before.includes(key))).toEqual(before);
  });
});

test("a head that was put and not adopted is kept with its shards: a recovery finds it", async () => {
  const fixture = await filled(1);
  await fixture.accept({ id: "b", text: "report b" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  const put = fixture.calls.hold("create", "/heads/", "after");
  void fixture.serve(async () => (await fixture.buildNext()) ?? ok(null));
  await put.reached;
  await abandoned(fixture);
  for (let wake = 0; wake < QUIET_WAKES; wake += 1) await fixture.wake();
  expect(stateOf(fixture)).toMatchObject({ head: { version: 1 }, collection: { phase: "idle", litteredMs: null } });
  fixture.loseState();
  expect(valueIn(await fixture.serve((entity) => entity.counters())).indexedCommit).toBe(2);
});

test("what a builder has put is there for as long as it is at work", async () => {
  const fixture = await filled(2);
  await fixture.accept({ id: "b", text: "report b" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  const proposal = valueIn(await built(fixture));
  for (let passed = 0; passed < 3 * fixture.settings.buildDeadlineMs; passed += fixture.settings.nudgeRetryMs - 1) {
    fixture.nowMs += fixture.settings.nudgeRetryMs - 1;
    expect(fixture.entity.stands(1, 1)).toBe(true);
    await fixture.entity.wake();
  }
  expect(await fixture.entity.proposeHead(proposal)).toEqual(ok("committed"));
  await untilQuiet(fixture);
  await expectOnlyNeeded(fixture);
});

/** The object ends, and the work that it had handed out is not begun again. */
async function abandoned(fixture: EntityFixture): Promise<void> {
  fixture.sql.run("UPDATE state SET json = json_set(json, '$.attempted', json('null'))");
  fixture.crash();
  await fixture.entity.ready();
}

test("an object is marked once a pass, and what is more than a pass takes is left to the next", async () => {
  const fixture = await filled(1);
  const orphans = COLLECT_OBJECTS_MAX + 1;
  const name = (n: number) => shardKey(fixture.scope.entity, n.toString(16).padStart(64, "0"));
  for (let n = 0; n < orphans; n += 1) await fixture.store.put(name(n), new Uint8Array([1]));
  const left = async () => (await keysOf(fixture)).filter((key) => key.endsWith(".shard")).length - 1;
  while ((await left()) === orphans) await fixture.wake();
  expect(await left()).toBe(orphans - COLLECT_OBJECTS_MAX);
  await untilQuiet(fixture);
  await expectOnlyNeeded(fixture);
});

test("a proposal of what is being deleted waits until every delete has landed", async () => {
  const fixture = await filled(1);
  await fixture.accept({ id: "b", text: "report b" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  const proposal = valueIn(await built(fixture));
  await abandoned(fixture);
  const deleting = fixture.calls.hold("delete", ".shard", "before");
  const ringing = (async () => {
    for (let wake = 0; wake < QUIET_WAKES; wake += 1) await fixture.wake();
  })();
  await deleting.reached;
  // The same bytes again, by a builder that knows nothing of the delete that is under way.
  const waits = { ok: false, failure: { reason: "unavailable" } };
  expect(await fixture.serve((entity) => entity.proposeHead(proposal))).toMatchObject(waits);
  fixture.crash();
  expect(await fixture.serve((entity) => entity.proposeHead(proposal))).toMatchObject(waits);
  deleting.release();
  await ringing.catch(() => undefined);
  fixture.nowMs += 10 * fixture.settings.nudgeRetryMs;
  await fixture.index();
  await untilQuiet(fixture);
  await expectOnlyNeeded(fixture);
  expect(await fixture.ids()).toEqual(["e0", "b"]);
});

test("a delete that lands after another was answered meets nothing that a head names", async () => {
  const deletes = new LateDeletes();
  const fixture = await filled(1, deletes.store());
  await fixture.accept({ id: "b", text: "report b" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  valueIn(await built(fixture));
  await abandoned(fixture);
  deletes.isLate = true;
  while (stateOf(fixture)?.collection.phase !== "deleting") await fixture.wake();
  deletes.isLate = false;
  fixture.crash();
  await fixture.entity.wake();
  expect(stateOf(fixture)?.collection.phase).toBe("idle");
  const again = await fixture.serve(async () => (await fixture.buildNext()) ?? ok(null));
  expect(again).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
  await deletes.land();
  fixture.nowMs += 10 * fixture.settings.nudgeRetryMs;
  await fixture.index();
  const keys = await keysOf(fixture);
  expect(named(fixture).filter((key) => !keys.includes(key))).toEqual([]);
});

async function built(fixture: EntityFixture) {
  return fixture.serve(async (entity) => {
    const work = await entity.nextWork();
    if (work === null) throw new Error("work was due");
    return ok(proposalOf(work, await fixture.build(work)));
  });
}

function proposalOf({ scope, incarnation, headVersion, replaces }: IndexWork, sha256: string): HeadProposal {
  return { scope, incarnation, headVersion, replaces, sha256 };
}

// --- Anything at any time ---------------------------------------------------------------------

/** Deletes that may land after their answer was lost. */
class LateDeletes {
  readonly #plain = memoryStore();
  #late: (() => Promise<void>)[] = [];
  isLate = false;
  onDelete: (keys: readonly string[]) => void = () => undefined;

  store(): ObjectStore {
    return {
      system: () => this.#plain.system(),
      forTenant: (tenant) => {
        const store = this.#plain.forTenant(tenant);
        const remove = async (keys: readonly string[]) => {
          this.onDelete(keys);
          await store.delete(keys);
        };
        return {
          ...store,
          delete: async (keys) => {
            if (!this.isLate) return remove(keys);
            this.#late.push(() => remove(keys));
            throw new Error("the answer never came");
          },
        };
      },
    };
  }

  /** Within PUT_DEADLINE_MS: the clock has not moved since. */
  async land(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    for (const remove of late) await remove();
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("append" as const), id: fc.nat(30) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("build" as const, "wake" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom("take" as const, "propose" as const, "pin" as const, "reread" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom("crash" as const, "lose" as const, "compact" as const, "rebuild" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(1_500, 6_000, 25_000) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
const fault = fc.constantFrom("none", "none", "none", "list", "get", "create", "put", "delete", "late delete");
const moment = fc.constantFrom("before", "after");

interface Held {
  readonly proposal: HeadProposal;
  readonly from: number;
}

class Run {
  readonly deletes = new LateDeletes();
  readonly fixture = new EntityFixture("account:acme", this.deletes.store());
  #held: Held[] = [];
  /** Shards built under a lease that still holds. */
  readonly #leased = new Map<string, Held>();
  /** Needed when they were deleted. An alarm swallows what is thrown in it. */
  readonly #wronged: string[] = [];
  readonly #pins: { readonly snapshot: string; readonly hits: unknown }[] = [];

  constructor() {
    this.deletes.onDelete = (keys) => {
      const needed = new Set([...named(this.fixture), ...this.#leased.keys()]);
      this.#wronged.push(...keys.filter((key) => needed.has(key) || isSegment(key)));
    };
  }

  async take(action: Step): Promise<void> {
    const { fixture } = this;
    switch (action.type) {
      case "append":
        await fixture.append([{ id: `e${action.id}`, text: `report e${action.id}` }]).catch(() => null);
        return;
      case "build":
        await fixture.serve(async () => (await fixture.buildNext()) ?? ok(null));
        return;
      case "wake":
        await fixture.wake();
        return;
      case "take":
        await this.#takeWork();
        return;
      case "propose":
        await this.#propose();
        return;
      case "pin":
      case "reread":
        await this.#read(action.type === "pin");
        return;
      case "pass":
        await this.deletes.land();
        fixture.nowMs += action.ms;
        this.#leased.clear();
        return;
      case "compact":
        await fixture.serve(async (entity) => ok(entity.compact()));
        return;
      case "rebuild":
        await fixture.serve((entity) => entity.rebuild());
        return;
      default:
        // A recovery waits for what is under way, and knows of no lease.
        await this.deletes.land();
        if (action.type === "lose") fixture.loseState();
        else fixture.crash();
        this.#leased.clear();
    }
  }

  /** A builder that has put its shard and has not proposed it yet. */
  async #takeWork(): Promise<void> {
    const { fixture } = this;
    await fixture.serve(async (entity) => {
      const isDeleting = stateOf(fixture)?.collection?.phase === "deleting";
      const work = await entity.nextWork();
      if (work === null) return ok(null);
      const sha256 = await fixture.tryBuild(work);
      if (!sha256.ok) return sha256;
      const held = { proposal: proposalOf(work, sha256.value), from: work.from };
      this.#held.push(held);
      if (!isDeleting) this.#leased.set(shardKey(fixture.scope.entity, sha256.value), held);
      return ok(null);
    });
  }

  async #propose(): Promise<void> {
    const [held, ...rest] = this.#held;
    if (held === undefined) return;
    this.#held = rest;
    const outcome = await this.fixture.serve((entity) => entity.proposeHead(held.proposal));
    this.#leased.delete(shardKey(this.fixture.scope.entity, held.proposal.sha256));
    if (outcome.ok) return;
    const deferred = outcome.failure.reason === "unavailable";
    await this.fixture.serve(async (entity) => ok(entity.workFailed(held.from, "refused", deferred)));
  }

  async #read(isNew: boolean): Promise<void> {
    const snapshot = isNew ? undefined : this.#pins.at(-1)?.snapshot;
    const answer = await this.fixture.search({ text: "report", top_k: 100, snapshot }).catch(() => null);
    if (answer === null) return;
    if (isNew) this.#pins.push({ snapshot: answer.snapshot, hits: answer.hits });
    else if (snapshot !== undefined) expect(answer.hits).toEqual(this.#pins.at(-1)?.hits);
  }

  async checkPins(): Promise<void> {
    for (const { snapshot, hits } of this.#pins)
      expect((await this.fixture.search({ text: "report", top_k: 100, snapshot })).hits).toEqual(hits);
  }

  /** Heads that are adopted, or may be by a recovery, name what is there. */
  async checkHeads(): Promise<void> {
    const { fixture } = this;
    expect(this.#wronged).toEqual([]);
    const keys = new Set(await keysOf(fixture));
    expect(named(fixture).filter((key) => !keys.has(key))).toEqual([]);
    const newest = [...keys].filter((key) => key.startsWith(headsPrefix(fixture.scope.entity))).at(-1);
    const stored = newest === undefined ? null : await fixture.store.get(newest);
    if (newest === undefined || stored === null) return;
    const { shards } = valueIn(readStored(headSchema, stored.bytes, newest));
    const lost = shards.filter(({ sha256 }) => !keys.has(shardKey(fixture.scope.entity, sha256)));
    expect(lost).toEqual([]);
  }
}

test("nothing that may be needed is deleted, whatever fails and crashes, and in the end everything else is", async () => {
  let collected = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ step, fault, moment }), { minLength: 10, maxLength: 60 }),
      async (actions) => {
        const run = new Run();
        const { fixture, deletes } = run;
        await fixture.accept({ id: "first", text: "report first" });
        for (const { step: action, fault: broken, moment: at } of actions) {
          deletes.isLate = broken === "late delete";
          const call = broken === "none" || broken === "late delete" ? null : (broken as "list");
          const fell = call === null ? null : fixture.calls.break(call, "entities/", at as "before");
          await run.take(action);
          fell?.mend();
          deletes.isLate = false;
          await run.checkHeads();
        }
        await run.take({ type: "pass", ms: 25_000 });
        valueIn(await fixture.serve(async (entity) => ok(entity.unseal())));
        await fixture.index();
        await untilQuiet(fixture);
        await expectOnlyNeeded(fixture);
        await run.checkHeads();
        await run.checkPins();
        collected += stateOf(fixture)?.collection.collected ?? 0;
      },
    ),
    { numRuns: 60 },
  );
  expect(collected).toBeGreaterThan(0);
});
