/**
 * JSON Lines (https://jsonlines.org): one object a line. A line that uses only the API's field names is taken as the
 * API takes it; any other is mapped as record.ts says. Blank lines are skipped, a byte order mark is ignored.
 */
import { z } from "zod";
import { CONNECTOR_LINE_BYTES_MAX } from "../../core/limits.ts";
import { bulkEventSchema } from "../../core/schema/event.ts";
import { type ConnectorItem, checkedItem, refused } from "./item.ts";
import { pieces } from "./lines.ts";
import { type RecordMapping, recordItem } from "./record.ts";

const NEWLINE = 0x0a;
const API_FIELDS: ReadonlySet<string> = new Set(Object.keys(bulkEventSchema.shape));

const lineSchema = z.record(z.string(), z.unknown());
const entityLineSchema = lineSchema.and(z.object({ entity: z.string() }));

export async function* jsonlItems(
  chunks: AsyncIterable<Uint8Array>,
  mapping: RecordMapping,
): AsyncGenerator<ConnectorItem> {
  let line = 0;
  for await (const text of pieces(chunks, NEWLINE, CONNECTOR_LINE_BYTES_MAX)) {
    line += 1;
    const where = `line ${line}`;
    if (text === null) yield refused(where, `is longer than ${CONNECTOR_LINE_BYTES_MAX} bytes`);
    else if (text.trim() !== "") yield lineItem(where, text, mapping);
  }
}

function lineItem(where: string, text: string, mapping: RecordMapping): ConnectorItem {
  const json = parseJson(text);
  if (json === undefined) return refused(where, "is no JSON");
  const parsed = lineSchema.safeParse(json);
  if (!parsed.success) return refused(where, "is no JSON object");
  const names = Object.keys(parsed.data);
  const native = mapping.entityColumn === undefined && names.every((name) => API_FIELDS.has(name));
  const withEntity = entityLineSchema.safeParse(parsed.data);
  return native && withEntity.success ? checkedItem(where, withEntity.data) : recordItem(where, parsed.data, mapping);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
