/**
 * The search path of the product without its transport: chunks, index, kernel and ranking in this process, over one
 * shard. For measuring relevance in seconds; what HTTP, queue and objects add is measured by `npm run eval`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { embeddedEmbedder } from "../../adapters/models/embedded.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import type { Result } from "../../core/errors.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { Part } from "../../core/index/part.ts";
import { segmentKey } from "../../core/log/keys.ts";
import { prepareLine } from "../../core/log/line.ts";
import type { Checksum, KernelBuilder, LocalEmbedder, SlabPool } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import { resolveSearch, withQueryVector } from "../../core/retrieval/resolve.ts";
import { searchView } from "../../core/retrieval/search.ts";
import { spaceOfView, type View } from "../../core/retrieval/view.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { searchBodySchema } from "../../core/schema/search.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";

const ENTITY = "kb:relevance";
const KERNEL = join(import.meta.dirname, "..", "..", "wasm", "build", "kernel.wasm");

export interface InProcess {
  readonly builder: KernelBuilder;
  readonly checksum: Checksum;
  readonly embedder: LocalEmbedder;
  readonly pool: SlabPool;
}

export interface Scope {
  /** Ids of events, best first; the text of each first hit. */
  search(body: SearchInput): readonly { readonly id: string; readonly text: string }[];
}

export interface SearchInput {
  readonly text?: string;
  readonly vector?: readonly number[];
  readonly mode: "hybrid" | "text" | "vector";
  readonly top_k: number;
  readonly fusion?: { readonly weights: { readonly vector: number } };
}

export function openInProcess(): InProcess {
  // The types of Workers know no constructor: there a module can only be imported.
  const module: WebAssembly.Module = Reflect.construct(WebAssembly.Module, [readFileSync(KERNEL)]);
  const builder = createKernelBuilder(module);
  return {
    builder,
    checksum: createKernelChecksum(module),
    embedder: embeddedEmbedder(builder.analyze),
    pool: createSlabPool(module),
  };
}

/** Indexes the events as one commit. */
export function indexScope(kernel: InProcess, events: readonly EventInput[]): Scope {
  const part = partOf(kernel, events);
  const view: View = {
    snapshot: { incarnation: 1, commit: 1, vectorCommit: 1, revision: part.revision },
    parts: [part],
  };
  const live = [{ deadRows: new Uint32Array(0), rowEnd: part.rows }];
  const residency = new SlabResidency(kernel.pool);
  return {
    search(body) {
      const context = {
        vectorSpace: spaceOfView(view),
        metric: "cosine" as const,
        embedder: kernel.embedder,
        analyze: kernel.builder.analyze,
      };
      const resolved = expectOk(resolveSearch(searchBodySchema.parse(body), context));
      const embedded = resolved.embedText === null ? null : (kernel.embedder.embed([resolved.embedText])[0] ?? null);
      const search = expectOk(withQueryVector(resolved, { ok: true, value: embedded }));
      const outcome = expectOk(
        searchView(view, search, live, { entity: ENTITY, scope: ENTITY, residency, segmentKey: (key) => key }),
      );
      return outcome.hits.map((hit) => ({ id: hit.id, text: hit.text ?? "" }));
    },
  };
}

function partOf({ builder, checksum, embedder }: InProcess, events: readonly EventInput[]): Part {
  const lines = events.map((event) => prepareLine(event, 0, nodeDigest).line);
  const bytes = buildPart(
    {
      incarnation: 1,
      revision: { analyzer: builder.analyzer, chunker: CHUNKER, embedder: embedder.id, metric: "cosine" },
      commits: [{ commit: 1, segment: segmentKey(ENTITY, 0, 1, 1), arrivalMs: 0, lines }],
      merged: [],
      recorded: null,
    },
    { builder, compression: nodeCompression, digest: nodeDigest, checksum, embedder },
  );
  return expectOk(openPart(bytes, { compression: nodeCompression, digest: nodeDigest, checksum }));
}

function expectOk<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`the search failed: ${JSON.stringify(result.failure)}`);
  return result.value;
}
