/**
 * A local server that speaks OpenAI's embeddings protocol and Workers AI's REST form of it, with faults to switch on.
 * A vector is a hash of its text, so a caller can tell whether each came back to its own text.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { EMBED_BATCH_MAX } from "../../core/limits.ts";

export const MODEL_KEY = "sk-secret-of-the-test";
/** A text that contains this is refused, alone or in a batch. */
export const REFUSED_WORD = "unspeakable";
export const SERVER_DIMENSIONS = 8;

export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly code: number; readonly retryAfter?: string }
  | {
      readonly kind:
        | "malformed"
        | "wrong_count"
        | "wrong_dimension"
        | "not_numbers"
        | "never"
        | "drop"
        | "refuse_all"
        | "endless";
    };

export interface ModelServer {
  /** With no path. */
  readonly origin: string;
  /** Texts of each request that reached the model, in order. */
  readonly batches: (readonly string[])[];
  /** Applied to the next requests, one each. */
  readonly next: Fault[];
  /** Applied to every request while it is set. */
  always: Fault | null;
  close(): Promise<void>;
}

export function vectorOf(text: string): Float32Array {
  return Float32Array.from({ length: SERVER_DIMENSIONS }, (_, at) => {
    let hash = at + 1;
    for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 10_007;
    return Math.fround(hash / 10_007 + 0.001);
  });
}

export async function startModelServer(): Promise<ModelServer> {
  const state = { batches: [] as (readonly string[])[], next: [] as Fault[], always: null as Fault | null };
  const server = createServer((request, response) => {
    void answer(request, response, state);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

interface State {
  readonly batches: (readonly string[])[];
  readonly next: Fault[];
  always: Fault | null;
}

const openAiRequest = z.strictObject({
  model: z.string(),
  input: z.array(z.string()),
  encoding_format: z.enum(["float", "base64"]),
  dimensions: z.literal(SERVER_DIMENSIONS).optional(),
});
const workersAiRequest = z.strictObject({ text: z.array(z.string()) });

async function answer(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const openAi = request.url === "/v1/embeddings";
  if (!openAi && !request.url?.startsWith("/ai/run/")) return refuse(response, 404, 5007);
  if (openAi && request.headers.authorization !== `Bearer ${MODEL_KEY}`) return refuse(response, 401, 3023);
  const parsed = openAi ? openAiRequest.safeParse(JSON.parse(body)) : workersAiRequest.safeParse(JSON.parse(body));
  if (!parsed.success) return refuse(response, 400, 5006);
  const texts = "input" in parsed.data ? parsed.data.input : parsed.data.text;
  state.batches.push(texts);
  const fault = state.next.shift() ?? state.always;
  if (fault !== null && (await applyFault(fault, response, texts))) return;
  if (texts.length > EMBED_BATCH_MAX || texts.some((text) => text.includes(REFUSED_WORD)))
    return refuse(response, 400, 5004);
  const vectors = vectorsWith(fault, texts);
  if ("input" in parsed.data) sendOpenAi(response, vectors, parsed.data.encoding_format);
  else send(response, { result: { shape: [vectors.length, SERVER_DIMENSIONS], data: vectors }, success: true });
}

/** Whether the fault itself was the answer. */
async function applyFault(fault: Fault, response: ServerResponse, texts: readonly string[]): Promise<boolean> {
  switch (fault.kind) {
    case "status":
      if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
      refuse(response, fault.status, fault.code, texts.join(" "));
      return true;
    case "refuse_all":
      refuse(response, 400, 5004);
      return true;
    case "malformed":
      response.end("<html>an error page, not JSON</html>");
      return true;
    case "not_numbers":
      send(response, { data: [{ index: 0, embedding: ["a"] }], result: { data: [["a"]] }, success: true });
      return true;
    case "drop":
      response.destroy();
      return true;
    case "endless":
      await sendEndlessly(response);
      return true;
    case "never":
      return true;
    case "wrong_count":
    case "wrong_dimension":
      return false;
  }
}

function vectorsWith(fault: Fault | null, texts: readonly string[]): number[][] {
  const vectors = texts.map((text) => [...vectorOf(text)]);
  if (fault?.kind === "wrong_count") vectors.pop();
  if (fault?.kind === "wrong_dimension") vectors[vectors.length - 1]?.pop();
  return vectors;
}

/** In reverse, since the protocol orders by `index` and not by place. */
function sendOpenAi(response: ServerResponse, vectors: readonly number[][], encoding: "float" | "base64"): void {
  const data = vectors.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: encoding === "float" ? vector : Buffer.from(Float32Array.from(vector).buffer).toString("base64"),
  }));
  send(response, { object: "list", data: data.reverse(), model: "test", usage: { prompt_tokens: 0, total_tokens: 0 } });
}

async function sendEndlessly(response: ServerResponse): Promise<void> {
  // It ends when the caller hangs up.
  await pipeline(Readable.from(blanks()), response).catch(() => undefined);
}

function* blanks(): Generator<string> {
  for (;;) yield " ".repeat(1 << 20);
}

function send(response: ServerResponse, body: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

/** Echoes what it was sent, as careless servers do: none of it may surface in a failure. */
function refuse(response: ServerResponse, status: number, code: number, echo = ""): void {
  response.statusCode = status;
  send(response, {
    error: { message: `refused: ${echo}` },
    errors: [{ code, message: `refused: ${echo}` }],
    success: false,
  });
}
