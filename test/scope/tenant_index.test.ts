/**
 * The index of a tenant against what its entities say themselves: a strong search that lists all of them.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fail, ok } from "../../core/errors.ts";
import { SCOPE_BUILD_DEADLINE_MS, SCOPE_LOOK_MS, SUMMARY_REFRESH_BYTES } from "../../core/limits.ts";
import type { SearchHit } from "../../core/rpc.ts";
import { LAYERS } from "../../core/scope/scope_head.ts";
import type { ScopeSearchAnswer } from "../../core/scope/scope_rpc.ts";
import { buildScopeShard } from "../../workers/indexer/build_scope_shard.ts";
import { valueIn } from "../objects/entity_fixture.ts";
import { ScopeFixture } from "./scope_fixture.ts";

const NAMES = ["account:a", "account:b", "user:c"] as const;

async function filled(mode: "full" | "summaries" = "full"): Promise<ScopeFixture> {
  const fixture = new ScopeFixture();
  await fixture.set(mode);
  for (const name of NAMES) {
    await fixture
      .entity(name)
      .accept(
        { id: "same", ts: 1, text: `renewal of ${name} is at risk`, attributes: { of: name } },
        { id: "other", ts: 2, text: "renewal invoice" },
      );
  }
  await fixture.settle();
  return fixture;
}

const placesOf = (hits: readonly SearchHit[]) => hits.map(({ entity, id }) => `${entity} ${id}`).sort();

/** What does not depend on the order in which equal scores stand. */
const scoresOf = ({ hits }: ScopeSearchAnswer) =>
  hits
    .map(({ entity, id, chunk, score, text, citation }) => ({
      place: `${entity} ${id} ${chunk}`,
      score,
      text,
      citation,
    }))
    .sort((a, b) => (a.place < b.place ? -1 : 1));

/** The same asked of the entities, one by one. */
async function asked(fixture: ScopeFixture, body: object): Promise<ScopeSearchAnswer> {
  return fixture.search({ ...body, consistency: "strong", entities: NAMES });
}

