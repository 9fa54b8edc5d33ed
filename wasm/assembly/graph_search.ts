/**
 * Nearest neighbours by the graph: Algorithms 2 and 5 of the paper (graph_build.ts), then the exact score of all that
 * the beam holds. Ids are documents.
 *
 * A filter does not stop the traversal, which goes through every node: it decides what may leave the beam. So that as
 * many are left as without it, and some more, the beam is widened by one over the share of documents that match. Where
 * fewer are left after all, since what is near is just what does not match, the answer is not taken. Nor is a traversal
 * begun, or gone on with, that scores more nodes than a fifth of the exact scan of the matches would cost. Whoever asked
 * then scans. So a filter never loses what the search without it would find, and costs 1.2 scans at most.
 */
import { beamCount, beamNode, beamBytes, beginBeam, scored, searchLevel } from "./graph_beam";
import { beginProbes, probeBytes, probeQuery } from "./graph_probe";
import { graphEntry, graphGreatestScale, isTwin, nodeLevel } from "./graph_section";
import { hasBit } from "./bitset";
import { CAPACITY } from "./status";
import { heapCount, heapOffer, keyOf } from "./top_k";
import { queryRowBytes, rowProduct, scoreOfProduct } from "./vector_query";
import { READ_ALL_SHARE } from "./vector_scan";
import { codeRow, DIMENSIONS_MAX, documentOf, vectorCodes, vectorCount } from "./vector_section";

/** The most that may be asked for, and the most that a filter widens to. */
export const BEAM_MAX: u32 = 4096;
/** How much wider than by chance a filtered beam is. */
const WIDENING: f64 = 1.1;
/** Of a scan, what a filtered traversal may cost before it gives up: one in so many. */
const SCAN_PARTS: f64 = 5;
/**
 * To visit a node costs as much as so many bytes in a scan: for its links, for its row, which lies somewhere, and for
 * each place of the beam that it may move. A third more than was measured at 100,000 × 100 and 30,000 × 384.
 */
const VISIT_BYTES: f64 = 400;
const VISIT_ROWS: f64 = 2;
const VISIT_PLACE_BYTES: f64 = 1;
/** Nodes that are visited for each place in the beam, at most about: what is begun then comes to its end. */
const VISITS_PER_PLACE: f64 = 14;

/** Nodes the last search scored. */
export let nodesScored: u32 = 0;

export function graphSearchBytes(vectors: u32): u64 {
  return beamBytes(vectors, BEAM_MAX) + probeBytes(DIMENSIONS_MAX);
}

/**
 * Offers to the heap what a beam of `size` finds. `steps` are the vectors' (graph_probe.ts). `matches` is a bitset over
 * documents that `share` of them are in, or 0 for all. Answers 1, CAPACITY, or 0 when it gave up or found too few.
 * After beginQuery, with a fresh heap.
 */
export function searchGraph(
  codes: usize,
  residuals: usize,
  graph: usize,
  steps: usize,
  matches: usize,
  share: f64,
  size: u32,
  most: u32,
): i32 {
  const vectors = vectorCount(codes);
  let width = size;
  let nodesMax = u32.MAX_VALUE;
  if (matches != 0) {
    const wide = (<f64>size * WIDENING) / share;
    const scanBytes = min<f64>(share / READ_ALL_SHARE, 1) * <f64>vectors * <f64>queryRowBytes;
    const visitBytes = VISIT_BYTES + VISIT_ROWS * <f64>queryRowBytes + VISIT_PLACE_BYTES * wide;
    nodesMax = <u32>(scanBytes / (SCAN_PARTS * visitBytes));
    if (!(wide <= <f64>BEAM_MAX && wide * VISITS_PER_PLACE <= <f64>nodesMax)) return 0;
    width = <u32>wide;
  }
  if (!beginBeam(graph, width, nodesMax)) return CAPACITY;
  if (!beginProbes(codes, vectorCodes(codes), steps, graphGreatestScale(graph))) return CAPACITY;
  probeQuery();
  const isWhole = traverse(graph, width);
  nodesScored = scored;
  if (!isWhole) return 0;
  let left: u32 = 0;
  for (let rank: u32 = 0; rank < beamCount; rank++) {
    left += offerWithTwins(codes, residuals, graph, matches, beamNode(rank), vectors);
  }
  // A beam that is not full holds all that can be reached.
  if (beamCount == width && left < size) return 0;
  return heapCount == most ? 1 : 0;
}

/** From the entry down to level 0. False when it gave up. */
function traverse(graph: usize, width: u32): bool {
  let entry = graphEntry(graph);
  for (let level = nodeLevel(graph, entry); level > 0; level--) {
    if (!searchLevel(entry, level, 1)) return false;
    entry = beamNode(0);
  }
  return searchLevel(entry, 0, width);
}

/** Answers how many match. */
function offerWithTwins(codes: usize, residuals: usize, graph: usize, matches: usize, node: u32, vectors: u32): u32 {
  let offered: u32 = 0;
  do {
    const document = documentOf(codes, node);
    if (matches == 0 || hasBit(matches, document)) {
      const product = <f64>rowProduct(codeRow(codes, node));
      heapOffer(keyOf(scoreOfProduct(codes, residuals, node, product), document));
      offered += 1;
    }
    node += 1;
  } while (node < vectors && isTwin(graph, node));
  return offered;
}
