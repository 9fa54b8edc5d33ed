/**
 * The parts of a scope that no slab can hold, within reach of the kernel one after another. Of each is loaded what the
 * search needs of it:
 *
 *   text      the asked terms' excerpt of dictionary and postings (`KernelSlab.excerptOf`)
 *   rows      columns and times, where a restriction tells rows apart
 *   vectors   codes; residuals are read of the few that may be among the best (paged_vectors.ts)
 *
 *   slab   codes │ codes │ codes │ … │ codes of the part at hand │ its text and rows │
 *          └── stay for the next search ──┘
 *
 * As many codes stay as leave room for the largest part. Parts never change, so what stays is right as long as the part
 * is in the view.
 */
import { ok, type Result } from "../errors.ts";
import type { Part, PartVectors, VectorSpace } from "../index/part.ts";
import { PAGED_TEXT_BYTES } from "../limits.ts";
import type { AskedTerm, KernelSlab, LoadedPart, PartSections, SearchedText } from "../ports.ts";
import { columnOrderOf } from "./matches.ts";
import { vectorsIn } from "./view.ts";

/** What a search will ask of its parts. */
export interface SearchNeeds {
  /** null when no vectors are compared. */
  readonly space: VectorSpace | null;
  readonly terms: readonly AskedTerm[];
  /** Whether columns or times are asked. */
  readonly restricted: boolean;
  /** The fields that a filter asks. */
  readonly fields: ReadonlySet<string>;
}

/** One part within reach. */
export interface OpenedPart {
  /** Its rows, and its text when terms are asked. */
  readonly loaded: LoadedPart;
  /** Its vectors, perhaps in another loading of it; null when it has none of the space. */
  readonly vectors: LoadedPart | null;
}

/** Codes that stay in a slab. */
interface KeptCodes {
  readonly part: Part;
  readonly vectors: PartVectors;
  readonly loaded: LoadedPart;
}

/** Columns, times and the row of each document take no more for a row or document. */
const ROW_BYTES = 48;

/** Codes that stay in a slab, in the order they were loaded. */
export class KeptStack {
  readonly #slab: KernelSlab;
  readonly #kept: KeptCodes[] = [];

  constructor(slab: KernelSlab) {
    this.#slab = slab;
  }

  find(part: Part, vectors: PartVectors): LoadedPart | null {
    return this.#kept.find((one) => one.part === part && one.vectors === vectors)?.loaded ?? null;
  }

  push(kept: KeptCodes): void {
    this.#kept.push(kept);
  }

  /** False when there was none. Nothing else may be loaded above. */
  pop(): boolean {
    const top = this.#kept.pop();
    if (top !== undefined) this.#slab.unload(top.loaded);
    return top !== undefined;
  }

  /** Unloads from the top on what `stays` does not say of all below. */
  trim(stays: (part: Part) => boolean): void {
    const first = this.#kept.findIndex(({ part }) => !stays(part));
    for (let count = this.#kept.length; first >= 0 && count > first; count--) this.pop();
  }
}

export class PagedParts {
  readonly slab: KernelSlab;
  readonly resident = false;
  readonly brought: readonly Part[];
  readonly #kept: KeptStack;
  readonly #needs: SearchNeeds;
  /** Bytes that stay free for the part at hand. */
  readonly #reserve: number;
  readonly #excerpts = new Map<Part, SearchedText>();
  /** Loaded above what stays, in order. */
  #above: LoadedPart[] = [];
  #current: { readonly part: Part; readonly withVectors: boolean; readonly opened: OpenedPart } | null = null;

  /** `parts`: all that the search may open. Nothing is loaded above what stays. */
  constructor(slab: KernelSlab, kept: KeptStack, parts: readonly Part[], needs: SearchNeeds) {
    this.slab = slab;
    this.brought = parts;
    this.#kept = kept;
    this.#needs = needs;
    this.#reserve = parts.reduce((most, part) => Math.max(most, largestOf(part, needs)), 0) + PAGED_TEXT_BYTES;
  }

