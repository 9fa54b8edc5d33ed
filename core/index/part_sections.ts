/**
 * What a slab holds of a part. Callers may name attributes as they like, so the columns of a part can be far more than
 * a slab has room for: those that are loaded are bounded, and a filter reads the others from the part.
 */
import { SLAB_COLUMN_BYTES_MAX } from "../limits.ts";
import type { PartSections } from "../ports.ts";
import type { Part } from "./part.ts";

const FIELD_COLUMNS = ["kind", "session", "actor", "agent", "source"];

/** Names of the columns that are loaded, in the order in which the kernel gets them: fields, then attributes by name. */
export function loadedColumns(part: Part): readonly string[] {
  const bytesPerColumn = part.rows * Uint32Array.BYTES_PER_ELEMENT;
  const columnsMax = Math.floor(SLAB_COLUMN_BYTES_MAX / Math.max(bytesPerColumn, 1));
  const loaded = FIELD_COLUMNS.filter((name) => part.columns.has(name));
  for (const name of part.columns.keys()) {
    if (loaded.length >= columnsMax) break;
    if (!FIELD_COLUMNS.includes(name)) loaded.push(name);
  }
  return loaded;
}

/** `columns` are those of `loadedColumns`, in its order. */
export function partSections(part: Part): PartSections {
  return {
    documents: part.documents,
    rows: part.rows,
    rowOfDocument: part.rowOfDocument,
    text: part.text,
    vectors: part.vectors,
    columns: loadedColumns(part).map((name) => part.columns.get(name)?.codes ?? new Uint32Array(part.rows)),
    rowTimes: part.rowTimes,
  };
}
