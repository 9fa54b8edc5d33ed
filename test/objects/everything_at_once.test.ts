/**
 * Batches of operations at once, between crashes and losses of state, while the store refuses, loses or delays puts.
 * What was acknowledged is known by its token; what may be seen, by when it was sent.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { ok } from "../../core/errors.ts";
import { parseWriteToken } from "../../core/log/token.ts";
import type { AppendResult } from "../../core/rpc.ts";
import type { EntityState } from "../../durable-objects/entity/state.ts";
import { EntityFixture, type Fault, valueIn } from "./entity_fixture.ts";
import { passTurns } from "./store_calls.ts";
import { placesOf } from "./whats_left.ts";

const IDS = 16;

const append = fc.record({
  type: fc.constant("append" as const),
  ids: fc.array(fc.integer({ min: 0, max: IDS - 1 }), { minLength: 1, maxLength: 3 }),
});
const operation = fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("erase" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom("rebuild" as const, "compact" as const, "build" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("wake" as const, "land" as const, "read" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("redact" as const), id: fc.integer({ min: 0, max: IDS - 1 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("damage" as const), which: fc.nat({ max: 7 }), gone: fc.boolean() }),
  },
);
const batch = fc.record({
  operations: fc.array(operation, { minLength: 1, maxLength: 6 }),
  /** How long operations wait to begin, and calls of the store take: in turns, used in a circle. */
  turns: fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 1, maxLength: 8 }),
  fault: fc.constantFrom<Fault>("none", "none", "none", "none", "refused", "lost", "late"),
  broken: fc.constantFrom("none", "none", "none", "none", "get", "list", "put", "create"),
  afterwards: fc.constantFrom("nothing", "nothing", "nothing", "crash", "lose", "sweep"),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;
type Operation = Batch["operations"][number];

function eventOf(n: number) {
  return { id: `e${n}`, text: `event ${wordOf(n)}` };
}

const wordOf = (n: number) => `secret${n}word`;

/** What callers know of the entity. */
class Witness {
  /** Ids acknowledged in each incarnation. */
  readonly acknowledged = new Map<number, Set<string>>();
  /** Ids whose redaction was asked for, and answered, in each incarnation. */
  readonly maybeRedacted = new Set<string>();
  readonly redacted = new Map<number, Set<string>>();
  /** Ids sent since the last erasure that was answered. */
  sent = new Set<string>();

  acknowledge(fixture: EntityFixture, { token, eventIds }: AppendResult): void {
    const ids = this.of(incarnationOf(fixture, token));
    for (const id of eventIds) ids.add(id);
  }

  redact(incarnation: number, id: string): void {
    this.redacted.set(incarnation, (this.redacted.get(incarnation) ?? new Set<string>()).add(id));
  }

  of(incarnation: number): Set<string> {
    const ids = this.acknowledged.get(incarnation) ?? new Set<string>();
    this.acknowledged.set(incarnation, ids);
    return ids;
  }
}

function incarnationOf({ scope }: EntityFixture, token: string): number {
  const read = parseWriteToken(scope, token, nodeDigest);
  if (read.kind !== "token") throw new Error("not a token of this entity");
  return read.token.incarnation;
}

/** Of a shard, which is derived. */
async function damage(fixture: EntityFixture, which: number, gone: boolean): Promise<void> {
  const shards = (await fixture.keys()).filter((key) => key.endsWith(".shard"));
  const key = shards[which % shards.length];
  if (key === undefined) return;
  if (gone) await fixture.store.delete([key]);
  else await fixture.store.put(key, new Uint8Array([1]));
}

/** Whether it was an erasure that was answered. */
async function operate(fixture: EntityFixture, witness: Witness, operation: Operation): Promise<boolean> {
  switch (operation.type) {
    case "append": {
      const answer = await fixture.append(operation.ids.map(eventOf)).catch(() => null);
      if (answer?.ok) witness.acknowledge(fixture, answer.value);
      return false;
    }
    case "erase":
      return (await fixture.serve((entity) => entity.erase())).ok;
    case "rebuild":
      await fixture.serve((entity) => entity.rebuild());
      return false;
    case "compact":
      await fixture.serve(async (entity) => ok(entity.compact()));
      return false;
    case "build":
      await fixture.serve(async () => (await fixture.buildNext()) ?? ok(null));
      return false;
    case "wake":
      await fixture.wake();
      return false;
    case "redact": {
      const id = `e${operation.id}`;
      witness.maybeRedacted.add(id);
      const answer = await fixture.serve((entity) => entity.redact([id], false));
      if (answer.ok) witness.redact(incarnationOf(fixture, answer.value.token ?? ""), id);
      return false;
    }
    case "damage":
      await damage(fixture, operation.which, operation.gone);
      return false;
    case "land":
      await fixture.landLatePuts();
      return false;
    case "read":
      await fixture.serve((entity) => entity.reader.status());
      return false;
  }
}

