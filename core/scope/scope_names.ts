/** What the rows of a part over many entities are called. */
import type { RowNames } from "../retrieval/hit.ts";
import type { LayerName } from "./scope_head.ts";
import { parseScopedId } from "./scoped_line.ts";
import { firstSource, parseSummaryId } from "./summary_lines.ts";

export function scopeNames(layer: LayerName): RowNames {
  const lifeOf = (part: Parameters<RowNames["idOf"]>[0], row: number) => parseScopedId(part.idOfRow(row));
  return {
    entityOf: (part, row) => lifeOf(part, row).entity,
    idOf: (part, row) => {
      const { id } = lifeOf(part, row);
      return layer === "summaries" ? parseSummaryId(id).key : id;
    },
    ...(layer === "summaries" && { sourceOf: firstSource }),
  };
}
