/** Live counts of a view, for `status`. */
import { tombstoneRows } from "./timeline.ts";
import type { LiveRows, View } from "./view.ts";

export interface LiveCounts {
  /** Live events; tombstones are not counted. */
  readonly events: number;
  /** Their documents. */
  readonly chunks: number;
}

export function countLive(view: View, live: readonly LiveRows[]): LiveCounts {
  let events = 0;
  let chunks = 0;
  for (const [index, part] of view.parts.entries()) {
    const { deadRows, rowEnd } = live[index] ?? { deadRows: new Uint32Array(0), rowEnd: 0 };
    const hidden = tombstoneRows(part);
    for (const row of deadRows) hidden[row] = 1;
    for (let row = 0; row < rowEnd; row++) events += 1 - (hidden[row] ?? 0);
    for (const row of part.rowOfDocument) if (row < rowEnd && hidden[row] === 0) chunks++;
  }
  return { events, chunks };
}
