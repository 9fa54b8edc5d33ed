/** Parts, slabs and arbitrary corpora for the kernel's tests. */
import fc from "fast-check";
import type { Result } from "../../core/errors.ts";
import type {
  Bits,
  KernelBuilder,
  KernelSlab,
  LoadedPart,
  Metric,
  PartSections,
  TextSections,
  VectorSections,
} from "../../core/ports.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import { loadKernel } from "./load_kernel.ts";

const SLAB_BYTES = 2 * 1024 * 1024;

export const kernelModule = await loadKernel();
export const builder: KernelBuilder = createKernelBuilder(kernelModule);
export const slab: KernelSlab = createKernelSlab(kernelModule, SLAB_BYTES);

export interface Corpus {
  readonly texts: readonly string[];
  readonly questions?: readonly string[];
  readonly vectors?: readonly (Float32Array | null)[];
  readonly dimensions?: number;
  readonly metric?: Metric;
  /** Default: document i is of row i. */
  readonly rowOfDocument?: Uint32Array;
  readonly rows?: number;
  readonly columns?: readonly Uint32Array[];
  readonly rowTimes?: Float64Array;
}

/** With all that there is. */
export interface WholeSections extends PartSections {
  readonly rowOfDocument: Uint32Array;
  readonly text: TextSections;
  readonly vectors: VectorSections | null;
  readonly rowTimes: Float64Array;
}

export function sectionsOf(corpus: Corpus): WholeSections {
  const { texts, vectors, dimensions = 1, metric = "cosine" } = corpus;
  const rows = corpus.rows ?? texts.length;
  return {
    documents: texts.length,
    rows,
    rowOfDocument: corpus.rowOfDocument ?? Uint32Array.from(texts, (_, i) => i),
    text: builder.textSections(texts, corpus.questions ?? null),
    vectors: vectors === undefined ? null : builder.vectorSections([{ vectors }], dimensions, metric),
    columns: corpus.columns ?? [],
    rowTimes: corpus.rowTimes ?? new Float64Array(rows),
  };
}

export function expectOk<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

/** The corpus as the only part of the shared slab. */
export function loadOnly(corpus: Corpus): LoadedPart {
  slab.clear();
  return expectOk(slab.load(sectionsOf(corpus)));
}

/** Of a part whose rows are its documents. */
export function documentBits(part: LoadedPart, documents: readonly number[]): Bits {
  return slab.documentsOf(part, slab.rowsWhere(part, Uint32Array.from(documents)));
}

const VOCABULARY = [
  ..."renewal risk invoice pricing owner stage quarter customer meeting notes escalation support".split(" "),
  ..."EMEA-2022-152156 collects/racket/base.rkt getUserName user@host.com the and of running ran 東京都".split(" "),
];

export const anyText: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...VOCABULARY), { maxLength: 12 })
  .map((words) => words.join(" "));

export const anyTexts: fc.Arbitrary<readonly string[]> = fc.array(anyText, { maxLength: 70 });

/** For each document, whether it is in. */
export function anySubset(count: number): fc.Arbitrary<readonly number[]> {
  return fc.oneof(
    fc.constant(Array.from({ length: count }, (_, i) => i)),
    fc.subarray(Array.from({ length: count }, (_, i) => i)),
  );
}

/** The greatest first; ties by document. */
export function bestFirst(scored: readonly { readonly document: number; readonly score: number }[], limit: number) {
  return [...scored].sort((a, b) => b.score - a.score || a.document - b.document).slice(0, limit);
}
