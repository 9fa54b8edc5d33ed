/**
 * A search over several entities against the naive reading of it: one log that holds all their events, entity after
 * entity. The shipped entities over memory store and SQLite on both sides.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { writeToken } from "../../core/log/token.ts";
import type { SearchHit } from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { searchBodySchema, tenantSearchBodySchema } from "../../core/schema/search.ts";
import type { EntityStepsApi, ScopeSearchAnswer } from "../../core/scope/scope_rpc.ts";
import { searchEntities } from "../../durable-objects/scope/fan_out.ts";
import { EntityFixture, valueIn } from "../objects/entity_fixture.ts";

type Entities = ReadonlyMap<string, EntityFixture>;

function stepsOf(fixture: EntityFixture): EntityStepsApi {
  return {
    surveySearch: (command) => fixture.serve((entity) => entity.reader.surveySearch(command)),
    rankSearch: (step) => fixture.serve((entity) => entity.reader.rankSearch(step)),
    hydrateSearch: (step, placed) => fixture.serve((entity) => entity.reader.hydrateSearch(step, placed)),
  };
}

function ask(entities: Entities, body: object) {
  const search = tenantSearchBodySchema.parse({ consistency: "strong", entities: [...entities.keys()], ...body });
  const { builder, slabs } = new EntityFixture().ports();
  const ports = {
    tenant: "t",
    digest: nodeDigest,
    builder,
    slabs,
    embedder: null,
    revision: new EntityFixture().revision(),
    entityOf: ({ entity }: { readonly entity: string }) => stepsOf(entities.get(entity) ?? new EntityFixture(entity)),
  };
  return searchEntities(ports, { tenant: "t", search, entityPrefix: null, bm25: null });
}

const answer = async (entities: Entities, body: object): Promise<ScopeSearchAnswer> =>
  valueIn(await ask(entities, body));

const words = fc.constantFrom("renewal", "risk", "invoice", "ORD-1042", "harbour", "the", "a/b2.ts", "call");
const text = fc.array(words, { minLength: 1, maxLength: 6 }).map((list) => list.join(" "));
const vector = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 3, maxLength: 3 }).filter((v) => v.some(Boolean));

/** One of an entity: what it holds, whether it is built into a shard, and which events are withdrawn later. */
const logOf = fc.record({
  events: fc.array(fc.record({ text, vector: fc.option(vector, { nil: undefined }) }), { maxLength: 6 }),
  indexed: fc.boolean(),
  withdrawn: fc.array(fc.nat(5), { maxLength: 2 }),
});

const asked = fc.record(
  {
    text,
    vector,
    mode: fc.constantFrom("hybrid", "text"),
    top_k: fc.constantFrom(1, 3, 20),
    explain: fc.boolean(),
    filter: fc.constantFrom({ "attributes.even": true }, { entity: { $in: ["account:a", "account:c"] } }),
  },
  { requiredKeys: ["text"] },
);

const NAMES = ["account:a", "account:b", "account:c"] as const;

function eventOf(
  { text: words, vector: numbers }: { text: string; vector: number[] | undefined },
  index: number,
  name: string,
) {
  const event: EventInput = {
    id: `${name}-${index}`,
    ts: index,
    text: words,
    attributes: { even: index % 2 === 0, of: name },
  };
  return numbers === undefined ? event : { ...event, vector: numbers };
}

/** What a hit says that does not depend on which log it lies in. */
function essence({ id, chunk, score, scores, text: words, explain }: SearchHit) {
  return { id, chunk, score, scores, text: words, explain };
}

