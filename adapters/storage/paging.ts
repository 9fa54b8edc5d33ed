/**
 * Pages of a listing over names that are all at hand. Keys are visible ASCII, so the order of strings is that of bytes.
 * A cursor is the last name of the page before: what is put or deleted meanwhile moves nothing else.
 */
import { STORE_LIST_MAX } from "../../core/limits.ts";

export interface Page {
  readonly names: readonly string[];
  readonly cursor: string | null;
}

/** The next of the keys that begin with `prefix`, ascending. */
export function pageOfKeys(keys: Iterable<string>, prefix: string, cursor: string | null): Page {
  return pageOf(
    [...keys].filter((key) => key.startsWith(prefix)),
    cursor,
  );
}

/** The next of the path components that follow `folder`, ascending, each once. */
export function pageOfFolders(keys: Iterable<string>, folder: string, cursor: string | null): Page {
  const names = new Set<string>();
  for (const key of keys) {
    const end = key.startsWith(folder) ? key.indexOf("/", folder.length) : -1;
    if (end !== -1) names.add(key.slice(folder.length, end));
  }
  return pageOf([...names], cursor);
}

function pageOf(all: readonly string[], cursor: string | null): Page {
  const left = all.filter((name) => cursor === null || name > cursor).sort();
  const names = left.slice(0, STORE_LIST_MAX);
  return { names, cursor: left.length > names.length ? (names.at(-1) ?? null) : null };
}
