/**
 * From a finished state to sections: nodes in the graph's order, so that what is read together lies together, and the
 * vectors in the same order.
 *
 * The order is breadth first over level 0 from the entry; what that does not reach follows from the first that was not
 * reached. Twins stand behind their original, in document order.
 */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import {
  bindTo,
  graphEntry,
  graphStarts,
  graphUpper,
  graphUpperRows,
  graphVectors,
  GRAPH_MAGIC,
  isTwin,
  linksAt,
  NEIGHBOURS,
  NEIGHBOURS_AT_0,
  nodeLevel,
  NONE,
  sealGraph,
  setGraphEntry,
  TWIN,
} from "./graph_section";
import { permuteRows } from "./permutation";
import { CAPACITY, OK } from "./status";
import { codesToRowSection } from "./vector_section";

/** u32 a node: where it goes. */
let place: usize = 0;
/** u32 a place: the node that goes there. */
let order: usize = 0;
let placed: u32 = 0;
/** u32 a node: its first twin. The next twin stands in a twin's links, behind its original. */
let twins: usize = 0;
const ORIGINAL: usize = 4;
const NEXT_TWIN: usize = 8;

/**
 * Turns a finished state into the graph, in place, and `codes`, in rows, into the section of its vectors, which begins
 * `roomForDocuments` before it. Writes the order to `orderAt`: u32 a vector.
 */
export function arrange(codes: usize, graph: usize, orderAt: usize): i32 {
  const mark = arenaMark();
  const vectors = graphVectors(graph);
  order = orderAt;
  place = arenaTake((<u64>vectors) << 2);
  twins = arenaTake((<u64>vectors) << 2);
  if (place == 0 || twins == 0) return CAPACITY;
  findOrder(graph, vectors);
  renumber(graph, vectors);
  let status = permuteUpper(graph, vectors);
  if (status == OK) status = permuteRows(linksAt(graph, 0, 0), NEIGHBOURS_AT_0 * 4, vectors, order);
  const section = status == OK ? codesToRowSection(codes, order) : 0;
  arenaRelease(mark);
  if (section == 0) return CAPACITY;
  bindTo(graph, section);
  sealGraph(graph, GRAPH_MAGIC);
  return <i32>section;
}

@inline
function at(array: usize, index: u32): usize {
  return array + ((<usize>index) << 2);
}

// --- Order ----------------------------------------------------------------------------------

function findOrder(graph: usize, vectors: u32): void {
  memory.fill(place, 0xff, (<usize>vectors) << 2);
  chainTwins(graph, vectors);
  placed = 0;
  let expanded: u32 = 0;
  let next: u32 = 0;
  if (vectors > 0) put(graph, graphEntry(graph));
  while (placed < vectors) {
    if (expanded < placed) {
      putNeighbours(graph, load<u32>(at(order, expanded++)));
    } else {
      while (load<u32>(at(place, next)) != NONE) next++;
      put(graph, next);
    }
  }
}

function chainTwins(graph: usize, vectors: u32): void {
  memory.fill(twins, 0xff, (<usize>vectors) << 2);
  for (let node = vectors; node-- > 0; ) {
    if (!isTwin(graph, node)) continue;
    const row = linksAt(graph, node, 0);
    const original = load<u32>(row, ORIGINAL);
    if (original >= vectors) continue;
    store<u32>(row, load<u32>(at(twins, original)), NEXT_TWIN);
    store<u32>(at(twins, original), node);
  }
}

/** With its twins. */
function put(graph: usize, node: u32): void {
  putOne(node);
  for (let twin = load<u32>(at(twins, node)); twin != NONE; twin = load<u32>(linksAt(graph, twin, 0), NEXT_TWIN)) {
    if (load<u32>(at(place, twin)) == NONE) putOne(twin);
  }
}

@inline
function putOne(node: u32): void {
  store<u32>(at(place, node), placed);
  store<u32>(at(order, placed), node);
  placed += 1;
}

function putNeighbours(graph: usize, node: u32): void {
  const row = linksAt(graph, node, 0);
  for (let slot: u32 = 0; slot < NEIGHBOURS_AT_0; slot++) {
    const neighbour = load<u32>(at(row, slot));
    if (neighbour >= graphVectors(graph)) return;
    if (load<u32>(at(place, neighbour)) == NONE) put(graph, neighbour);
  }
}

// --- Links ----------------------------------------------------------------------------------

function renumber(graph: usize, vectors: u32): void {
  for (let node: u32 = 0; node < vectors; node++) {
    const row = linksAt(graph, node, 0);
    if (isTwin(graph, node)) memory.fill(row + 4, 0xff, (NEIGHBOURS_AT_0 - 1) * 4);
    else renumberRow(row, NEIGHBOURS_AT_0);
  }
  for (let row: u32 = 0; row < graphUpperRows(graph); row++) {
    renumberRow(graphUpper(graph) + <usize>row * NEIGHBOURS * 4, NEIGHBOURS);
  }
  if (vectors > 0) setGraphEntry(graph, load<u32>(at(place, graphEntry(graph))));
}

@inline
function renumberRow(row: usize, room: u32): void {
  for (let slot: u32 = 0; slot < room; slot++) {
    const neighbour = load<u32>(at(row, slot));
    if (neighbour != NONE && neighbour != TWIN) store<u32>(at(row, slot), load<u32>(at(place, neighbour)));
  }
}

function permuteUpper(graph: usize, vectors: u32): i32 {
  const startsBytes = (<usize>vectors + 1) << 2;
  const upperBytes = <usize>graphUpperRows(graph) * NEIGHBOURS * 4;
  const starts = arenaTake(startsBytes);
  const upper = arenaTake(upperBytes + 16);
  if (starts == 0 || upper == 0) return CAPACITY;
  let start: u32 = 0;
  for (let i: u32 = 0; i < vectors; i++) {
    const node = load<u32>(at(order, i));
    const level = nodeLevel(graph, node);
    store<u32>(at(starts, i), start);
    if (level > 0) memory.copy(upper + <usize>start * NEIGHBOURS * 4, linksAt(graph, node, 1), level * NEIGHBOURS * 4);
    start += level;
  }
  store<u32>(at(starts, vectors), start);
  memory.copy(graphStarts(graph), starts, startsBytes);
  memory.copy(graphUpper(graph), upper, upperBytes);
  return OK;
}
