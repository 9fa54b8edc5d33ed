/**
 * Documents over the log: a version is one or more events of kind `document` with the attributes below; the newest
 * live version of an id is the document.
 */
import { z } from "zod";
import { blobKey } from "../../core/log/keys.ts";
import { parseLine } from "../../core/log/line.ts";
import type { LiveRows, View } from "../../core/retrieval/view.ts";
import type { DocumentVersion } from "../../core/rpc.ts";

/** Attributes of a document's events, as ingest writes them. */
const documentAttributesSchema = z.object({
  document: z.string(),
  document_version: z.string(),
  content_type: z.string(),
  bytes: z.number().int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  searchable: z.boolean(),
});

/** null when no live event is a version of `id`. */
export function newestDocument(
  view: View,
  live: readonly LiveRows[],
  id: string,
  entity: string,
): DocumentVersion | null {
  const eventIds: string[] = [];
  const olderEventIds: string[] = [];
  let newest: z.infer<typeof documentAttributesSchema> | null = null;
  for (const row of rowsOfDocument(view, live, id)) {
    const event = parseLine(row.line());
    const attributes = documentAttributesSchema.safeParse(event.attributes);
    if (event.kind !== "document" || !attributes.success) continue;
    newest ??= attributes.data;
    if (attributes.data.document_version === newest.document_version) eventIds.unshift(event.id);
    else olderEventIds.unshift(event.id);
  }
  if (newest === null) return null;
  const { document_version: version, content_type: contentType, bytes, sha256, searchable } = newest;
  return {
    id,
    version,
    eventIds,
    olderEventIds,
    blob: blobKey(entity, sha256),
    sha256,
    contentType,
    bytes,
    searchable,
  };
}

/** Live rows whose `document` attribute is `id`, newest first. */
function* rowsOfDocument(view: View, live: readonly LiveRows[], id: string): Generator<{ line: () => string }> {
  for (const [index, part] of [...view.parts.entries()].reverse()) {
    const column = part.columns.get("attributes.document");
    const code = (column?.values.indexOf(id) ?? -1) + 1;
    const rows = live[index];
    if (column === undefined || code === 0 || rows === undefined) continue;
    const dead = new Set(rows.deadRows);
    for (let row = rows.rowEnd - 1; row >= 0; row -= 1) {
      if (column.codes[row] === code && !dead.has(row)) yield { line: () => part.lineOfRow(row) };
    }
  }
}
