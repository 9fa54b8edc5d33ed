/**
 * Live rows of a view over many entities: those that the log alone says (core/log/live.ts), less what is hidden and, of
 * summaries, what a later one of the same entity has overtaken. What is not live is in no statistic.
 */
import type { LiveRows, View } from "../retrieval/view.ts";
import { deadCommits, type LayerName } from "./scope_head.ts";
import type { EntityLife } from "./scoped_line.ts";

/** `live[i]` is of `view.parts[i]`. `isHidden` null: nothing is. */
export function liveInScope(
  view: View,
  layer: LayerName,
  live: readonly LiveRows[],
  isHidden: ((life: EntityLife) => boolean) | null,
): readonly LiveRows[] {
  if (layer === "events" && isHidden === null) return live;
  const dead = deadCommits(view.parts, layer, isHidden ?? (() => false), view.snapshot.commit);
  return live.map((rows, index) => {
    const part = view.parts[index];
    const gone = dead[index];
    if (part === undefined || gone === undefined || gone.size === 0) return rows;
    const deadRows = new Set(rows.deadRows);
    part.commits.forEach(({ commit, firstRow }, at) => {
      if (!gone.has(commit)) return;
      const end = part.commits[at + 1]?.firstRow ?? part.rows;
      for (let row = firstRow; row < end; row += 1) deadRows.add(row);
    });
    return { rowEnd: rows.rowEnd, deadRows: Uint32Array.from(deadRows).sort() };
  });
}
