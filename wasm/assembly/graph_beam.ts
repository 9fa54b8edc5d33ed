/**
 * Beam search in one level of the graph: the best `size` nodes seen so far, best first, in one array. The best that was
 * not expanded yet is expanded next; when there is none left, the beam is the answer.
 *
 * A node is a key of eight bytes that orders as the beam does: nearness made to order as numbers, then the complement of
 * the node, then, as the lowest bit, whether it is still to be expanded.
 *
 * The neighbours of a node that were not visited are collected first, then scored four at a time: their rows are
 * fetched side by side, and memory's latency is paid once for four. Which were visited is a bitset, zeroed for every
 * search: at 100,000 nodes it stays in the nearest cache, where stamps of two bytes would not.
 */
import { arenaTake } from "./arena";
import { graphLinks, graphVectors, linksAt, NEIGHBOURS_AT_0, NONE, roomAt } from "./graph_section";
import { nearness, nearnessOfFour } from "./graph_probe";
import { bitsetBytes } from "./text_section";
import { scoreOfKey, upperHalfOf } from "./top_k";

const UNEXPANDED: u64 = 1;

let graph: usize = 0;
let nodes: u32 = 0;
let visited: usize = 0;
let visitedBytes: usize = 0;
/** Unvisited neighbours of one node, u32; room for three copies of the last. */
let found: usize = 0;
let beam: usize = 0;
let size: u32 = 0;
export let beamCount: u32 = 0;
/** Nodes scored since `beginBeam`. */
export let scored: u32 = 0;
let scoredMax: u32 = 0;

/** What `beginBeam` takes. */
export function beamBytes(vectors: u32, sizeMax: u32): u64 {
  return bitsetBytes(vectors) + 64 + (<u64>NEIGHBOURS_AT_0 + 4) * 4 + 64 + ((<u64>sizeMax) << 3) + 64;
}

/** False when there is no room. `nodesMax`: nodes that may be scored before a search gives up. */
export function beginBeam(graphAt: usize, sizeMax: u32, nodesMax: u32): bool {
  graph = graphAt;
  nodes = graphVectors(graph);
  visitedBytes = <usize>bitsetBytes(nodes);
  visited = arenaTake(visitedBytes);
  found = arenaTake((<u64>NEIGHBOURS_AT_0 + 4) << 2);
  beam = arenaTake((<u64>sizeMax) << 3);
  scored = 0;
  scoredMax = nodesMax;
  return visited != 0 && found != 0 && beam != 0;
}

@inline
function keyOf(near: f32, node: u32): u64 {
  return upperHalfOf(near) | ((<u64>~node & 0x7fffffff) << 1) | UNEXPANDED;
}

@inline
function nodeOfKey(key: u64): u32 {
  return ~(<u32>key >> 1) & 0x7fffffff;
}

@inline
function keyAt(rank: u32): u64 {
  return load<u64>(beam + ((<usize>rank) << 3));
}

/** The node of a rank, the best first. */
@inline
export function beamNode(rank: u32): u32 {
  return nodeOfKey(keyAt(rank));
}

@inline
export function beamNearness(rank: u32): f32 {
  return scoreOfKey(keyAt(rank));
}

/**
 * Searches a level from `entry`, for the nodes nearest to the probe. False when it gave up. `entry` has the level.
 */
export function searchLevel(entry: u32, level: u32, sizeWanted: u32): bool {
  memory.fill(visited, 0, visitedBytes);
  size = sizeWanted;
  visit(entry);
  store<u64>(beam, keyOf(nearness(entry), entry));
  beamCount = 1;
  scored += 1;
  for (let rank: u32 = 0; rank < beamCount; ) {
    const key = keyAt(rank);
    if ((key & UNEXPANDED) == 0) {
      rank += 1;
      continue;
    }
    store<u64>(beam + ((<usize>rank) << 3), key & ~UNEXPANDED);
    const count = collect(linksAt(graph, nodeOfKey(key), level), roomAt(level));
    rank = min(rank + 1, scoreFound(count));
    if (scored > scoredMax) return false;
  }
  return true;
}

/** True the first time. */
@inline
function visit(node: u32): bool {
  const at = visited + (node >> 3);
  const byte = <u32>load<u8>(at);
  const bit: u32 = 1 << (node & 7);
  store<u8>(at, byte | bit);
  return (byte & bit) == 0;
}

/** Lists the neighbours that were not visited. */
@inline
function collect(row: usize, room: u32): u32 {
  let count: u32 = 0;
  for (const end = row + ((<usize>room) << 2); row < end; row += 4) {
    const node = load<u32>(row);
    if (node >= nodes) break;
    store<u32>(found + ((<usize>count) << 2), node);
    count += visit(node) ? 1 : 0;
  }
  return count;
}

/** Answers the best rank that one of them took, or NONE. */
@inline
function scoreFound(count: u32): u32 {
  if (count == 0) return NONE;
  scored += count;
  const last = load<u32>(found + ((<usize>count - 1) << 2));
  for (let i: u32 = 0; i < 3; i++) store<u32>(found + ((<usize>(count + i)) << 2), last);
  let best = NONE;
  for (let first: u32 = 0; first < count; first += 4) {
    const at = found + ((<usize>first) << 2);
    const near = nearnessOfFour(load<u32>(at), load<u32>(at, 4), load<u32>(at, 8), load<u32>(at, 12));
    const worst: f32 = beamCount < size ? -f32.MAX_VALUE : scoreOfKey(keyAt(beamCount - 1));
    let passing = i32x4.bitmask(f32x4.ge(near, f32x4.splat(worst)));
    if (count - first < 4) passing &= (1 << (count - first)) - 1;
    if (passing == 0) continue;
    if (passing & 1) best = min(best, insert(keyOf(f32x4.extract_lane(near, 0), load<u32>(at))));
    if (passing & 2) best = min(best, insert(keyOf(f32x4.extract_lane(near, 1), load<u32>(at, 4))));
    if (passing & 4) best = min(best, insert(keyOf(f32x4.extract_lane(near, 2), load<u32>(at, 8))));
    if (passing & 8) best = min(best, insert(keyOf(f32x4.extract_lane(near, 3), load<u32>(at, 12))));
  }
  return best;
}

/** Answers its rank, or NONE when it is not among the best. */
function insert(key: u64): u32 {
  let low: u32 = 0;
  let high = beamCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyAt(middle) > key) low = middle + 1;
    else high = middle;
  }
  if (low == size) return NONE;
  if (beamCount < size) beamCount += 1;
  const at = beam + ((<usize>low) << 3);
  shift(at, beam + ((<usize>beamCount - 1) << 3));
  store<u64>(at, key);
  return low;
}

/** Moves the keys from `from` up to `end` one place back; the one at `end` goes. */
@inline
function shift(from: usize, end: usize): void {
  let at = end;
  for (; at >= from + 16; at -= 16) v128.store(at - 8, v128.load(at - 16));
  if (at > from) store<u64>(at, load<u64>(at - 8));
}
