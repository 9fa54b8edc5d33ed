/**
 * Pages of a list that is held whole, ordered by its ids. The cursor is the last id that was shown, so that a page
 * stays right when items before it come or go.
 */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export function pageOf<Item extends { readonly id: string }>(
  all: readonly Item[],
  limit: number,
  cursor: string | undefined,
): Page<Item> {
  const ordered = all.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const rest = cursor === undefined ? ordered : ordered.filter((item) => item.id > cursor);
  const items = rest.slice(0, limit);
  return { items, nextCursor: rest.length > limit ? (items.at(-1)?.id ?? null) : null };
}
