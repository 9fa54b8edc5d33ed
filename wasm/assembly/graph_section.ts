/**
 * The graph over a part's vectors, as it is searched (`graph`) and while it is made (`graph state`): one layout, two
 * magics. Nodes are vectors of a `codes` section: of one in rows in the graph's order; of a state, of one in blocks, in
 * the order of documents.
 *
 *   head     24 vectors u32 · 28 M u32 · 32 efConstruction u32 · 36 seed u32 · 40 entry node u32, or NONE · 44 nodes
 *            inserted u32 · 48 rows of the upper levels u32 · 52 greatest scale of the codes f32 · 56 their
 *            checksum u64
 *   starts   u32 a node, and one more: its first row of the upper levels. A node of level l has l of them
 *   upper    M u32 a row: neighbours at level 1, 2, … of a node
 *   links    2M u32 a node: neighbours at level 0
 *
 * `starts` is padded to 64 bytes, the section to 16. A row's neighbours come first; NONE fills it up. A node whose
 * links begin with TWIN is equal in codes and step (graph_probe.ts) to one that is linked, its original, and no link
 * leads to it: in a state its original stands behind the mark; in a graph, twins follow their original.
 */
import { aligned } from "./arena";
import { checkSection, padded16, sealSection } from "./section";
import { BAD_LENGTH, BAD_ORDER, BAD_VALUE, OK } from "./status";
import { greatestScaleOf } from "./vector_section";

export const GRAPH_MAGIC: u32 = 0x47565043; // CPVG
export const STATE_MAGIC: u32 = 0x53475043; // CPGS
const HEAD_BYTES: u32 = 64;
const CHECKSUM: usize = 16;

/** M of the paper: neighbours a level; twice as many at level 0. */
export const NEIGHBOURS: u32 = 16;
export const NEIGHBOURS_AT_0: u32 = 32;
/** Levels thin out by M: so many bits of a hash a level. */
const LEVEL_BITS: u64 = 4;
export const LEVEL_MAX: u32 = 15;
/** efConstruction of the paper. */
export const BUILD_BEAM: u32 = 200;
const SEED: u32 = 1;

export const NONE: u32 = 0xffffffff;
export const TWIN: u32 = 0xfffffffe;
/** Nodes stay below what a beam's key has room for (graph_beam.ts). */
const NODES_MAX: u32 = 0x7fffffff;

const UPPER_SHIFT: usize = 6;
const LINKS_SHIFT: usize = 7;
const LINKS_BYTES: usize = 128;

const VECTORS: usize = 24;
const PARAMETER_NEIGHBOURS: usize = 28;
const PARAMETER_BEAM: usize = 32;
const PARAMETER_SEED: usize = 36;
const ENTRY: usize = 40;
const INSERTED: usize = 44;
const UPPER_ROWS: usize = 48;
const GREATEST_SCALE: usize = 52;
const CODES_CHECKSUM: usize = 56;

@inline
export function graphVectors(graph: usize): u32 {
  return load<u32>(graph, VECTORS);
}

@inline
export function graphEntry(graph: usize): u32 {
  return load<u32>(graph, ENTRY);
}

@inline
export function setGraphEntry(graph: usize, node: u32): void {
  store<u32>(graph, node, ENTRY);
}

@inline
export function graphInserted(graph: usize): u32 {
  return load<u32>(graph, INSERTED);
}

@inline
export function setGraphInserted(graph: usize, nodes: u32): void {
  store<u32>(graph, nodes, INSERTED);
}

/** No number stands here that is not finite and at least 0. */
@inline
export function graphGreatestScale(graph: usize): f32 {
  return load<f32>(graph, GREATEST_SCALE);
}

@inline
export function graphUpperRows(graph: usize): u32 {
  return load<u32>(graph, UPPER_ROWS);
}

@inline
export function graphStarts(graph: usize): usize {
  return graph + HEAD_BYTES;
}

