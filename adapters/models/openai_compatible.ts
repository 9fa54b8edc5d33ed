/**
 * Embeddings from any server that speaks OpenAI's `POST {base}/embeddings`.
 * Source: platform.openai.com/docs/api-reference/embeddings; Retry-After as in RFC 9110 §10.2.3.
 */
import { z } from "zod";
import { EMBED_RESPONSE_BYTES_MAX, VECTOR_DIMENSIONS_MAX } from "../../core/limits.ts";
import type { RemoteEmbedder } from "../../core/ports.ts";
import { type CallOutcome, checkedVectors, embedWithModel, type Pacing, REAL_PACING } from "./model_calls.ts";

export interface OpenAiSettings {
  /** Up to and without `/embeddings`, e.g. `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly model: string;
  /** Asked of the model when set; null leaves it the model's own. */
  readonly dimensions: number | null;
  /** How vectors travel. `base64` is a quarter of the bytes; not every server knows it. */
  readonly encoding: "float" | "base64";
}

/** Both encodings are accepted, whichever was asked for: some servers ignore the question. */
const responseSchema = z.object({
  data: z.array(
    z.object({
      index: z.number().int().nonnegative(),
      embedding: z.union([z.array(z.number()).max(VECTOR_DIMENSIONS_MAX), z.base64()]),
    }),
  ),
});
type Response200 = z.infer<typeof responseSchema>;

export function openAiEmbedder(settings: OpenAiSettings, pacing: Pacing = REAL_PACING): RemoteEmbedder {
  const suffix = settings.dimensions === null ? "" : `/${settings.dimensions}`;
  const id = `openai/${settings.model}${suffix}`;
  return {
    kind: "remote",
    id,
    queryWeight: 1,
    // The protocol has no say in whether a text is a query or a document.
    embed: (texts) => embedWithModel(texts, { name: id, pacing, call: (batch) => callOnce(batch, settings, pacing) }),
  };
}

async function callOnce(texts: readonly string[], settings: OpenAiSettings, pacing: Pacing): Promise<CallOutcome> {
  try {
    const response = await fetch(`${settings.baseUrl.replace(/\/+$/, "")}/embeddings`, {
      method: "POST",
      headers: { authorization: `Bearer ${settings.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: settings.model,
        input: texts,
        encoding_format: settings.encoding,
        ...(settings.dimensions === null ? {} : { dimensions: settings.dimensions }),
      }),
      // A redirect would carry the key to wherever it points.
      redirect: "manual",
      signal: AbortSignal.timeout(pacing.timeoutMs),
    });
    if (response.status === 200) return await readVectors(response, texts.length, settings.dimensions);
    await response.body?.cancel();
    return outcomeOfStatus(response);
  } catch (error) {
    // Neither the error's message nor its cause is kept: either may name the address or echo the request.
    const slow = error instanceof Error && error.name === "TimeoutError";
    return { kind: "again", why: slow ? "it did not answer in time" : "it could not be reached", afterMs: null };
  }
}

function outcomeOfStatus(response: Response): CallOutcome {
  const why = `it answered with status ${response.status}`;
  const status = response.status;
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) {
    return { kind: "again", why, afterMs: retryAfterMs(response.headers.get("retry-after")) };
  }
  return status === 400 || status === 413 || status === 422 ? { kind: "refused" } : { kind: "broken", why };
}

/** Only the form in seconds: the form with a date would need a clock that agrees with the server's. */
function retryAfterMs(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1000 : null;
}

async function readVectors(response: Response, expected: number, dimensions: number | null): Promise<CallOutcome> {
  const text = await readBounded(response, EMBED_RESPONSE_BYTES_MAX);
  const parsed = text === null ? null : responseSchema.safeParse(parseJson(text));
  const rows = parsed?.success ? rowsInOrder(parsed.data) : null;
  const vectors = rows === null ? null : checkedVectors(rows, expected);
  const fits = vectors?.every((vector) => dimensions === null || vector.length === dimensions) ?? false;
  if (vectors === null || !fits) return { kind: "again", why: "its answer is not what was asked for", afterMs: null };
  return { kind: "vectors", vectors };
}

/** By `index`, whatever order they came in; null when an index is missing or twice there. */
function rowsInOrder(body: Response200): readonly ArrayLike<number>[] | null {
  const rows: (ArrayLike<number> | undefined)[] = body.data.map(() => undefined);
  for (const { index, embedding } of body.data) {
    if (index >= rows.length || rows[index] !== undefined) return null;
    const row = typeof embedding === "string" ? floatsOfBase64(embedding) : embedding;
    if (row === null) return null;
    rows[index] = row;
  }
  return rows.filter((row) => row !== undefined);
}

/** Little-endian f32. */
function floatsOfBase64(text: string): Float32Array | null {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (bytes.byteLength % 4 !== 0 || bytes.byteLength / 4 > VECTOR_DIMENSIONS_MAX) return null;
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, at) => view.getFloat32(at * 4, true));
}

/** null when the body is longer than `bytesMax`. */
async function readBounded(response: Response, bytesMax: number): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read()) {
    bytes += read.value.byteLength;
    if (bytes > bytesMax) {
      await reader?.cancel();
      return null;
    }
    text += decoder.decode(read.value, { stream: true });
  }
  return text + decoder.decode();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
