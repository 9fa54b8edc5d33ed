/**
 * Which parts lie in which slab, so that the next search of a scope loads only what changed.
 *
 *   view       shard  shard  tail'          parts are loaded in ledger order, the tail last;
 *   in slab    shard  shard  tail           only what differs from the end on is unloaded and loaded again
 *
 * A part lies there with its vectors of the search's space, never with both kinds: a search in another space loads the
 * parts again whose vectors are others. A part is known by identity: whoever owns a view keeps its opened parts. When
 * no slab is large enough, the parts come within reach one after another (paged_parts.ts); the answer is the same.
 *
 * A large scope that has no slab is searched that way too, and comes into one when it is asked again while it still has
 * the window: most are asked once and make room for the next. Not one with graphs, which are walked in a slab only: what
 * a search finds must not depend on who was asked before.
 */
import { fail, ok, type Result } from "../errors.ts";
import type { Part, PartVectors, VectorSpace } from "../index/part.ts";
import { BY_THE_PIECE_BYTES_MIN, SECTIONS_HELD_BYTES_MAX } from "../limits.ts";
import type { KernelSlab, LoadedPart, PartSections, SlabPool, VectorSections } from "../ports.ts";
import { columnOrderOf } from "./matches.ts";
import { KeptStack, type OpenedPart, PagedParts, type SearchNeeds } from "./paged_parts.ts";
import { vectorsIn } from "./view.ts";

/** The parts of one search, each within reach of the kernel. */
export interface PartAccess {
  readonly slab: KernelSlab;
  /** All parts are in the slab at once, whole, and stay there. Else residuals and graphs are not loaded. */
  readonly resident: boolean;
  /** Parts that were not in the slab when the search began; all of them when they do not stay there. */
  readonly brought: readonly Part[];
  /** The part, loaded; all bitsets are freed. Parts opened before may be gone when not resident. */
  open(part: Part): Result<OpenedPart>;
  /** The same, for who asks no vectors. */
  openText(part: Part): Result<LoadedPart>;
  /** The search is over. */
  close(): void;
}

/** What is loaded of a part. */
interface PartInSpace {
  readonly part: Part;
  readonly vectors: PartVectors | null;
}

interface WantedPart extends PartInSpace {
  /** Its sections, when they were read already. */
  readonly read: PartSections | null;
}

interface HeldPart extends PartInSpace {
  readonly loaded: LoadedPart;
}

/** One an isolate, beside its pool. */
export class SlabResidency {
  readonly #pool: SlabPool;
  readonly #byThePieceBytesMin: number;
  readonly #held = new WeakMap<KernelSlab, HeldPart[] | KeptStack>();
  /** Bytes of each part in a slab, by its vectors: working them out looks at every code. */
  readonly #bytes = new WeakMap<Part, Map<PartVectors | null, number>>();

  constructor(pool: SlabPool, byThePieceBytesMin: number = BY_THE_PIECE_BYTES_MIN) {
    this.#pool = pool;
    this.#byThePieceBytesMin = byThePieceBytesMin;
  }

  /** Brings the parts, in ledger order, within reach. Good until it is closed, and so is every call of it. */
  access(scope: string, parts: readonly Part[], space: VectorSpace | null, needs: SearchNeeds): Result<PartAccess> {
    return this.#isFirst(scope, parts, space)
      ? ok(this.#paged(scope, parts, needs))
      : this.#wholeIfItFits(scope, parts, space, needs);
  }

  /** The same for searches to come, which find all of it that fits. */
  warm(scope: string, parts: readonly Part[], space: VectorSpace | null): Result<null> {
    const needs = { space, terms: [], restricted: false, fields: new Set<string>() };
    const access = this.#wholeIfItFits(scope, parts, space, needs);
    if (!access.ok) return access;
    access.value.close();
    return ok(null);
  }

  #wholeIfItFits(
    scope: string,
    parts: readonly Part[],
    space: VectorSpace | null,
    needs: SearchNeeds,
  ): Result<PartAccess> {
    // Of parts that are certain not to fit, nothing is read.
    const vectorBytes = parts.reduce((sum, part) => sum + (vectorsIn(part, space)?.paged.bytes ?? 0), 0);
    if (vectorBytes > this.#pool.capacityBytes) return ok(this.#paged(scope, parts, needs));
    const wanted = this.#wanted(parts, space);
    const bytes = wanted.reduce((sum, one) => sum + this.#bytesOf(one), 0);
    const lease = this.#pool.lease(scope, bytes);
    if (lease === null) return ok(this.#paged(scope, parts, needs));
    const held = this.#heldBy(lease.slab, lease.fresh);
    const loaded = replaceChanged(lease.slab, held, wanted);
    return loaded.ok ? ok(allResident(lease.slab, held, loaded.value)) : loaded;
  }

  /** Whether the scope is asked for the first time since it had a slab, and reading all of it would not pay. */
  #isFirst(scope: string, parts: readonly Part[], space: VectorSpace | null): boolean {
    if (this.#pool.isLeased(scope)) return false;
    if (parts.some((part) => vectorsIn(part, space)?.paged.hasGraph)) return false;
    return parts.reduce((sum, { bytes }) => sum + bytes, 0) >= this.#byThePieceBytesMin;
  }

  /** Sections that have to be sized are read now, as long as they are few, so that loading finds them read. */
  #wanted(parts: readonly Part[], space: VectorSpace | null): readonly WantedPart[] {
    let room = SECTIONS_HELD_BYTES_MAX;
    return parts.map((part) => {
      const vectors = vectorsIn(part, space);
      const isSized = this.#bytes.get(part)?.has(vectors) === true;
      if (!isSized) room -= part.bytes;
      return { part, vectors, read: isSized || room < 0 ? null : sectionsOf(part, vectors) };
    });
  }

  #bytesOf({ part, vectors, read }: WantedPart): number {
    const known = this.#bytes.get(part) ?? new Map<PartVectors | null, number>();
    const bytes = known.get(vectors) ?? this.#pool.sizeOf(read ?? sectionsOf(part, vectors));
    this.#bytes.set(part, known.set(vectors, bytes));
    return bytes;
  }

  #heldBy(slab: KernelSlab, fresh: boolean): HeldPart[] {
    const known = fresh ? undefined : this.#held.get(slab);
    if (Array.isArray(known)) return known;
    // Not fresh, yet not of whole parts: what it holds cannot be gone on with.
    if (!fresh) slab.clear();
    const held: HeldPart[] = [];
    this.#held.set(slab, held);
    return held;
  }

