import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvItems } from "../../adapters/connectors/csv.ts";
import type { RecordMapping } from "../../adapters/connectors/record.ts";
import { chunksOf, collected } from "./collected.ts";

const MAPPING: RecordMapping = { defaultEntity: "file:table" };

const read = (text: string, mapping: RecordMapping = MAPPING, chunkBytes?: number) =>
  collected(csvItems(chunksOf(text, chunkBytes), mapping));

const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

describe("a CSV file", () => {
  it("gives back any cell that was quoted as RFC 4180 says", async () => {
    const cell = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/^-?[\d.]+$/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.array(cell, { minLength: 1 }), fc.integer({ min: 1, max: 9 }), async (cells, chunkBytes) => {
        const { accepted, refused } = await read(
          `entity,text\r\n${cells.map((text) => `user:1,${quoted(text)}`).join("\r\n")}`,
          MAPPING,
          chunkBytes,
        );
        expect(refused).toEqual([]);
        expect(accepted.map(({ event }) => event.text)).toEqual(cells);
      }),
      { numRuns: 50 },
    );
  });

  it("maps columns by their names, numbers as numbers, codes as text", async () => {
    const { accepted } = await read("account,date,message,amount,postcode\nAcme,2026-03-01,hello,12.50,02134\n");
    expect(accepted).toEqual([
      {
        ok: true,
        entity: "account:Acme",
        event: { ts: Date.UTC(2026, 2, 1), text: "hello", attributes: { amount: 12.5, postcode: "02134" } },
      },
    ]);
  });

  it("sees that semicolons or tabs separate the cells", async () => {
    for (const separator of [";", "\t"]) {
      const { accepted } = await read(`${["entity", "text"].join(separator)}\n${["user:1", "a,b"].join(separator)}`);
      expect(accepted[0]).toMatchObject({ entity: "user:1", event: { text: "a,b" } });
    }
  });

  it("ignores a byte order mark and tells columns of one name apart", async () => {
    const { accepted } = await read("\ufeffentity,text,tag,tag\nuser:1,hi,a,b\n");
    expect(accepted[0]).toMatchObject({ entity: "user:1", event: { attributes: { tag: "a", tag_2: "b" } } });
  });

  it("names the line of a row with too many or too few cells, and goes on", async () => {
    const { accepted, refused } = await read("entity,text\nuser:1,one\nuser:1,two,three\nuser:1\nuser:1,four\n");
    expect(accepted.map(({ event }) => event.text)).toEqual(["one", "four"]);
    expect(refused.map(({ where }) => where)).toEqual(["line 3", "line 4"]);
  });

  it("has no events when it is empty", async () => {
    expect(await read("")).toEqual({ accepted: [], refused: [] });
    expect(await read("entity,text\n")).toEqual({ accepted: [], refused: [] });
  });
});