@inline
export function graphUpper(graph: usize): usize {
  return graphStarts(graph) + <usize>aligned((<u64>graphVectors(graph) + 1) << 2);
}

@inline
export function graphLinks(graph: usize): usize {
  return graphUpper(graph) + ((<usize>graphUpperRows(graph)) << UPPER_SHIFT);
}

@inline
function startOf(graph: usize, node: u32): u32 {
  return load<u32>(graphStarts(graph) + ((<usize>node) << 2));
}

@inline
export function nodeLevel(graph: usize, node: u32): u32 {
  return startOf(graph, node + 1) - startOf(graph, node);
}

/** The row of a node at a level that it has. */
export function linksAt(graph: usize, node: u32, level: u32): usize {
  if (level == 0) return graphLinks(graph) + ((<usize>node) << LINKS_SHIFT);
  return graphUpper(graph) + ((<usize>(startOf(graph, node) + level - 1)) << UPPER_SHIFT);
}

@inline
export function roomAt(level: u32): u32 {
  return level == 0 ? NEIGHBOURS_AT_0 : NEIGHBOURS;
}

@inline
export function isTwin(graph: usize, node: u32): bool {
  return load<u32>(linksAt(graph, node, 0)) == TWIN;
}

// --- Levels ---------------------------------------------------------------------------------

/** P(level ≥ l) = M^-l, from a hash of the seed and the node's place in document order. */
export function seededLevel(node: u32): u32 {
  let hash = (((<u64>SEED) << 32) | <u64>node) + 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return min<u32>(<u32>(clz<u64>(hash ^ (hash >> 31)) / LEVEL_BITS), LEVEL_MAX);
}

function seededRows(vectors: u32): u32 {
  let rows: u32 = 0;
  for (let node: u32 = 0; node < vectors; node++) rows += seededLevel(node);
  return rows;
}

// --- Writing --------------------------------------------------------------------------------

function bytesOf(vectors: u32, upperRows: u32): u64 {
  const starts = aligned((<u64>vectors + 1) << 2);
  return padded16(HEAD_BYTES + starts + ((<u64>upperRows) << UPPER_SHIFT) + ((<u64>vectors) << LINKS_SHIFT));
}

/** Of a graph over so many vectors, or of its state. */
export function graphBytes(vectors: u32): u64 {
  return bytesOf(vectors, seededRows(vectors));
}

/** Writes a state without a node to `state`, which has room for `graphBytes`. */
export function beginState(state: usize, codes: usize, vectors: u32): void {
  const upperRows = seededRows(vectors);
  memory.fill(state, 0xff, <usize>bytesOf(vectors, upperRows));
  memory.fill(state, 0, HEAD_BYTES);
  store<u32>(state, vectors, VECTORS);
  store<u32>(state, NEIGHBOURS, PARAMETER_NEIGHBOURS);
  store<u32>(state, BUILD_BEAM, PARAMETER_BEAM);
  store<u32>(state, SEED, PARAMETER_SEED);
  store<u32>(state, NONE, ENTRY);
  store<u32>(state, upperRows, UPPER_ROWS);
  let start: u32 = 0;
  for (let node: u32 = 0; node <= vectors; node++) {
    store<u32>(graphStarts(state) + ((<usize>node) << 2), start);
    if (node < vectors) start += seededLevel(node);
  }
  store<f32>(state, greatestScaleOf(codes), GREATEST_SCALE);
  bindTo(state, codes);
}

/** The graph belongs to these codes, and to no others. */
export function bindTo(graph: usize, codes: usize): void {
  store<u64>(graph, load<u64>(codes, CHECKSUM), CODES_CHECKSUM);
}

/** Answers the bytes of the section. */
export function sealGraph(graph: usize, magic: u32): u32 {
  const bytes = <u32>bytesOf(graphVectors(graph), graphUpperRows(graph));
  sealSection(graph, bytes, magic);
  return bytes;
}

// --- Checks ---------------------------------------------------------------------------------

