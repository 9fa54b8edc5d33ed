/**
 * What a remote embedder makes of a range is asked for once, written create-only, and read back ever after: no merge or
 * rebuild asks again. Outputs lie in pieces of whole commits; a piece that is there is used, whatever made it.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { chunkTexts } from "../../core/index/build_part.ts";
import type { CommitLines, RecordedVectors } from "../../core/index/part.ts";
import { decodeVectors, encodeVectors } from "../../core/index/vector_outputs.ts";
import { EMBED_BATCH_MAX, OUTPUT_LINES_MAX, OUTPUT_RAW_BYTES_MAX } from "../../core/limits.ts";
import { outputsKey, outputsPrefix, parseOutputsKey } from "../../core/log/keys.ts";
import type { RemoteEmbedder, TenantStore } from "../../core/ports.ts";
import type { BuildPorts } from "./ports.ts";
import { type Standing, whileItStands } from "./while_it_stands.ts";

interface Piece {
  readonly from: number;
  readonly to: number;
}

/** null when the scope has no remote embedder. */
export async function recordedVectors(
  ports: BuildPorts,
  store: TenantStore,
  work: Standing,
  commits: readonly CommitLines[],
): Promise<Result<RecordedVectors | null>> {
  const { embedder } = ports;
  if (embedder?.kind !== "remote") return ok(null);
  const existing = await listPieces(store, work, embedder);
  const vectors: (Float32Array | null)[] = [];
  for (let rest = commits; rest.length > 0; ) {
    const [piece, taken] = nextPiece(rest, existing);
    const made = await pieceVectors(ports, store, work, embedder, piece, taken);
    if (!made.ok) return made;
    vectors.push(...made.value);
    rest = rest.slice(taken.length);
  }
  return ok(vectors);
}

async function listPieces(store: TenantStore, work: Standing, embedder: RemoteEmbedder): Promise<readonly Piece[]> {
  const pieces: Piece[] = [];
  let cursor: string | null = null;
  do {
    const page = await store.list(outputsPrefix(work.scope.entity, embedder.id), cursor);
    for (const { key } of page.objects) {
      const name = parseOutputsKey(key);
      if (name !== null && name.incarnation === work.incarnation) pieces.push(name);
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return pieces;
}

/** The commits of the next piece: one that exists and begins here, else as many as a new one takes up to one that does. */
function nextPiece(rest: readonly CommitLines[], existing: readonly Piece[]): [Piece, readonly CommitLines[]] {
  const from = rest[0]?.commit ?? 0;
  const last = rest.at(-1)?.commit ?? 0;
  const known = existing.find((piece) => piece.from === from && piece.to <= last);
  const next = Math.min(...existing.filter((piece) => piece.from > from).map((piece) => piece.from - 1), last);
  const taken = known === undefined ? newPiece(rest, next) : rest.filter(({ commit }) => commit <= known.to);
  return [{ from, to: taken.at(-1)?.commit ?? last }, taken];
}

/** At least one commit, which is never split. */
function newPiece(rest: readonly CommitLines[], last: number): readonly CommitLines[] {
  let lines = 0;
  const end = rest.findIndex((commit, index) => {
    lines += commit.lines.length;
    return index > 0 && (lines > OUTPUT_LINES_MAX || commit.commit > last);
  });
  return end === -1 ? rest : rest.slice(0, end);
}

async function pieceVectors(
  ports: BuildPorts,
  store: TenantStore,
  work: Standing,
  embedder: RemoteEmbedder,
  { from, to }: Piece,
  commits: readonly CommitLines[],
): Promise<Result<RecordedVectors>> {
  const key = outputsKey(work.scope.entity, embedder.id, work.incarnation, from, to);
  const stored = await store.get(key);
  if (stored !== null) return decodeVectors(stored.bytes, key, ports.compression);
  const embedded = await embedAll(embedder, chunkTexts(commits));
  if (!embedded.ok) return embedded;
  const vectors = embedded.value;
  const size = vectors.reduce((bytes, vector) => bytes + (vector?.byteLength ?? 0), 0);
  if (size > OUTPUT_RAW_BYTES_MAX) {
    return fail({
      reason: "too_large",
      what: "A file of model outputs",
      size,
      max: OUTPUT_RAW_BYTES_MAX,
      unit: "bytes",
    });
  }
  const created = await whileItStands(ports, work, () => store.create(key, encodeVectors(vectors, ports.compression)));
  if (!created.ok) return created;
  if (created.value) return ok(vectors);
  const first = await store.get(key);
  return first === null ? ok(vectors) : decodeVectors(first.bytes, key, ports.compression);
}

/** A document without text (an event that has only a vector) is not asked about, and has none. */
async function embedAll(embedder: RemoteEmbedder, texts: readonly string[]): Promise<Result<RecordedVectors>> {
  const vectors = texts.map((): Float32Array | null => null);
  const asked = texts.flatMap((text, index) => (text === "" ? [] : [{ text, index }]));
  for (let start = 0; start < asked.length; start += EMBED_BATCH_MAX) {
    const batch = asked.slice(start, start + EMBED_BATCH_MAX);
    const made = await embedder.embed(
      batch.map(({ text }) => text),
      "document",
    );
    if (!made.ok) return made;
    for (const [position, { index }] of batch.entries()) vectors[index] = made.value[position] ?? null;
  }
  return ok(vectors);
}
