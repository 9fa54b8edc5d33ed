/**
 * What a graph does not find. Vectors of its own are asked for their nearest, by the graph and by the scan, and the
 * misses are counted: where all codes are nearly the same, where rounding hides what lies between neighbours, and where
 * links do not lead to everything, no formula over codes says so as surely as the search itself.
 *
 * The questions are stored vectors, evenly chosen by the graph's order. Counts are integers: the same sections give the
 * same verdict everywhere.
 */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import { measureSteps, stepsBytes } from "./graph_probe";
import { searchGraph } from "./graph_search";
import { graphGreatestScale } from "./graph_section";
import { CAPACITY } from "./status";
import { heapBegin, heapEnd, keyOf } from "./top_k";
import { CODE_STEP, METRIC_L2, PLANE_OFFSET } from "./vector_codec";
import { beginQuery } from "./vector_query";
import { scan, scanBytes } from "./vector_scan";
import {
  codeRow,
  residualRow,
  vectorCodes,
  vectorCount,
  vectorDimensions,
  vectorMetric,
  vectorScales,
} from "./vector_section";

let codes: usize = 0;
let residuals: usize = 0;
let graph: usize = 0;
let steps: usize = 0;
let nearest: u32 = 0;
/** f32: the vector that is asked for. */
let question: usize = 0;
let exact: usize = 0;
let found: usize = 0;

/**
 * Asks `questions` vectors, or all if there are fewer, for their `nearestMax` nearest, with a beam of `beam`, and
 * answers how many the graph missed, or CAPACITY. The sections are whole, in the graph's order.
 */
export function countMisses(
  codesAt: usize,
  residualsAt: usize,
  graphAt: usize,
  questions: u32,
  nearestMax: u32,
  beam: u32,
): i32 {
  const vectors = vectorCount(codesAt);
  const asked = min(questions, vectors);
  codes = codesAt;
  residuals = residualsAt;
  graph = graphAt;
  nearest = min(nearestMax, vectors);
  steps = arenaTake(stepsBytes(vectors));
  question = arenaTake((<u64>vectorDimensions(codes)) << 2);
  exact = arenaTake((<u64>nearest) << 3);
  found = arenaTake((<u64>nearest) << 3);
  if (steps == 0 || question == 0 || exact == 0 || found == 0) return CAPACITY;
  measureSteps(codes, vectorCodes(codes), graphGreatestScale(graph), steps);
  let misses: i32 = 0;
  for (let i: u32 = 0; i < asked; i++) {
    const mark = arenaMark();
    const missed = missesOf(<u32>((<u64>i * <u64>vectors) / <u64>asked), beam);
    arenaRelease(mark);
    if (missed < 0) return missed;
    misses += missed;
  }
  return misses;
}

function missesOf(index: u32, beam: u32): i32 {
  askFor(index);
  const room = arenaTake(scanBytes(vectorCount(codes)));
  const chosen = arenaTake((<u64>nearest) << 3);
  if (room == 0 || chosen == 0 || !beginQuery(codes, question)) return CAPACITY;
  scan(codes, residuals, 0, 0, room, chosen, nearest, exact);
  heapEnd();
  heapBegin(found, nearest);
  const status = searchGraph(codes, residuals, graph, steps, 0, 1, beam, nearest);
  if (status < 0) return status;
  return <i32>(nearest - sharedHits(heapEnd()));
}

/** Writes the vector that is stored, or one of its direction where only that counts. */
function askFor(index: u32): void {
  const row = codeRow(codes, index);
  const residual = residualRow(residuals, index);
  const scale: f64 =
    vectorMetric(codes) == METRIC_L2 ? <f64>load<f32>(vectorScales(codes) + ((<usize>index) << 2)) : 1;
  for (let i: usize = 0; i < <usize>vectorDimensions(codes); i++) {
    const code = <i32>load<u8>(row + i) - PLANE_OFFSET;
    const q = code * CODE_STEP + <i32>load<u8>(residual + i) - PLANE_OFFSET;
    const value = max<f64>(min<f64>(<f64>q * scale, <f64>f32.MAX_VALUE), -(<f64>f32.MAX_VALUE));
    store<f32>(question + (i << 2), <f32>value);
  }
}

/** Of two lists of hits in order. */
function sharedHits(foundCount: u32): u32 {
  let shared: u32 = 0;
  let next: u32 = 0;
  for (let i: u32 = 0; i < nearest && next < foundCount; i++) {
    const key = keyAt(exact, i);
    while (next < foundCount && keyAt(found, next) > key) next++;
    if (next < foundCount && keyAt(found, next) == key) shared++;
  }
  return shared;
}

@inline
function keyAt(hits: usize, index: u32): u64 {
  const at = hits + ((<usize>index) << 3);
  return keyOf(load<f32>(at, 4), load<u32>(at));
}
