/** A stand-in for the kernel's analyzer: lower-case words by white space; tokens with a digit are also kept whole. */
import type { QueryTerm } from "../../core/ports.ts";

export function plainAnalyze(text: string): readonly QueryTerm[] {
  const counts = new Map<string, QueryTerm>();
  for (const token of text
    .toLowerCase()
    .split(/\s+/)
    .filter((part) => part !== "")) {
    for (const field of /\d/.test(token) ? (["whole", "word"] as const) : (["word"] as const)) {
      const key = `${field}:${token}`;
      counts.set(key, { field, term: token, count: (counts.get(key)?.count ?? 0) + 1 });
    }
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, term]) => term);
}
