/**
 * CSV (RFC 4180) with a header row: quoted cells may hold commas, quotes and new lines; lines end in LF or CRLF; a byte
 * order mark is ignored; a semicolon or a tab may stand for the comma when the header has more of them. Cells are mapped
 * as record.ts says; one that is plainly a number is a number.
 */
import { pipeline, Readable } from "node:stream";
import { type CsvError, parse } from "csv-parse";
import { z } from "zod";
import { CONNECTOR_LINE_BYTES_MAX } from "../../core/limits.ts";
import { type ConnectorItem, refused } from "./item.ts";
import { type RecordMapping, recordItem } from "./record.ts";

/** Digits that a double repeats exactly, without the leading zeros and plus signs of codes and telephone numbers. */
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,6})?$/;

const rowSchema = z.object({ record: z.record(z.string(), z.string()), info: z.object({ lines: z.number() }) });

export async function* csvItems(
  chunks: AsyncIterable<Uint8Array>,
  mapping: RecordMapping,
): AsyncGenerator<ConnectorItem> {
  const skipped: ConnectorItem[] = [];
  const { header, whole } = await peek(chunks);
  const parser = parse({
    bom: true,
    columns: distinctNames,
    delimiter: delimiterOf(header),
    info: true,
    max_record_size: CONNECTOR_LINE_BYTES_MAX,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      skipped.push(refused(`line ${lineOf(error)}`, error?.message ?? "is no CSV record"));
      return undefined;
    },
  });
  // A failure of the source ends the parser, and with it the loop below.
  pipeline(Readable.from(whole, { objectMode: false }), parser, () => {});
  try {
    for await (const row of parser) {
      yield* skipped.splice(0);
      const { record, info } = rowSchema.parse(row);
      yield recordItem(`line ${info.lines}`, typed(record), mapping);
    }
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !String(error.code).startsWith("CSV_")) throw error;
    skipped.push(refused(`line ${lineOf(error)} and after`, error.message));
  }
  yield* skipped;
}

/** The first chunk's first line, and a stream that has all of it. */
async function peek(chunks: AsyncIterable<Uint8Array>): Promise<{ header: string; whole: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const bytes = first.done === true ? new Uint8Array() : first.value;
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield bytes;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  }
  return { header: new TextDecoder().decode(bytes).split("\n", 1)[0] ?? "", whole: whole() };
}

function delimiterOf(header: string): string {
  const count = (character: string): number => header.split(character).length;
  return [",", ";", "\t"].reduce((best, character) => (count(character) > count(best) ? character : best));
}

/** Two columns of one name would hide each other: the second becomes `name_2`. A column without a name gets its number. */
function distinctNames(header: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return header.map((cell, index) => {
    const name = cell.trim() === "" ? `column_${index + 1}` : cell.trim();
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}_${count}`;
  });
}

function typed(record: Readonly<Record<string, string>>): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, cell]) => [name, NUMBER.test(cell) ? Number(cell) : cell]),
  );
}

function lineOf(error: CsvError | Error | undefined): string {
  return error !== undefined && "lines" in error ? String(error.lines) : "?";
}
