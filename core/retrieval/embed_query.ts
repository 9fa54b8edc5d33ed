/** Makes the query's vector, where a resolved search says that one is needed. */
import { ok, type Result } from "../errors.ts";
import type { Embedder } from "../ports.ts";
import { type ResolvedSearch, withQueryVector } from "./resolve.ts";

export async function embedQuery(search: ResolvedSearch, embedder: Embedder | null): Promise<Result<ResolvedSearch>> {
  const { embedText } = search;
  if (embedText === null || embedder === null) return ok(search);
  if (embedder.kind === "local") return withQueryVector(search, ok(embedder.embed([embedText])[0] ?? null));
  const embedded = await embedder.embed([embedText], "query");
  return withQueryVector(search, embedded.ok ? ok(embedded.value[0] ?? null) : embedded);
}