  /** The part with its vectors, and what a restriction asks of it; all bitsets are freed, and parts opened before may be gone. */
  open(part: Part): Result<OpenedPart> {
    return this.#open(part, true);
  }

  /** The same with nothing but its text. */
  openText(part: Part): Result<LoadedPart> {
    const opened = this.#open(part, false);
    return opened.ok ? ok(opened.value.loaded) : opened;
  }

  /** What was opened is gone; what stays, stays. */
  close(): void {
    for (const loaded of this.#above.toReversed()) this.slab.unload(loaded);
    this.#above = [];
    this.#current = null;
  }

  #open(part: Part, withVectors: boolean): Result<OpenedPart> {
    this.slab.reset();
    if (this.#current?.part === part && this.#current.withVectors === withVectors) return ok(this.#current.opened);
    for (;;) {
      this.close();
      const opened = this.#load(part, withVectors);
      if (opened.ok) this.#current = { part, withVectors, opened: opened.value };
      if (opened.ok || opened.failure.reason !== "too_large") return opened;
      this.close();
      if (!this.#kept.pop()) return opened;
    }
  }

  #load(part: Part, withVectors: boolean): Result<OpenedPart> {
    const vectors = withVectors ? this.#vectorsOf(part) : ok(null);
    if (!vectors.ok) return vectors;
    const { terms, restricted } = this.#needs;
    if (vectors.value !== null && terms.length === 0 && !restricted)
      return ok({ loaded: vectors.value, vectors: vectors.value });
    const loaded = this.#push(this.#rowSections(part, withVectors && restricted));
    return loaded.ok ? ok({ loaded: loaded.value, vectors: vectors.value }) : loaded;
  }

  /** null when the part has none. */
  #vectorsOf(part: Part): Result<LoadedPart | null> {
    const vectors = vectorsIn(part, this.#needs.space);
    if (vectors === null) return ok(null);
    const known = this.#kept.find(part, vectors);
    if (known !== null) return ok(known);
    const loaded = this.slab.load(codesOf(part, vectors));
    if (!loaded.ok) return loaded;
    if (this.slab.freeBytes() >= this.#reserve) this.#kept.push({ part, vectors, loaded: loaded.value });
    else this.#above.push(loaded.value);
    return loaded;
  }

  #push(sections: PartSections): Result<LoadedPart> {
    const loaded = this.slab.load(sections);
    if (loaded.ok) this.#above.push(loaded.value);
    return loaded;
  }

  #rowSections(part: Part, restricted: boolean): PartSections {
    const { terms, fields } = this.#needs;
    // Columns keep their places; those that nobody asks hold nothing.
    const unasked = new Uint32Array(restricted ? part.rows : 0);
    const codesIn = (name: string) => (fields.has(name) ? part.columnCodes(name) : undefined) ?? unasked;
    const columns = restricted ? columnOrderOf(part).map(codesIn) : [];
    return {
      ...shapeOf(part),
      text: terms.length === 0 ? null : this.#excerptOf(part),
      vectors: null,
      columns,
      rowTimes: restricted ? part.rowTimes : null,
    };
  }

  #excerptOf(part: Part): SearchedText {
    const excerpt = this.#excerpts.get(part) ?? this.slab.excerptOf(part.text, this.#needs.terms);
    this.#excerpts.set(part, excerpt);
    return excerpt;
  }
}

function largestOf(part: Part, { space }: SearchNeeds): number {
  return (vectorsIn(part, space)?.paged.codesBytes ?? 0) + ROW_BYTES * (part.rows + part.documents);
}

function codesOf(part: Part, vectors: PartVectors): PartSections {
  const codes = { codes: vectors.paged.codes(), residuals: null, graph: null };
  return { ...shapeOf(part), text: null, vectors: codes, columns: [], rowTimes: null };
}

function shapeOf(part: Part): Pick<PartSections, "documents" | "rows" | "rowOfDocument"> {
  const { documents, rows } = part;
  return { documents, rows, rowOfDocument: part.hasOneDocumentARow ? null : part.rowOfDocument };
}