describe("the index of a tenant", () => {
  test("finds the events of all entities, each under its own name and in its own segment", async () => {
    const fixture = await filled();
    const { hits, coverage } = await fixture.search({ text: "renewal risk" });
    expect(placesOf(hits)).toEqual(NAMES.flatMap((name) => [`${name} other`, `${name} same`]));
    expect(hits.every(({ entity, citation }) => citation.segment.includes(encodeURIComponent(entity)))).toBe(true);
    expect(coverage).toMatchObject({ kind: "full", entities: 3, knownEntities: 3, waitingEntities: 0 });
  });

  test("shows a credential what it may see, and one that lists entities these", async () => {
    const fixture = await filled();
    const seen = async (body: object, prefix: string | null) =>
      [
        ...new Set((await fixture.search({ text: "renewal", ...body }, prefix)).hits.map(({ entity }) => entity)),
      ].sort();
    expect(await seen({}, "account:")).toEqual(["account:a", "account:b"]);
    expect(await seen({ filter: { entity: "user:c" } }, "account:")).toEqual([]);
    expect(await seen({ entities: ["user:c", "account:b", "account:none"] }, null)).toEqual(["account:b", "user:c"]);
    expect(await seen({ filter: { id: "same" } }, null)).toEqual([...NAMES]);
    expect(await seen({ filter: { $not: { entity: { $prefix: "account:" } } } }, null)).toEqual(["user:c"]);
  });

  test("tells a credential nothing of what it may not see, not by a score, a count or an explanation", async () => {
    const answersOf = async (fixture: ScopeFixture) => {
      const asks = ["renewal risk", "merger"].map(async (text) => {
        const answer = await fixture.search({ text, explain: true, mode: "text" }, "account:");
        return { hits: answer.hits, candidates: answer.candidates, coverage: { ...answer.coverage, asOf: null } };
      });
      return Promise.all(asks);
    };
    const alone = await answersOf(await filled());
    const fixture = await filled();
    await fixture.entity("user:secret").accept({ id: "x", text: "renewal risk risk" }, { id: "y", text: "merger" });
    await fixture.settle();
    expect(await answersOf(fixture)).toEqual(alone);
  });

  test("refuses what it cannot answer, and says why", async () => {
    const off = new ScopeFixture();
    await off.entity("account:a").accept({ id: "a", text: "renewal" });
    const failureOf = async (fixture: ScopeFixture, body: object) => {
      const answer = await fixture.ask({ text: "renewal", ...body });
      return answer.ok ? null : answer.failure.reason;
    };
    expect(await failureOf(off, {})).toBe("conflict");
    expect(await failureOf(off, { consistency: "strong", entities: ["account:a"] })).toBe(null);
    const fixture = await filled("summaries");
    expect(await failureOf(fixture, { prefilter: "l0" })).toBe("unprocessable");
    expect(await failureOf(fixture, { as_of: 1 })).toBe("unprocessable");
    expect(await failureOf(fixture, { at_least: "?" })).toBe("invalid");
    expect(await failureOf(fixture, { snapshot: "?" })).toBe("invalid");
    expect(await failureOf(fixture, {})).toBe(null);
    await fixture.set("off");
    expect(await failureOf(fixture, {})).toBe("conflict");
    await fixture.settle();
    expect(await fixture.keys()).toEqual([]);
  });

  test("takes a write of an entity that it holds, and says of another that it does not yet", async () => {
    const fixture = await filled();
    const { token } = await fixture.entity("account:a").accept({ id: "later", text: "renewal later" });
    const body = { text: "renewal", at_least: token, entities: ["account:a"] };
    expect(await fixture.ask(body)).toMatchObject({ ok: false, failure: { reason: "conflict" } });
    expect((await fixture.search({ ...body, consistency: "strong" })).hits.map(({ id }) => id)).toContain("later");
    await fixture.settle();
    expect((await fixture.search(body)).hits.map(({ id }) => id)).toContain("later");
  });

  test("says how stale it is until it has caught up", async () => {
    const fixture = await filled();
    expect((await fixture.search({ text: "renewal" })).staleMs).toBe(0);
    await fixture.entity("account:a").accept({ id: "later", text: "renewal later" });
    fixture.pass(5_000);
    const behind = await fixture.search({ text: "renewal" });
    expect(behind.staleMs).toBe(5_000);
    expect(behind.coverage).toMatchObject({ waitingEntities: 1 });
    await fixture.settle();
    expect((await fixture.search({ text: "renewal" })).coverage).toMatchObject({ waitingEntities: 0 });
  });

  test("misses no entity when it is built anew while it looks what there is", async () => {
    const fixture = await filled();
    const looking = Promise.withResolvers<void>();
    fixture.looking = () => looking.promise;
    const look = fixture.scope.index.look();
    valueIn(await fixture.api.rebuildScope("t"));
    fixture.looking = async () => undefined;
    looking.resolve();
    valueIn(await look);
    await fixture.settle();
    expect((await fixture.search({ text: "renewal risk" })).hits).toHaveLength(2 * NAMES.length);
  });

  test("does not say that it has seen what it has only heard of", async () => {
    const fixture = await filled();
    const appendedMs = fixture.tenant.nowMs;
    await fixture.entity(NAMES[0]).accept({ id: "new", text: "renewal" });
    fixture.pass(fixture.entity(NAMES[0]).settings.indexAgeMs);
    await fixture.entity(NAMES[0]).index();
    await fixture.entity(NAMES[0]).wake();
    fixture.pass(SCOPE_LOOK_MS);
    const { hits, coverage, staleMs } = await fixture.search({ text: "renewal" });
    expect(hits.some(({ id }) => id === "new")).toBe(false);
    expect(coverage.asOf).toBeLessThanOrEqual(appendedMs);
    expect(staleMs).toBeGreaterThanOrEqual(fixture.tenant.nowMs - appendedMs);
    valueIn(await fixture.api.rebuildScope("t"));
    const anew = await fixture.search({ text: "renewal" });
    expect([anew.hits.length, anew.coverage.asOf]).toEqual([0, 0]);
  });

  test("keeps a day's shards apart from the next day's", async () => {
    const fixture = await filled();
    fixture.pass(24 * 60 * 60 * 1000);
    await fixture.entity("account:a").accept({ id: "next", text: "renewal next" });
    await fixture.settle();
    const days = (await fixture.keys()).filter((key) => key.endsWith(".shard")).map((key) => key.slice(0, 18));
    expect(new Set(days)).toEqual(new Set(["indexes/2026/01/01", "indexes/2026/01/02"]));
  });

  test("asks an entity that does not answer less and less often, and takes it in when it does", async () => {
    const fixture = await filled();
    const silent = fixture.entity("account:a");
    await silent.accept({ id: "late", text: "renewal late" });
    const { reader } = silent.entity;
    const answers = reader.commits.bind(reader);
    let asked = 0;
    reader.commits = async () => {
      asked += 1;
      return fail({ reason: "corrupt", what: "its log" });
    };
    await fixture.settle();
    const before = asked;
    for (let tens = 0; tens < 360; tens += 1) {
      fixture.pass(10_000);
      if (fixture.alarm.atMs === null || fixture.alarm.atMs > fixture.tenant.nowMs) continue;
      fixture.alarm.atMs = null;
      await fixture.scope.index.wake();
    }
    expect(asked - before).toBeGreaterThan(5);
    expect(asked - before).toBeLessThan(30);
    reader.commits = answers;
    fixture.pass(300_000);
    await fixture.settle();
    expect(placesOf((await fixture.search({ text: "renewal late" })).hits)).toContain("account:a late");
  });

  test("goes on around a segment that cannot be read, and names it", async () => {
    const fixture = await filled();
    const { segment } = await fixture.entity("account:a").accept({ id: "lost", text: "renewal lost" });
    await fixture.entity("account:b").accept({ id: "kept", text: "renewal kept" });
    fixture.pass(2_000);
    for (const one of fixture.entities.values()) await one.index();
    await fixture.tenant.objects.forTenant("t").delete([segment.slice(segment.indexOf("entities/"))]);
    await fixture.settle();
    const { hits } = await fixture.search({ text: "lost kept", mode: "text" });
    expect(hits.map(({ id }) => id)).toContain("kept");
    const status = valueIn(await fixture.serve((scope) => scope.status()));
    expect(status.unreadable.map((key) => key.includes("account"))).toEqual([true]);
  });
});

