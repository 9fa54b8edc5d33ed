/**
 * Graphs over the vectors of a shard, where a search would walk them rather than scan. They are built in slices: after
 * each the state goes to the store, under the digest of the codes it belongs to, so an indexer that ends in the middle
 * is followed by one that goes on from there, to the same bytes.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { finishedBytes, type PartDraft, type VectorsByKind } from "../../core/index/build_part.ts";
import {
  GRAPH_BYTES_PER_VECTOR_MAX,
  GRAPH_SLICE_VECTORS,
  HNSW_VECTORS_MIN,
  SHARD_BYTES_MAX,
} from "../../core/limits.ts";
import { graphStateKey } from "../../core/log/keys.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { GraphStep, TenantStore, VectorSections } from "../../core/ports.ts";
import { isWorthGraph } from "../../core/retrieval/plan.ts";
import type { IndexWork } from "../../core/rpc.ts";
import type { BuildPorts } from "./ports.ts";
import { standingOf, whileItStands } from "./while_it_stands.ts";

interface Graphed {
  readonly vectors: VectorsByKind;
  /** What was put on the way, and is of no use once the shard is there. */
  readonly states: readonly string[];
}

export async function withGraphs(ports: BuildPorts, work: IndexWork, draft: PartDraft): Promise<Result<Graphed>> {
  const { vectors, dimensions } = draft;
  if (draft.documents < HNSW_VECTORS_MIN || !hasRoom(draft)) return ok({ vectors, states: [] });
  const supplied = await withGraph(ports, work, vectors.supplied, dimensions.supplied, draft.documents);
  if (!supplied.ok) return supplied;
  const embedded = await withGraph(ports, work, vectors.embedded, dimensions.embedded, draft.documents);
  if (!embedded.ok) return embedded;
  return ok({
    vectors: { supplied: supplied.value.sections, embedded: embedded.value.sections },
    states: [supplied.value.state, embedded.value.state].filter((key) => key !== null),
  });
}

/** A shard that fits must not be refused for its graph. */
function hasRoom(draft: PartDraft): boolean {
  return finishedBytes(draft) + draft.documents * GRAPH_BYTES_PER_VECTOR_MAX <= SHARD_BYTES_MAX;
}

interface GraphedSections {
  readonly sections: VectorSections | null;
  readonly state: string | null;
}

async function withGraph(
  ports: BuildPorts,
  work: IndexWork,
  sections: VectorSections | null,
  dimensions: number,
  documents: number,
): Promise<Result<GraphedSections>> {
  // Not every document has a vector; the state knows how many do, but reading it is not for nothing.
  if (sections === null || !isWorthGraph(documents, dimensions)) return ok({ sections, state: null });
  const store = ports.store.forTenant(work.scope.tenant);
  const key = graphStateKey(work.scope.entity, hex(ports.digest.sha256(sections.codes)));
  const begun = await resume(ports, store, key, sections);
  if (!begun.ok) return begun;
  let step = begun.value;
  if (!isWorthGraph(step.vectors, dimensions)) return ok({ sections, state: null });
  while (step.inserted < step.vectors) {
    const { state } = step;
    const next = built(() => ports.builder.graphStep(sections, state, GRAPH_SLICE_VECTORS));
    if (!next.ok) return next;
    step = next.value;
    if (step.inserted === step.vectors) break;
    const put = await whileItStands(ports, standingOf(work), () => store.put(key, next.value.state));
    if (!put.ok) return put;
  }
  const graphed = built(() => ports.builder.graphSections(sections, step.state));
  return graphed.ok ? ok({ sections: graphed.value, state: key }) : fail(graphed.failure);
}

/** What was built before. A state that is damaged, or of another format, is begun anew. */
async function resume(
  ports: BuildPorts,
  store: TenantStore,
  key: string,
  sections: VectorSections,
): Promise<Result<GraphStep>> {
  const stored = await store.get(key);
  const found = stored && built(() => ports.builder.graphStep(sections, stored.bytes, 0));
  return found?.ok === true ? found : built(() => ports.builder.graphStep(sections, null, 0));
}

/** What the builder throws (more vectors than it has room for) is the fault of this work, whoever does it. */
function built<T>(step: () => Result<T>): Result<T> {
  try {
    return step();
  } catch (cause) {
    logFault("build_failed", cause);
    return fail({ reason: "internal" });
  }
}
