/**
 * What a reader would copy out of a text and paste into a search box: paths, addresses of pages, and names with a
 * digit (versions, error codes, file names, order numbers).
 */

/** A run without white space, quotes or brackets of mark-up. */
const RUN = /[^\s`"'“”‘’<>|]+/gu;
const OPENING = /^[^\p{L}\p{N}_/~.#-]+|^[#-]+(?=[^\p{L}\p{N}])/u;
const CLOSING = /[^\p{L}\p{N}_/]+$/u;
const NAME = /[\p{L}\p{N}_]+(?:[._:+-][\p{L}\p{N}_]+)*/gu;

/** Distinct, in order of appearance. */
export function identifiersOf(text: string): readonly string[] {
  const found = new Set<string>();
  for (const [run] of text.matchAll(RUN)) {
    const bare = run.replace(OPENING, "").replace(CLOSING, "");
    if (isPath(bare)) found.add(bare);
    else for (const [name] of bare.matchAll(NAME)) if (isNameWithDigit(name)) found.add(name);
  }
  return [...found];
}

/** Two names or more, apart by single slashes, or an address with a scheme. */
function isPath(run: string): boolean {
  return /^[a-z][a-z+.-]*:\/\/./iu.test(run) || /(?:^|[\p{L}\p{N}_~.)%+-])\/[\p{L}\p{N}_.~@%+(-]/u.test(run);
}

function isNameWithDigit(name: string): boolean {
  return /\p{N}/u.test(name) && /[\p{L}_.:+-]/u.test(name);
}