describe("an erased entity", () => {
  test("is gone from answers at once, and from the store when the index has settled", async () => {
    const fixture = await filled();
    const before = await fixture.search({ text: "renewal" });
    const segmentNames = await storedText(fixture);
    expect(segmentNames).toContain("account%3Aa");
    valueIn(await fixture.tenant.registry.startJob("erase", "account:a"));
    const { hits, coverage } = await fixture.search({ text: "renewal risk" });
    expect(hits.map(({ entity }) => entity)).not.toContain("account:a");
    expect(coverage.entities).toBe(2);
    const pinned = await fixture.ask({ text: "renewal", snapshot: before.snapshot });
    expect(pinned).toMatchObject({ ok: false, failure: { reason: "snapshot_erased" } });
    await fixture.entity("account:a").sweep();
    await fixture.settle();
    expect(await storedText(fixture)).not.toMatch(/account(:|%3A)a/);
    expect(scoresOf(await fixture.search({ text: "renewal", mode: "text" }))).toEqual(
      scoresOf(await asked(fixture, { text: "renewal", mode: "text" })),
    );
  });

  test("leaves nothing in the store though a shard of it was being built", async () => {
    const fixture = await filled();
    await fixture.entity("account:a").accept({ id: "late", text: "renewal late" });
    fixture.pass(2_000);
    await fixture.entity("account:a").index();
    fixture.pass(2_000);
    await fixture.scope.index.wake();
    const work = valueIn(await fixture.api.nextScopeWork("t"));
    if (work === null) throw new Error("there is something to build");
    const build = async () => valueIn(await buildScopeShard(fixture.indexer(), work));
    const proposed = await build();
    valueIn(await fixture.tenant.registry.startJob("erase", "account:a"));
    const { layer, headVersion, dayMs } = work;
    expect(await fixture.api.proposeShard({ tenant: "t", layer, headVersion, dayMs, ...proposed })).toEqual(
      ok("stale"),
    );
    await fixture.entity("account:a").sweep();
    await fixture.settle();
    expect(await storedText(fixture)).not.toMatch(/account(:|%3A)a/);
    await fixture.tenant.objects
      .forTenant("t")
      .put("indexes/2026/01/01/orphan.shard", new TextEncoder().encode("account:a"));
    fixture.pass(SCOPE_BUILD_DEADLINE_MS);
    await fixture.settle();
    expect(await storedText(fixture)).not.toMatch(/account(:|%3A)a/);
  });

  test("stays gone when the index loses its state before it has been built anew", async () => {
    const fixture = await filled();
    valueIn(await fixture.tenant.registry.startJob("erase", "account:a"));
    fixture.loseState();
    fixture.tenant.loseState();
    const { hits } = await fixture.search({ text: "renewal" });
    expect(hits.map(({ entity }) => entity).sort()).toEqual(["account:b", "account:b", "user:c", "user:c"]);
  });
});

