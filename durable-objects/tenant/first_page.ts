/** Of one item more than a page takes: the page, and the item after which the next one begins, if there is a next one. */
export function firstPage<T>(
  found: readonly T[],
  limit: number,
): { readonly items: readonly T[]; readonly after: T | null } {
  const items = found.slice(0, limit);
  return { items, after: found.length > limit ? (items.at(-1) ?? null) : null };
}
