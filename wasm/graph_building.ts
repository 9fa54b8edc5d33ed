/**
 * Building a graph in slices (wasm/assembly/graph_build.ts), by a builder's instance. Slices need the codes and the state;
 * the residuals come into its memory at the end, when they are put in the graph's order and the graph is tried. A graph
 * that finds too little is not worth keeping: the vectors are then answered as they were, and scanned.
 */
import type { Result } from "../core/errors.ts";
import { GRAPH_RECALL_MIN, GRAPH_TRIAL_NEAREST, GRAPH_TRIALS, HNSW_BEAM_DEFAULT } from "../core/limits.ts";
import type { GraphStep, VectorSections } from "../core/ports.ts";
import { KernelCapacityError, type KernelInstance, statusText } from "./kernel_instance.ts";

const HEAD_BYTES = 64;
const CAPACITY = -1;

interface OpenedGraph {
  readonly codes: number;
  readonly vectors: number;
  readonly state: number;
}

export function graphStep(
  instance: KernelInstance,
  vectors: VectorSections,
  state: Uint8Array | null,
  inserts: number,
): Result<GraphStep> {
  const { kernel } = instance;
  const opened = open(instance, vectors.codes, state);
  if (!opened.ok) return opened;
  const inserted = kernel.graphInsert(opened.value.codes, opened.value.state, Math.min(inserts, opened.value.vectors));
  expectRoom(inserted);
  const bytes = instance.bytes(opened.value.state, kernel.graphStateBytes(opened.value.vectors));
  return { ok: true, value: { state: bytes, inserted, vectors: opened.value.vectors } };
}

export function graphSections(
  instance: KernelInstance,
  vectors: VectorSections,
  state: Uint8Array,
): Result<VectorSections> {
  const { kernel } = instance;
  const opened = open(instance, vectors.codes, state);
  if (!opened.ok) return opened;
  const { vectors: count, state: graph } = opened.value;
  if (kernel.graphInsertedOf(graph) !== count) return refused("graph state, which does not hold all vectors");
  const order = instance.take(count * Uint32Array.BYTES_PER_ELEMENT);
  const codes = kernel.graphArrange(opened.value.codes, graph, order);
  expectRoom(codes);
  const arranged = {
    codes: instance.bytes(codes, kernel.codesBytes(codes)),
    graph: instance.bytes(graph, kernel.graphStateBytes(count)),
  };
  const orderOfVectors = instance.u32(order, count);
  kernel.clear();
  const residuals = arrangeResiduals(instance, vectors.residuals, orderOfVectors);
  if (!residuals.ok) return residuals;
  const isFound = isWorthKeeping(instance, arranged, residuals.value, count);
  const { length } = vectors.residuals;
  return {
    ok: true,
    value: isFound ? { ...arranged, residuals: instance.bytes(residuals.value, length) } : { ...vectors, graph: null },
  };
}

/** Codes in rows, and the state, checked; an empty one for null. */
function open(instance: KernelInstance, codesBytes: Uint8Array, stateBytes: Uint8Array | null): Result<OpenedGraph> {
  const { kernel } = instance;
  const codes = placeCodes(instance, codesBytes);
  const status = kernel.graphOpen(codes, codesBytes.length);
  if (status !== 0) return refusedBy("vector codes", status);
  const vectors = kernel.codesVectors(codes);
  const bytes = kernel.graphStateBytes(vectors);
  const state = instance.take(Math.max(bytes, stateBytes?.length ?? 0));
  if (stateBytes === null) {
    kernel.graphBegin(codes, state);
  } else {
    instance.putBytes(state, stateBytes);
    const resumed = kernel.graphResume(codes, state, stateBytes.length);
    if (resumed !== 0) return refusedBy("graph state", resumed);
  }
  return { ok: true, value: { codes, vectors, state } };
}

/** With the room before them that `graphArrange` needs. */
function placeCodes(instance: KernelInstance, bytes: Uint8Array): number {
  const head = instance.take(HEAD_BYTES);
  instance.putBytes(head, bytes.subarray(0, HEAD_BYTES));
  const room = instance.kernel.graphRoomBefore(head);
  const codes = instance.take(room + bytes.length) + room;
  instance.putBytes(codes, bytes);
  return codes;
}

/** Answers where they are. */
function arrangeResiduals(instance: KernelInstance, bytes: Uint8Array, order: Uint32Array): Result<number> {
  const residuals = instance.take(Math.max(bytes.length, HEAD_BYTES));
  instance.putBytes(residuals, bytes);
  const at = instance.take(order.byteLength);
  instance.putU32(at, order);
  const status = instance.kernel.residualsArrange(residuals, bytes.length, at, order.length);
  if (status !== 0) return refusedBy("vector residuals", status);
  return { ok: true, value: residuals };
}

function isWorthKeeping(
  instance: KernelInstance,
  arranged: { readonly codes: Uint8Array; readonly graph: Uint8Array },
  residuals: number,
  vectors: number,
): boolean {
  const codes = instance.take(arranged.codes.length);
  instance.putBytes(codes, arranged.codes);
  const graph = instance.take(arranged.graph.length);
  instance.putBytes(graph, arranged.graph);
  const { graphMisses } = instance.kernel;
  const misses = graphMisses(codes, residuals, graph, GRAPH_TRIALS, GRAPH_TRIAL_NEAREST, HNSW_BEAM_DEFAULT);
  expectRoom(misses);
  const wanted = Math.min(GRAPH_TRIALS, vectors) * Math.min(GRAPH_TRIAL_NEAREST, vectors);
  return wanted - misses >= GRAPH_RECALL_MIN * wanted;
}

function refused(what: string): Result<never> {
  return { ok: false, failure: { reason: "corrupt", what } };
}

function refusedBy(what: string, status: number): Result<never> {
  expectRoom(status);
  return refused(`${what}, which ${statusText(status)}`);
}

function expectRoom(status: number): void {
  if (status === CAPACITY) throw new KernelCapacityError("a graph needs more memory than the builder may have");
}
