/** The newest text of an entity's live events. */
import { eventTimeMs, parseLine } from "../log/line.ts";
import { citationOf } from "../retrieval/hit.ts";
import type { LiveRows, View } from "../retrieval/view.ts";
import type { SummarySource } from "../rpc.ts";
import { utf8Length } from "../schema/scalar.ts";

/** In order of position; at most `bytesMax` of text, the oldest of which is left out whole. `live[i]` is of part i. */
export function newestTexts(view: View, live: readonly LiveRows[], bytesMax: number): readonly SummarySource[] {
  const newestFirst: SummarySource[] = [];
  let bytes = 0;
  for (let index = view.parts.length - 1; index >= 0; index -= 1) {
    const part = view.parts[index];
    const { rowEnd, deadRows } = live[index] ?? { rowEnd: 0, deadRows: new Uint32Array(0) };
    if (part === undefined) continue;
    const dead = new Set(deadRows);
    const withText = new Set(part.rowOfDocument);
    for (let row = rowEnd - 1; row >= 0; row -= 1) {
      if (dead.has(row) || !withText.has(row)) continue;
      const event = parseLine(part.lineOfRow(row));
      if (event.text === undefined) continue;
      bytes += utf8Length(event.text);
      if (bytes > bytesMax) return newestFirst.reverse();
      const document = event.kind === "document" ? event.attributes?.document : undefined;
      newestFirst.push({
        text: event.text,
        ts: eventTimeMs(event),
        session: event.session ?? null,
        document: typeof document === "string" ? document : null,
        citation: citationOf(part, row, (key) => key),
      });
    }
  }
  return newestFirst.reverse();
}
