/**
 * The parts in a slab: a stack, loaded and unloaded at its top.
 *
 *   memory   tables │ part │ part │ …            free            │ scratch of the call that runs
 *
 * SCRATCH_BYTES and the scratch of the largest part are never given to parts, so a search within the named limits
 * always has room.
 */
import type { Failure, Result } from "../core/errors.ts";
import { FUSION_KEYS_MAX } from "../core/limits.ts";
import type { LoadedPart, LoadedVectors, PartSections } from "../core/ports.ts";
import { bitsetBytes } from "./bitset_bytes.ts";
import { type KernelInstance, statusText } from "./kernel_instance.ts";
import { piecesSection } from "./postings_pieces.ts";

/** Slots of the table of a fusion of so many keys: a power of two, a fifth of it free. */
export function fusionSlots(keys: number): number {
  return 2 ** Math.ceil(Math.log2(1.25 * (keys + 1)));
}

/**
 * Scratch that depends on no part: the legs of a fusion, keys of 4 bytes, entries of 16 and slots of 2. The terms or
 * vector of a query, the cursors of its terms and the keys of its answer take less.
 */
const SCRATCH_BYTES = FUSION_KEYS_MAX * (4 + 16) + fusionSlots(FUSION_KEYS_MAX) * 2 + 8 * 1024;
/** What aligning each block of a part's scratch may add. */
const SCRATCH_SLACK_BYTES = 1024;
/** Bitsets in the kernel at once: two operands and a result. */
const BITSETS = 3;
const BLOCK_BYTES = 64;
/** As wasm/assembly/parts.ts counts them; behind the last, what is no section. */
const SECTION_NAMES = [
  "text section",
  "vector codes",
  "vector residuals",
  "postings section",
  "vector graph",
  "pieces of postings",
  "rows",
] as const;
/** In the head of a text section: bytes of a question length, 0 when there are no questions (text_section.ts). */
const QUESTION_LENGTH_BYTES_AT = 61;
/** In the head of vector codes: how they lie, and as what those lie that a graph visits (vector_section.ts). */
const CODES_LAYOUT_AT = 40;
const LAYOUT_ROWS = 1;

export interface HeldPart {
  readonly part: LoadedPart;
  readonly documents: number;
  readonly rows: number;
  /** Document i is of row i: a bitset over rows is one over documents. */
  readonly hasOneDocumentARow: boolean;
  readonly vectors: number;
  readonly hasResiduals: boolean;
  readonly hasGraph: boolean;
  readonly hasText: boolean;
  readonly hasTimes: boolean;
  /** 0 when the part has no vectors. */
  readonly dimensions: number;
  readonly metric: number;
  /** Of each column, one more than its greatest code. */
  readonly codeCounts: readonly number[];
  readonly scratchBytes: number;
}

export interface SlabParts {
  readonly capacityBytes: number;
  sizeOf(sections: PartSections): number;
  freeBytes(): number;
  load(sections: PartSections): Result<LoadedPart>;
  unload(part: LoadedPart): void;
  clear(): void;
  /** Throws when the part is not loaded. */
  held(part: LoadedPart): HeldPart;
}

