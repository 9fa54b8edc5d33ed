/**
 * Building the graph: Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
 * Navigable Small World graphs" (2018), Algorithms 1, 2 and 4. Where this is otherwise:
 *
 *   1. Levels come from a hash of a seed and the node's place, not from chance: the same vectors give the same bytes.
 *   2. Nearness is that of the codes (graph_probe.ts).
 *   3. A vector that nearness does not tell from one in the graph, since codes and step are equal, becomes its twin: it
 *      is linked with nothing and found with its original. Thousands of equal vectors would else fill each other's links
 *      and be an island.
 *   4. Algorithm 4 does not extend candidates. It keeps pruned ones, best first, up to KEPT_MAX: more of them find more
 *      with the same beam, but a list that is cut to its full length is cut again with the next link.
 *   5. All levels are searched before the node is linked anywhere, so a twin leaves no link behind.
 *
 * One vector after the other, in document order. What was done so far is the state (graph_section.ts), whole between two
 * insertions: however the work is cut, the bytes are the same.
 */
import { arenaTake } from "./arena";
import { beamCount, beamNearness, beamNode, beginBeam, searchLevel } from "./graph_beam";
import { beginProbes, isEqual, measureSteps, nearness, nearnessOfFour, probeVector, stepsBytes } from "./graph_probe";
import {
  BUILD_BEAM,
  graphEntry,
  graphGreatestScale,
  graphInserted,
  graphVectors,
  isTwin,
  LEVEL_MAX,
  linksAt,
  NEIGHBOURS,
  NEIGHBOURS_AT_0,
  nodeLevel,
  NONE,
  roomAt,
  setGraphEntry,
  setGraphInserted,
  TWIN,
} from "./graph_section";
import { CAPACITY, OK } from "./status";
import { vectorCodes } from "./vector_section";

const KEPT_MAX: u32 = 24;

/** Nearness f32 · node u32, best first. */
const CANDIDATE_SHIFT: usize = 3;

let state: usize = 0;
/** Candidates of one selection. */
let candidates: usize = 0;
let candidateCount: u32 = 0;
/** Nodes chosen, u32; room for three copies of the last. */
let chosen: usize = 0;
let chosenCount: u32 = 0;
/** Candidates that were not diverse, u32, best first. */
let pruned: usize = 0;
/** Of the node being inserted: a row of u32 a level, its count before them. */
let planned: usize = 0;
const PLAN_BYTES: usize = (1 + NEIGHBOURS) * 4;

/** `codes` lies in rows, its vectors in document order. */
export function beginInsertions(codes: usize, stateAt: usize): i32 {
  state = stateAt;
  candidates = arenaTake((<u64>BUILD_BEAM + NEIGHBOURS_AT_0) << CANDIDATE_SHIFT);
  chosen = arenaTake((<u64>NEIGHBOURS_AT_0 + 4) << 2);
  pruned = arenaTake((<u64>BUILD_BEAM + NEIGHBOURS_AT_0) << 2);
  planned = arenaTake((<u64>LEVEL_MAX + 1) * PLAN_BYTES);
  if (candidates == 0 || chosen == 0 || pruned == 0 || planned == 0) return CAPACITY;
  if (!beginBeam(state, BUILD_BEAM, u32.MAX_VALUE)) return CAPACITY;
  const steps = arenaTake(stepsBytes(graphVectors(state)));
  if (steps == 0) return CAPACITY;
  measureSteps(codes, vectorCodes(codes), graphGreatestScale(state), steps);
  return beginProbes(codes, vectorCodes(codes), steps, graphGreatestScale(state)) ? OK : CAPACITY;
}

/** Inserts up to `count` vectors. Answers how many are in. */
export function insertVectors(count: u32): u32 {
  const first = graphInserted(state);
  const end = first + min(count, graphVectors(state) - first);
  for (let node = first; node < end; node++) {
    insert(node);
    setGraphInserted(state, node + 1);
  }
  return end;
}

function insert(node: u32): void {
  let entry = graphEntry(state);
  if (entry == NONE) {
    setGraphEntry(state, node);
    return;
  }
  const top = nodeLevel(state, entry);
  const own = nodeLevel(state, node);
  probeVector(node);
  for (let level = top; level > own; level--) {
    searchLevel(entry, level, 1);
    entry = beamNode(0);
  }
  for (let level = <i32>min(top, own); level >= 0; level--) {
    searchLevel(entry, level, BUILD_BEAM);
    entry = beamNode(0);
    const original = equalInBeam(node);
    if (original != NONE) {
      setTwin(node, original);
      return;
    }
    plan(level);
    probeVector(node);
  }
  for (let level = <i32>min(top, own); level >= 0; level--) link(node, level);
  if (own > top) setGraphEntry(state, node);
}

// --- Twins ----------------------------------------------------------------------------------

/** A node of the beam that equals the probe's, or NONE. Equal ones are as near as the probe is to itself. */
function equalInBeam(node: u32): u32 {
  const own = nearness(node);
  for (let rank: u32 = 0; rank < beamCount; rank++) {
    const near = beamNearness(rank);
    if (near < own) break;
    if (near == own && isEqual(node, beamNode(rank))) return beamNode(rank);
  }
  return NONE;
}

