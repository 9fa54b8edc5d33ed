import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonlItems } from "../../adapters/connectors/jsonl.ts";
import type { RecordMapping } from "../../adapters/connectors/record.ts";
import { CONNECTOR_LINE_BYTES_MAX } from "../../core/limits.ts";
import { chunksOf, collected } from "./collected.ts";

const MAPPING: RecordMapping = { defaultEntity: "file:notes" };

const read = (text: string, mapping: RecordMapping = MAPPING, chunkBytes?: number) =>
  collected(jsonlItems(chunksOf(text, chunkBytes), mapping));

describe("a JSONL file", () => {
  it("is read the same however its bytes are cut", async () => {
    const line = fc.record({ entity: fc.constantFrom("user:1", "user:é"), text: fc.string({ unit: "grapheme" }) });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1 }), fc.integer({ min: 1, max: 7 }), async (lines, chunkBytes) => {
        const text = lines.map((each) => JSON.stringify(each)).join("\n");
        expect(await read(text, MAPPING, chunkBytes)).toEqual(await read(text));
        const { accepted } = await read(text);
        expect(accepted.map(({ entity, event }) => ({ entity, text: event.text }))).toEqual(lines);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps the API's own fields as they are", async () => {
    const event = {
      id: "a",
      ts: "2026-03-01T10:00:00Z",
      kind: "message",
      text: "hi",
      attributes: { stage: "won" },
      session: "s",
      vector: [1, 2],
      body: { deep: [1] },
    };
    const { accepted } = await read(JSON.stringify({ entity: "account:acme", ...event }));
    expect(accepted).toEqual([{ ok: true, entity: "account:acme", event: { ...event, ts: Date.UTC(2026, 2, 1, 10) } }]);
  });

  it("makes attributes of unknown fields and keeps nested ones in the body", async () => {
    const { accepted } = await read(
      JSON.stringify({
        id: 7,
        date: "2026-03-01 10:00",
        account: "Acme",
        message: "hi",
        amount: 2.5,
        tags: ["a"],
        nested: { a: 1 },
        gone: null,
      }),
    );
    expect(accepted).toEqual([
      {
        ok: true,
        entity: "account:Acme",
        event: {
          id: "7",
          ts: Date.UTC(2026, 2, 1, 10),
          text: "hi",
          attributes: { amount: 2.5, tags: ["a"] },
          body: { nested: { a: 1 } },
        },
      },
    ]);
  });

  it("takes the columns it is told", async () => {
    const mapping = {
      defaultEntity: "x",
      entityColumn: "thread",
      timeColumn: "at",
      textColumns: ["head", "tail"],
      idColumn: "key",
    };
    const { accepted } = await read(
      '{"thread":"t/1","at":1494517568.512661,"head":"a","tail":"b","key":"k","entity":"other"}',
      mapping,
    );
    expect(accepted).toEqual([
      {
        ok: true,
        entity: "thread:t/1",
        event: { id: "k", ts: 1494517568513, text: "a\nb", attributes: { entity: "other" } },
      },
    ]);
  });

  it("makes a record without text findable by all its fields", async () => {
    const { accepted } = await read('{"order":"A-1","qty":3}');
    expect(accepted[0]).toMatchObject({ entity: "file:notes", event: { text: "order: A-1\nqty: 3" } });
  });

  it("names the line of everything it refuses, and goes on", async () => {
    const lines = [
      '{"text":"good"}',
      "",
      "{broken",
      "[1]",
      '{"entity":"a","text":"x","ts":"11/9/2022"}',
      `{"text":"${"x".repeat(CONNECTOR_LINE_BYTES_MAX)}"}`,
      '{"text":"last"}',
    ];
    const { accepted, refused } = await read(lines.join("\n"));
    expect(accepted.map(({ event }) => event.text)).toEqual(["good", "last"]);
    expect(refused.map(({ where }) => where)).toEqual(["line 3", "line 4", "line 5", "line 6"]);
    expect(refused[2]?.reason).toMatch(/^ts: /);
  });
});