export function createSlabParts(instance: KernelInstance): SlabParts {
  const { kernel } = instance;
  const capacityBytes = kernel.free() - SCRATCH_BYTES;
  let parts: HeldPart[] = [];
  const scratchBytes = (): number => parts.reduce((most, part) => Math.max(most, part.scratchBytes), 0);
  const freeBytes = (): number => Math.max(0, kernel.free() - SCRATCH_BYTES - scratchBytes());
  return {
    capacityBytes,
    freeBytes,
    sizeOf: (sections) => planOf(instance, sections).bytes,
    load(sections) {
      const plan = planOf(instance, sections);
      const free = freeBytes();
      if (plan.bytes > free)
        return refused({ reason: "too_large", what: "a part", size: plan.bytes, max: free, unit: "bytes" });
      if (!hasAgreeingLengths(sections))
        return refused({ reason: "corrupt", what: "rows, whose lengths do not agree" });
      if (!isSearchable(sections.vectors, plan.isInRows === 1))
        return refused({ reason: "corrupt", what: "vector codes, which lie otherwise than their graph asks" });
      const part = copyIn(instance, sections, plan);
      const status = kernel.partCheck(part);
      if (status !== 0) {
        kernel.partDrop(part);
        return refused({
          reason: "corrupt",
          what: `${SECTION_NAMES[kernel.partFault()]}, which ${statusText(status)}`,
        });
      }
      parts = [...parts, describe(instance, part, sections, plan)];
      return { ok: true, value: part };
    },
    unload(part) {
      if (parts.at(-1)?.part !== part) throw new Error("only the part loaded last can be unloaded");
      kernel.partDrop(part);
      parts = parts.slice(0, -1);
    },
    clear() {
      kernel.clear();
      parts = [];
    },
    held(part) {
      const found = parts.find((candidate) => candidate.part === part);
      if (found === undefined) throw new Error("a part that is not loaded");
      return found;
    },
  };
}

function refused(failure: Failure): Result<LoadedPart> {
  return { ok: false, failure };
}

// --- Layout ---------------------------------------------------------------------------------

interface PartPlan {
  readonly codeCounts: readonly number[];
  readonly widths: readonly number[];
  readonly columnBytes: number;
  readonly sectionBytes: number;
  /** 1 or 0, as the kernel takes them: whether vectors lie as a graph visits them. */
  readonly isInRows: number;
  /** 1 or 0. What the section says is proved when it is loaded. */
  readonly hasQuestions: number;
  readonly scratchBytes: number;
  /** Of the part and its scratch. */
  readonly bytes: number;
}

function planOf(instance: KernelInstance, sections: PartSections): PartPlan {
  const { documents, rows, columns } = sections;
  const codeCounts = columns.map((codes) => greatestOf(codes) + 1);
  const widths = codeCounts.map((count) => (count <= 1 << 8 ? 1 : count <= 1 << 16 ? 2 : 4));
  const columnBytes = widths.reduce((sum, width) => sum + Math.ceil((rows * width) / 16) * 16, 0);
  const codesBytes = codeCounts.reduce((most, count) => Math.max(most, count), 0);
  const bitsBytes = BITSETS * bitsetBytes(Math.max(documents, rows));
  const isInRows = layoutOf(sections.vectors) === LAYOUT_ROWS ? 1 : 0;
  const searchBytes = instance.kernel.searchScratch(documents, isInRows);
  const scratchBytes = Math.max(searchBytes, codesBytes) + bitsBytes + SCRATCH_SLACK_BYTES;
  const sectionBytes = kernelSections(sections).reduce(
    (sum, bytes, section) => sum + instance.kernel.partSectionBytes(section, lengthOf(bytes)),
    0,
  );
  const hasQuestions = (sections.text?.text[QUESTION_LENGTH_BYTES_AT] ?? 0) === 0 ? 0 : 1;
  const partBytes = instance.kernel.partSize(
    documents,
    rows,
    columns.length,
    columnBytes,
    sectionBytes,
    isInRows,
    hasQuestions,
  );
  const bytes = partBytes + BLOCK_BYTES + scratchBytes;
  return { codeCounts, widths, columnBytes, sectionBytes, isInRows, hasQuestions, scratchBytes, bytes };
}

function layoutOf(vectors: LoadedVectors | null): number {
  if (vectors === null) return 0;
  const head = vectors.codes instanceof Uint8Array ? vectors.codes : vectors.codes[0];
  return head?.[CODES_LAYOUT_AT] ?? 0;
}

/** Vectors lie in rows with their graph, and in blocks without; those whose residuals are paged lie as they may. */
function isSearchable(vectors: LoadedVectors | null, isInRows: boolean): boolean {
  if (vectors === null) return true;
  return vectors.residuals === null ? vectors.graph === null : (vectors.graph !== null) === isInRows;
}