/** `codes` was checked and has `vectors`. What passes can be traversed without leaving its bounds. */
export function checkGraph(graph: usize, bytes: u32, codes: usize, vectors: u32, magic: u32): i32 {
  const status = checkSection(graph, bytes, magic, HEAD_BYTES);
  if (status != OK) return status;
  if (graphVectors(graph) != vectors || vectors > NODES_MAX) return BAD_LENGTH;
  if (bytesOf(vectors, graphUpperRows(graph)) != bytes) return BAD_LENGTH;
  if (load<u64>(graph, CODES_CHECKSUM) != load<u64>(codes, CHECKSUM)) return BAD_VALUE;
  if (load<u32>(graph, PARAMETER_NEIGHBOURS) != NEIGHBOURS) return BAD_VALUE;
  if (!(graphGreatestScale(graph) >= 0 && graphGreatestScale(graph) <= f32.MAX_VALUE)) return BAD_VALUE;
  const inserted = graphInserted(graph);
  if (inserted > vectors || (magic == GRAPH_MAGIC && inserted != vectors)) return BAD_LENGTH;
  if (inserted == 0 ? graphEntry(graph) != NONE : graphEntry(graph) >= inserted) return BAD_VALUE;
  const order = checkStarts(graph);
  if (order != OK) return order;
  return checkLinks(graph) && checkUpper(graph) ? OK : BAD_VALUE;
}

/** A state's levels are those of its seed: a graph that goes on otherwise would be another graph. */
export function checkState(state: usize, bytes: u32, codes: usize, vectors: u32): i32 {
  const status = checkGraph(state, bytes, codes, vectors, STATE_MAGIC);
  if (status != OK) return status;
  if (load<u32>(state, PARAMETER_BEAM) != BUILD_BEAM || load<u32>(state, PARAMETER_SEED) != SEED) return BAD_VALUE;
  for (let node: u32 = 0; node < vectors; node++) if (nodeLevel(state, node) != seededLevel(node)) return BAD_VALUE;
  return OK;
}

function checkStarts(graph: usize): i32 {
  const vectors = graphVectors(graph);
  if (startOf(graph, 0) != 0 || startOf(graph, vectors) != graphUpperRows(graph)) return BAD_LENGTH;
  for (let node: u32 = 0; node < vectors; node++) {
    const start = startOf(graph, node);
    const end = startOf(graph, node + 1);
    if (end < start || end - start > LEVEL_MAX) return BAD_ORDER;
  }
  return OK;
}

/** Every link leads to a node that was inserted, or to none; TWIN stands at the front or nowhere. */
function checkLinks(graph: usize): bool {
  const inserted = i32x4.splat(graphInserted(graph));
  const none = i32x4.splat(NONE);
  const front = i32x4(TWIN, NONE, NONE, NONE);
  const from = graphLinks(graph);
  let good = i32x4.splat(-1);
  for (let row = from, end = from + ((<usize>graphVectors(graph)) << LINKS_SHIFT); row < end; row += LINKS_BYTES) {
    for (let at = row; at < row + LINKS_BYTES; at += 16) {
      const links = v128.load(at);
      const known = v128.or(i32x4.lt_u(links, inserted), i32x4.eq(links, none));
      good = v128.and(good, at == row ? v128.or(known, i32x4.eq(links, front)) : known);
    }
  }
  return i32x4.all_true(good);
}

/** Every neighbour at a level has that level. */
function checkUpper(graph: usize): bool {
  const inserted = graphInserted(graph);
  for (let node: u32 = 0; node < graphVectors(graph); node++) {
    for (let level: u32 = 1, top = nodeLevel(graph, node); level <= top; level++) {
      const row = linksAt(graph, node, level);
      for (let slot: usize = 0; slot < NEIGHBOURS; slot++) {
        const neighbour = load<u32>(row + (slot << 2));
        if (neighbour == NONE) continue;
        if (neighbour >= inserted || nodeLevel(graph, neighbour) < level) return false;
      }
    }
  }
  return true;
}