function setTwin(node: u32, original: u32): void {
  const row = linksAt(state, node, 0);
  store<u32>(row, TWIN);
  store<u32>(row, original, 4);
}

// --- Links of a new node --------------------------------------------------------------------

@inline
function planAt(level: u32): usize {
  return planned + <usize>level * PLAN_BYTES;
}

/** Chooses M of the beam for a level. */
function plan(level: u32): void {
  for (let rank: u32 = 0; rank < beamCount; rank++) setCandidate(rank, beamNearness(rank), beamNode(rank));
  candidateCount = beamCount;
  choose(NEIGHBOURS);
  store<u32>(planAt(level), chosenCount);
  memory.copy(planAt(level) + 4, chosen, (<usize>chosenCount) << 2);
}

function link(node: u32, level: u32): void {
  const count = load<u32>(planAt(level));
  memory.copy(linksAt(state, node, level), planAt(level) + 4, (<usize>count) << 2);
  for (let i: u32 = 0; i < count; i++) linkBack(load<u32>(planAt(level) + 4 + ((<usize>i) << 2)), node, level);
}

/** Adds `node` to the neighbours of `other`, and chooses anew among them when they are too many. */
function linkBack(other: u32, node: u32, level: u32): void {
  const row = linksAt(state, other, level);
  const room = roomAt(level);
  // Only in a state that was tampered with.
  if (load<u32>(row) == TWIN) return;
  for (let slot: u32 = 0; slot < room; slot++) {
    const at = row + ((<usize>slot) << 2);
    if (load<u32>(at) != NONE) continue;
    store<u32>(at, node);
    return;
  }
  probeVector(other);
  gatherCandidates(row, room, node);
  choose(room);
  memory.fill(row, 0xff, (<usize>room) << 2);
  memory.copy(row, chosen, (<usize>chosenCount) << 2);
}

/** The neighbours in a full row, and one more, in order of nearness to the probe. */
function gatherCandidates(row: usize, room: u32, node: u32): void {
  candidateCount = 0;
  for (let slot: u32 = 0; slot < room; slot += 4) {
    const at = row + ((<usize>slot) << 2);
    const near = nearnessOfFour(load<u32>(at), load<u32>(at, 4), load<u32>(at, 8), load<u32>(at, 12));
    addCandidate(f32x4.extract_lane(near, 0), load<u32>(at));
    addCandidate(f32x4.extract_lane(near, 1), load<u32>(at, 4));
    addCandidate(f32x4.extract_lane(near, 2), load<u32>(at, 8));
    addCandidate(f32x4.extract_lane(near, 3), load<u32>(at, 12));
  }
  addCandidate(nearness(node), node);
}

@inline
function setCandidate(index: u32, near: f32, node: u32): void {
  const at = candidates + ((<usize>index) << CANDIDATE_SHIFT);
  store<f32>(at, near);
  store<u32>(at, node, 4);
}

function addCandidate(near: f32, node: u32): void {
  let index = candidateCount++;
  for (; index > 0; index--) {
    const before = candidates + ((<usize>index - 1) << CANDIDATE_SHIFT);
    if (load<f32>(before) >= near) break;
    store<u64>(before, load<u64>(before), 8);
  }
  setCandidate(index, near, node);
}

// --- Diversity ------------------------------------------------------------------------------

/**
 * Algorithm 4: of the candidates, best first, each that is nearer to the base than to every one chosen before it; at
 * most `most`. Then the others. The probe is another one afterwards.
 */
function choose(most: u32): void {
  let prunedCount: u32 = 0;
  chosenCount = 0;
  for (let i: u32 = 0; i < candidateCount && chosenCount < most; i++) {
    const at = candidates + ((<usize>i) << CANDIDATE_SHIFT);
    const node = load<u32>(at, 4);
    if (isDiverse(node, load<f32>(at))) {
      chooseNode(node);
    } else {
      store<u32>(pruned + ((<usize>prunedCount) << 2), node);
      prunedCount += 1;
    }
  }
  const end = min(most, KEPT_MAX);
  for (let i: u32 = 0; i < prunedCount && chosenCount < end; i++) chooseNode(load<u32>(pruned + ((<usize>i) << 2)));
}

/** With three copies behind it, so that four may be read from anywhere. */
@inline
function chooseNode(node: u32): void {
  v128.store(chosen + ((<usize>chosenCount) << 2), i32x4.splat(node));
  chosenCount += 1;
}

@inline
function isDiverse(node: u32, toBase: f32): bool {
  if (chosenCount == 0) return true;
  probeVector(node);
  const limit = f32x4.splat(toBase);
  for (let first: u32 = 0; first < chosenCount; first += 4) {
    const at = chosen + ((<usize>first) << 2);
    const near = nearnessOfFour(load<u32>(at), load<u32>(at, 4), load<u32>(at, 8), load<u32>(at, 12));
    if (v128.any_true(f32x4.gt(near, limit))) return false;
  }
  return true;
}