/** A plain loop: it runs over every row of every column whenever a part is loaded. */
function greatestOf(codes: Uint32Array): number {
  let greatest = 0;
  for (let row = 0; row < codes.length; row++) greatest = Math.max(greatest, codes[row] ?? 0);
  return greatest;
}

function isIdentity(rowOfDocument: Uint32Array | null, rows: number): boolean {
  if (rowOfDocument === null) return true;
  if (rowOfDocument.length !== rows) return false;
  // A loop: `every` calls a function a document, each time that a part is loaded.
  for (let document = 0; document < rows; document++) if (rowOfDocument[document] !== document) return false;
  return true;
}

type SectionBytes = Uint8Array | readonly Uint8Array[];

/** In the order of SECTION_NAMES. */
function kernelSections({ text, vectors }: PartSections): readonly (SectionBytes | null)[] {
  const postings = text?.postings ?? null;
  const pieces = postings === null || postings instanceof Uint8Array ? null : piecesSection(postings);
  return [
    text?.text ?? null,
    vectors?.codes ?? null,
    vectors?.residuals ?? null,
    pieces === null ? postings : null,
    vectors?.graph ?? null,
    pieces,
  ] as readonly (SectionBytes | null)[];
}

function piecesOf(bytes: SectionBytes): readonly Uint8Array[] {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}

function lengthOf(bytes: SectionBytes | null): number {
  return bytes === null ? 0 : piecesOf(bytes).reduce((sum, { length }) => sum + length, 0);
}

function hasAgreeingLengths({ documents, rows, rowOfDocument, rowTimes, columns }: PartSections): boolean {
  const rowsAgree = (rowTimes?.length ?? rows) === rows && columns.every((codes) => codes.length === rows);
  return rowsAgree && (rowOfDocument?.length ?? rows) === documents;
}

function copyIn(instance: KernelInstance, sections: PartSections, plan: PartPlan): LoadedPart {
  const { kernel } = instance;
  const { documents, rows, columns } = sections;
  const { columnBytes, sectionBytes, isInRows, hasQuestions } = plan;
  const part = kernel.partReserve(documents, rows, columns.length, columnBytes, sectionBytes, isInRows, hasQuestions);
  if (part < 0) throw new Error(`a part that was measured ${statusText(part)}`);
  // Zeros where there are none: what was there before is no row and no time.
  instance.putU32(kernel.partRowOfDocument(part), sections.rowOfDocument ?? new Uint32Array(documents));
  instance.putF64(kernel.partRowTimes(part), sections.rowTimes ?? new Float64Array(rows));
  kernelSections(sections).forEach((bytes, section) => {
    if (bytes === null) return;
    let at = kernel.partPlaceSection(part, section, lengthOf(bytes));
    for (const piece of piecesOf(bytes)) {
      instance.putBytes(at, piece);
      at += piece.length;
    }
  });
  columns.forEach((codes, column) => {
    const width = plan.widths[column] ?? 4;
    const at = kernel.partPlaceColumn(part, column, width);
    if (width === 1) instance.putBytes(at, Uint8Array.from(codes));
    else if (width === 2) instance.putU16(at, Uint16Array.from(codes));
    else instance.putU32(at, codes);
  });
  return part as LoadedPart;
}

function describe(instance: KernelInstance, part: LoadedPart, sections: PartSections, plan: PartPlan): HeldPart {
  return {
    part,
    documents: sections.documents,
    rows: sections.rows,
    hasOneDocumentARow: isIdentity(sections.rowOfDocument, sections.rows),
    vectors: instance.kernel.partVectors(part),
    hasResiduals: sections.vectors !== null && sections.vectors.residuals !== null,
    hasGraph: sections.vectors !== null && sections.vectors.graph !== null,
    hasText: sections.text !== null,
    hasTimes: sections.rowTimes !== null,
    dimensions: instance.kernel.partDimensions(part),
    metric: instance.kernel.partMetric(part),
    codeCounts: plan.codeCounts,
    scratchBytes: plan.scratchBytes,
  };
}
