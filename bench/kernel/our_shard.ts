/** Our shard file as a contender: for every question it is opened from its bytes, checked, loaded and asked. */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import { openPart } from "../../core/index/open_part.ts";
import { segmentKey } from "../../core/log/keys.ts";
import { prepareLine } from "../../core/log/line.ts";
import { sectionsOf } from "../../core/retrieval/residency.ts";
import { ANOTHER_KIND, type Contender } from "./contender.ts";
import { type Corpus, rowOf } from "./corpus.ts";
import type { PartSearcher } from "./our_kernel.ts";

const ENTITY = "kb:bench";
const TOOLS = { compression: nodeCompression, digest: nodeDigest };

export function ourShard(searcher: PartSearcher): Contender {
  return {
    system: "context-plane, shard from bytes",
    ours: true,
    async open(corpus) {
      if (corpus.texts === null || corpus.vectors === null) return ANOTHER_KIND;
      const from = performance.now();
      const bytes = buildShard(corpus, searcher);
      const buildMs = performance.now() - from;
      return {
        settings: "all checksums and structures verified, loaded into a cleared slab",
        buildMs,
        bytes: bytes.length,
        coldLoadMs: null,
        prepare(set) {
          if (set.leg !== "open") return ANOTHER_KIND;
          return (question) => {
            const part = openPart(bytes, { ...TOOLS, checksum: searcher.checksum });
            if (!part.ok) throw new Error(`the shard was refused: ${JSON.stringify(part.failure)}`);
            const { supplied } = part.value.vectors;
            return searcher.loadAndAsk(sectionsOf(part.value, supplied), set.questions[question]);
          };
        },
      };
    },
  };
}

function buildShard({ texts, vectors, documents }: Corpus, { builder, checksum }: PartSearcher): Uint8Array {
  const lines = Array.from({ length: documents }, (_, row) => {
    const vector = vectors === null ? {} : { vector: Array.from(rowOf(vectors, row)) };
    return prepareLine({ id: `document-${row}`, text: texts?.[row] ?? "", ...vector }, row, nodeDigest).line;
  });
  const revision = { analyzer: builder.analyzer, chunker: CHUNKER, embedder: "none", metric: "cosine" as const };
  const commits = [{ commit: 1, segment: segmentKey(ENTITY, 0, 1, 1), arrivalMs: 0, lines }];
  return buildPart(
    { incarnation: 1, revision, merged: [], commits, recorded: null },
    { ...TOOLS, builder, checksum, embedder: null },
  );
}