describe("a strong search over listed entities", () => {
  test("answers as one log that holds all their events", async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(logOf, logOf, logOf), asked, async (logs, body) => {
        const union = new EntityFixture("account:union");
        const entities = new Map<string, EntityFixture>();
        for (const [index, { events, indexed, withdrawn }] of logs.entries()) {
          const name = NAMES[index] ?? "";
          const fixture = new EntityFixture(name);
          entities.set(name, fixture);
          const inputs = events.map((event, at) => eventOf(event, at, name));
          for (const input of inputs) {
            await fixture.accept(input);
            await union.accept(input);
          }
          if (indexed && inputs.length > 0) {
            fixture.nowMs += 2_000;
            await fixture.index();
          }
          for (const at of new Set(withdrawn)) {
            if (at >= inputs.length) continue;
            valueIn(await fixture.entity.withdraw(`${name}-${at}`));
            valueIn(await union.entity.withdraw(`${name}-${at}`));
          }
        }
        const inUnion = JSON.parse(JSON.stringify(body).replace('"entity"', '"attributes.of"')) as object;
        const expected = valueIn(
          await union.serve((entity) => entity.reader.search(searchBodySchema.parse(inUnion), null)),
        );
        const merged = await answer(entities, body);
        expect(merged.hits.map(essence)).toEqual(expected.hits.map(essence));
        expect(merged.candidates).toBe(expected.candidates);
        expect(merged.hits.map(({ id, entity }) => id.startsWith(entity))).not.toContain(false);
      }),
      { numRuns: 60 },
    );
  });

  test("sees the same again by its snapshot, whatever was appended since", async () => {
    const entities = await threeOf();
    const first = await answer(entities, { text: "renewal" });
    await entities.get("account:b")?.accept({ id: "later", text: "renewal renewal" });
    const again = await answer(entities, { text: "renewal", snapshot: first.snapshot });
    expect(again.hits).toEqual(first.hits);
    expect((await answer(entities, { text: "renewal" })).hits).not.toEqual(first.hits);
    const fewer = await ask(new Map([...entities].slice(0, 2)), { text: "renewal", snapshot: first.snapshot });
    expect(fewer).toMatchObject({ ok: false, failure: { reason: "conflict" } });
  });

  test("takes a write of any of its entities, and refuses one of none", async () => {
    const entities = await threeOf();
    const scope = { tenant: "t", entity: "account:b" };
    const known = writeToken(scope, { incarnation: 1, commit: 1 }, nodeDigest);
    const ahead = writeToken(scope, { incarnation: 1, commit: 9 }, nodeDigest);
    const foreign = writeToken({ tenant: "t", entity: "account:z" }, { incarnation: 1, commit: 1 }, nodeDigest);
    const asks = async (token: string) => (await ask(entities, { text: "renewal", at_least: token })).ok;
    expect(await asks(known)).toBe(true);
    expect(await asks((await answer(entities, { text: "renewal" })).token)).toBe(true);
    expect(await ask(entities, { text: "renewal", at_least: ahead })).toMatchObject({
      failure: { reason: "conflict" },
    });
    expect(await ask(entities, { text: "renewal", at_least: foreign })).toMatchObject({
      failure: { reason: "conflict" },
    });
    expect(await ask(entities, { text: "renewal", at_least: "?" })).toMatchObject({ failure: { reason: "invalid" } });
  });

  test("grouped by entity gives the best hit of each, best first", async () => {
    const entities = await threeOf();
    const all = await answer(entities, { text: "renewal risk", top_k: 100 });
    const grouped = await answer(entities, { text: "renewal risk", top_k: 2, group_by: "entity" });
    const firsts = all.hits.filter((hit, index) => all.hits.findIndex(({ entity }) => entity === hit.entity) === index);
    expect(grouped.hits.map(({ id }) => id)).toEqual(firsts.slice(0, 2).map(({ id }) => id));
  });
});

async function threeOf(): Promise<Entities> {
  const entities = new Map<string, EntityFixture>();
  for (const [index, name] of NAMES.entries()) {
    const fixture = new EntityFixture(name);
    entities.set(name, fixture);
    await fixture.accept(
      { id: `${name}-0`, text: `renewal risk ${"of the contract ".repeat(index)}` },
      { id: `${name}-1`, text: `renewal ${"risk ".repeat(index)}` },
    );
  }
  return entities;
}