/**
 * What is sent beside an erasure is of the incarnation that it ends, or refused: unless alarms ring meanwhile, so that
 * the erasure is over before the append has its turn.
 */
function mayOutlast(operations: readonly Operation[]): boolean {
  return operations.some(({ type }) => type === "wake");
}

async function run(
  fixture: EntityFixture,
  witness: Witness,
  { operations, turns, fault, broken, afterwards }: Batch,
): Promise<void> {
  const sent = operations.flatMap((operation) => (operation.type === "append" ? operation.ids.map(eventOf) : []));
  for (const { id } of sent) witness.sent.add(id);
  fixture.nowMs += 1_500;
  fixture.fault = fault;
  const fell = broken === "none" ? null : fixture.calls.break(broken, "entities/", "before");
  let taken = 0;
  const next = () => turns[taken++ % turns.length] ?? 0;
  fixture.calls.turns = next;
  const begin = async (operation: Operation) => {
    await passTurns(next());
    return operate(fixture, witness, operation);
  };
  const erased = await Promise.all(operations.map(begin));
  fixture.calls.turns = () => 0;
  fell?.mend();
  fixture.fault = "none";
  if (erased.includes(true)) witness.sent = new Set(mayOutlast(operations) ? sent.map(({ id }) => id) : []);
  if (afterwards === "crash") fixture.crash();
  else if (afterwards === "lose") fixture.loseState();
  else if (afterwards === "sweep") await fixture.sweep();
}

/** What an indexer does: a shard to absorb may be damaged, and is then left alone. */
async function indexAll(fixture: EntityFixture): Promise<void> {
  fixture.nowMs += 10_000;
  valueIn(await fixture.entity.ready());
  for (let work = await fixture.entity.nextWork(); work !== null; work = await fixture.entity.nextWork()) {
    const { scope, incarnation, purpose, headVersion, replaces, from } = work;
    const built = await fixture.tryBuild(work);
    if (built.ok)
      await fixture.entity.proposeHead({ scope, incarnation, purpose, headVersion, replaces, sha256: built.value });
    else fixture.entity.workFailed(from, built.failure.reason, false, purpose);
  }
  const [{ json } = {}] = fixture.sql.run("SELECT json FROM state");
  const { attempted, rebuilding } = JSON.parse(String(json)) as EntityState;
  expect({ attempted, rebuilding }).toEqual({ attempted: null, rebuilding: null });
}

/** All ways to read agree on one set of events. */
async function readEverywhere(fixture: EntityFixture): Promise<string[]> {
  const listed = await fixture.ids();
  const { hits } = await fixture.search({ text: "event", top_k: 1_000 });
  expect(hits.map(({ id }) => id).toSorted()).toEqual(listed.toSorted());
  for (let n = 0; n < IDS; n += 1) {
    const event = await fixture.serve((entity) => entity.reader.event(`e${n}`));
    const isThere = event.ok && event.value.event.kind !== "tombstone";
    expect(isThere).toBe(listed.includes(`e${n}`));
  }
  const counters = valueIn(await fixture.serve((entity) => entity.counters()));
  expect(counters.events).toBe(listed.length);
  return listed;
}

/** A put that was never answered may land after a redaction, and bring back what nobody was told is there. */
const isAnswered = ({ fault }: Batch) => fault !== "late" && fault !== "lost";

test("what was acknowledged is there once, what was erased or redacted is not, and every read agrees", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 10 }), async (batches) => {
      const fixture = new EntityFixture();
      const witness = new Witness();
      for (const current of batches) await run(fixture, witness, current);
      await fixture.sweep();
      const last = await fixture.accept({ id: "last", text: "event last" });
      witness.acknowledge(fixture, last);
      for (const layout of ["as it is", "indexed", "recovered"]) {
        if (layout === "indexed") {
          await indexAll(fixture);
        } else if (layout === "recovered") fixture.loseState();
        const found = await readEverywhere(fixture);
        expect(new Set(found).size, layout).toBe(found.length);
        const incarnation = incarnationOf(fixture, last.token);
        const gone = witness.redacted.get(incarnation) ?? new Set();
        for (const id of gone) expect(found, `${layout}: redacted`).not.toContain(id);
        for (const id of witness.of(incarnation))
          if (!witness.maybeRedacted.has(id)) expect(found, layout).toContain(id);
        for (const id of found) expect(id === "last" || witness.sent.has(id), `${layout}: ${id}`).toBe(true);
        if (!batches.every(isAnswered)) continue;
        for (const id of gone)
          expect(await placesOf(fixture, wordOf(Number(id.slice(1)))), `${layout}: ${id}`).toEqual([]);
      }
    }),
    { numRuns: 100 },
  );
});