/** Everything that lies in the tenant's index, as one text. */
async function storedText(fixture: ScopeFixture): Promise<string> {
  const store = fixture.tenant.objects.forTenant("t");
  const objects = await Promise.all((await fixture.keys()).map((key) => store.get(key)));
  return objects.map((object) => new TextDecoder("latin1").decode(object?.bytes)).join("\n");
}

describe("a redacted event", () => {
  test("is found no more, by its words or by its summary, and the rest is", async () => {
    const fixture = await filled();
    const entity = fixture.entity("account:a");
    await entity.accept({ id: "secret", text: "renewal of the harbour" });
    await fixture.settle();
    expect((await fixture.search({ text: "harbour", mode: "text" })).hits.map(({ id }) => id)).toEqual(["secret"]);
    valueIn(await entity.serve((one) => one.redact(["secret"], false)));
    await fixture.settle();
    expect((await fixture.search({ text: "harbour", mode: "text" })).hits).toEqual([]);
    expect(await storedText(fixture)).not.toContain("harbour");
    const body = { text: "renewal", mode: "text" };
    expect(scoresOf(await fixture.search(body))).toEqual(scoresOf(await asked(fixture, body)));
  });
});

describe("summaries", () => {
  const long = (words: string, times: number) =>
    Array.from({ length: times }, (_, n) => `${words} number ${n}.`).join(" ");

  test("are one of an entity, made of its text, and cite it", async () => {
    const fixture = await filled("summaries");
    const { hits, coverage } = await fixture.search({ text: "risk" });
    expect(hits.map(({ entity, id, kind }) => ({ entity, id, kind }))).toEqual(
      NAMES.map((entity) => ({ entity, id: "entity", kind: "summary" })),
    );
    expect(hits.every(({ entity, text, citation }) => text?.includes(entity) && citation.line === 1)).toBe(true);
    expect(coverage.kind).toBe("summaries");
  });

  test("are made anew when enough was added, and at once when something was withdrawn", async () => {
    const fixture = await filled("summaries");
    const entity = fixture.entity("account:a");
    await entity.accept({ id: "little", text: "a harbour in the north" });
    await fixture.settle();
    const found = async (text: string) => (await fixture.search({ text, mode: "text" })).hits.map((hit) => hit.entity);
    expect(await found("harbour")).toEqual([]);
    await entity.accept({
      id: "much",
      session: "s",
      text: long("the ferry leaves the harbour", SUMMARY_REFRESH_BYTES / 32),
    });
    await fixture.settle();
    expect(await found("ferry")).toEqual(["account:a", "account:a"]);
    valueIn(await entity.entity.withdraw("much"));
    await fixture.settle();
    expect(await found("ferry")).toEqual([]);
    expect(await found("harbour")).toEqual(["account:a"]);
  });

  test("are one of each session and document that has enough text", async () => {
    const fixture = await filled("summaries");
    await fixture
      .entity("user:c")
      .accept(
        { id: "1", session: "s1", text: long("the ferry leaves", SUMMARY_REFRESH_BYTES / 16) },
        { id: "2", session: "s2", text: "a ferry" },
      );
    await fixture.settle();
    const { hits } = await fixture.search({ text: "ferry", mode: "text", filter: { session: { $exists: true } } });
    expect(hits.map(({ id }) => id)).toEqual(["session:s1"]);
    expect(hits.every(({ text }) => (text?.length ?? 0) <= 1_200)).toBe(true);
  });

  test("choose the entities whose events are searched, when they come first", async () => {
    const fixture = await filled();
    await fixture.entity("user:c").accept({ id: "x", text: "the harbour" });
    await fixture.settle();
    const first = await fixture.search({ text: "user:c renewal", mode: "text", prefilter: "l0", top_k: 50 });
    const all = await fixture.search({ text: "user:c renewal", mode: "text", top_k: 50 });
    const kept = new Set(first.hits.map(({ entity }) => entity));
    expect(first.hits).toEqual(all.hits.filter(({ entity }) => kept.has(entity)));
    expect((await fixture.search({ text: "harbour", prefilter: "l0" })).hits).toEqual([]);
  });
});

describe("a search grouped by entity", () => {
  test("has the best hit of each, best first", async () => {
    const fixture = await filled();
    const { hits } = await fixture.search({ text: "renewal risk", mode: "text", top_k: 100 });
    const firsts = hits.filter((hit, index) => hits.findIndex(({ entity }) => entity === hit.entity) === index);
    const grouped = await fixture.search({ text: "renewal risk", mode: "text", top_k: 2, group_by: "entity" });
    expect(grouped.hits.map(({ entity, id }) => [entity, id])).toEqual(
      firsts.slice(0, 2).map(({ entity, id }) => [entity, id]),
    );
  });
});