  #paged(scope: string, parts: readonly Part[], needs: SearchNeeds): PartAccess {
    const { slab, fresh } = this.#pool.window(scope);
    const known = fresh ? undefined : this.#held.get(slab);
    if (known instanceof KeptStack) {
      slab.reset();
      // Newer parts may stay: an older snapshot sees fewer.
      const last = parts.at(-1)?.to ?? 0;
      known.trim((part) => part.from > last || parts.includes(part));
      return new PagedParts(slab, known, parts, needs);
    }
    if (!fresh) slab.clear();
    const kept = new KeptStack(slab);
    this.#held.set(slab, kept);
    return new PagedParts(slab, kept, parts, needs);
  }
}

/** All of a part, with its vectors of one kind. */
export function sectionsOf(
  part: Part,
  vectors: PartVectors | null,
): PartSections & { readonly vectors: VectorSections | null } {
  return {
    documents: part.documents,
    rows: part.rows,
    rowOfDocument: part.rowOfDocument,
    // Taken once: a part may read them whenever they are asked for.
    text: { text: part.text.text, postings: part.text.postings },
    vectors: vectors && sectionsRead(vectors.sections),
    columns: columnOrderOf(part).map((name) => part.columnCodes(name) ?? new Uint32Array(part.rows)),
    rowTimes: part.rowTimes,
  };
}

function sectionsRead({ codes, residuals, graph }: VectorSections): VectorSections {
  return { codes, residuals, graph };
}

/**
 * Makes `held` begin with `wanted`, and tells what was loaded for it. What lies beyond them may stay: an older snapshot
 * sees fewer parts.
 */
function replaceChanged(slab: KernelSlab, held: HeldPart[], wanted: readonly WantedPart[]): Result<readonly Part[]> {
  slab.reset();
  let same = 0;
  while (same < wanted.length && isSame(held[same], wanted[same])) same++;
  if (same === wanted.length) return ok([]);
  for (let top = held[held.length - 1]; held.length > same && top !== undefined; top = held[held.length - 1]) {
    slab.unload(top.loaded);
    held.pop();
  }
  const missing = wanted.slice(same);
  for (const { part, vectors, read } of missing) {
    const loaded = slab.load(read ?? sectionsOf(part, vectors));
    if (!loaded.ok) return fail(loaded.failure);
    held.push({ part, vectors, loaded: loaded.value });
  }
  return ok(missing.map(({ part }) => part));
}

function isSame(held: HeldPart | undefined, wanted: WantedPart | undefined): boolean {
  return held !== undefined && held.part === wanted?.part && held.vectors === wanted.vectors;
}

function allResident(slab: KernelSlab, held: readonly HeldPart[], brought: readonly Part[]): PartAccess {
  const byPart = new Map(held.map((one) => [one.part, one]));
  const find = (part: Part): HeldPart => {
    slab.reset();
    const found = byPart.get(part);
    if (found === undefined) throw new Error("a part that was not asked for");
    return found;
  };
  return {
    slab,
    resident: true,
    brought,
    open(part) {
      const { loaded, vectors } = find(part);
      return ok({ loaded, vectors: vectors && loaded });
    },
    openText: (part) => ok(find(part).loaded),
    close: () => {},
  };
}