// --- Anything at any time -------------------------------------------------------------------

type Step =
  | {
      readonly do: "append";
      readonly to: number;
      readonly id: number;
      readonly words: string;
      readonly vector: boolean;
    }
  | { readonly do: "withdraw" | "erase"; readonly to: number; readonly id: number }
  | { readonly do: "settle" | "crash" | "lose index" | "lose registry" | "rebuild" | "next day" };

const words = fc.constantFrom("renewal risk", "invoice", "harbour call", "renewal", "risk of invoice");
const to = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("append" as const), to, id: fc.nat(4), words, vector: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("withdraw" as const), to, id: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("erase" as const), to, id: fc.constant(0) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("settle", "settle", "crash", "lose index", "lose registry", "rebuild", "next day"),
    }),
  },
);

async function take(fixture: ScopeFixture, step: Step): Promise<void> {
  switch (step.do) {
    case "append": {
      const event = { id: `e${step.id}`, text: `${step.words} ${step.id}` };
      const vector = step.vector ? { vector: [step.id + 1, 1, 0] } : {};
      await fixture.entity(NAMES[step.to] ?? "").accept({ ...event, ...vector });
      return;
    }
    case "withdraw":
      await fixture.entity(NAMES[step.to] ?? "").serve((entity) => entity.withdraw(`e${step.id}`));
      return;
    case "erase": {
      const name = NAMES[step.to] ?? "";
      if (!fixture.entities.has(name)) return;
      valueIn(await fixture.tenant.registry.startJob("erase", name));
      await fixture.entity(name).sweep();
      return;
    }
    case "settle":
      return fixture.settle();
    case "crash":
      return fixture.crash();
    case "lose index":
      return fixture.loseState();
    case "lose registry":
      fixture.tenant.loseState();
      return;
    case "rebuild":
      return void valueIn(await fixture.api.rebuildScope("t"));
    case "next day":
      return fixture.pass(24 * 60 * 60 * 1000);
  }
}

const ASKED = [
  { text: "renewal risk", mode: "text", top_k: 100 },
  { text: "invoice 3", mode: "text", top_k: 100, filter: { id: { $in: ["e1", "e3"] } } },
] as const;

describe("whatever happens to a tenant", () => {
  test("its index answers as its entities do once it has settled, and as it did by a snapshot, or says that it cannot", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const fixture = new ScopeFixture();
        await fixture.set("full");
        const answered: { body: object; answer: ScopeSearchAnswer }[] = [];
        for (const one of steps) {
          await take(fixture, one);
          for (const body of ASKED) answered.push({ body, answer: await fixture.search(body) });
          if (one.do === "erase") {
            const { hits } = await fixture.search(ASKED[0]);
            expect(hits.map(({ entity }) => entity)).not.toContain(NAMES[one.to]);
          }
        }
        await fixture.tenant.registry.sweep();
        await fixture.settle();
        for (const body of ASKED) {
          const found = await fixture.search(body);
          expect(scoresOf(found)).toEqual(scoresOf(await asked(fixture, body)));
          expect(found.coverage.waitingEntities).toBe(0);
        }
        for (const { body, answer } of answered) {
          const again = await fixture.ask({ ...body, snapshot: answer.snapshot });
          if (again.ok) expect(again.value.hits).toEqual(answer.hits);
          else expect(["snapshot_expired", "snapshot_erased"]).toContain(again.failure.reason);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("its shards tile what was taken in", async () => {
    const fixture = await filled();
    for (let n = 0; n < 30; n += 1) {
      await fixture.entity(NAMES[n % 3] ?? "").accept({ id: `n${n}`, text: `renewal ${n}` });
      await fixture.settle();
    }
    const { head } = fixture.scope.index.state;
    for (const layer of LAYERS) {
      const shards = head?.layers[layer] ?? [];
      for (const [index, { from }] of shards.entries()) expect(from).toBe((shards[index - 1]?.to ?? 0) + 1);
      expect(shards.length).toBeLessThanOrEqual(2);
    }
    expect((await fixture.keys()).length).toBe(
      1 + LAYERS.reduce((sum, layer) => sum + (head?.layers[layer].length ?? 0), 0),
    );
  });
});
