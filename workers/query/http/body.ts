/**
 * Reads request bodies within a cap. Nothing is parsed before its size is known to be small enough.
 */
import type { MiddlewareHandler } from "hono";
import { joinBytes } from "../../../core/bytes.ts";
import { type Failure, fail, invalid, ok, type Result } from "../../../core/errors.ts";
import { JSON_TEXT_DEPTH_MAX, REFUSED_BODY_BYTES_MAX } from "../../../core/limits.ts";
import { jsonTextDepth } from "../../../core/schema/json_depth.ts";
import type { Json } from "../../../core/schema/scalar.ts";

export async function readBody(request: Request, bytesMax: number): Promise<Result<Uint8Array>> {
  const declared = Number(request.headers.get("Content-Length") ?? 0);
  // Of a declared length no more than that arrives, and it is read in one step.
  if (declared > 0 && declared <= bytesMax) return ok(new Uint8Array(await request.arrayBuffer()));
  const reader = request.body?.getReader();
  if (reader === undefined) return ok(new Uint8Array(0));
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (declared <= bytesMax && size <= bytesMax) {
    const { done, value } = await reader.read();
    if (done) return ok(joinBytes(chunks));
    chunks.push(value);
    size += value.length;
  }
  const whole = await drain(reader, size, declared);
  return fail(tooLarge(Math.max(whole, declared), bytesMax));
}

/** Reads what a refusal left unread: of a body that nobody asked for as of one that was too large. */
export function wholeBody(): MiddlewareHandler {
  return async function readToItsEnd(c, next) {
    await next();
    const { body, bodyUsed, headers } = c.req.raw;
    if (body !== null && !bodyUsed) await drain(body.getReader(), 0, Number(headers.get("Content-Length") ?? 0));
  };
}

/**
 * A caller that is still sending would see its connection cut instead of the answer; so the rest is read, within
 * reason.
 */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>, read: number, declared: number): Promise<number> {
  let size = read;
  while (size <= REFUSED_BODY_BYTES_MAX && declared <= REFUSED_BODY_BYTES_MAX) {
    const { done, value } = await reader.read();
    if (done) return size;
    size += value.length;
  }
  await reader.cancel();
  return size;
}

function tooLarge(size: number, max: number): Failure {
  return { reason: "too_large", what: "The request body", size, max, unit: "bytes" };
}

/** Stands where a request has no Content-Type; no media type looks like it. */
export const NO_TYPE = "none";

/** The media type without parameters, in lower case. */
export function mediaTypeOf(request: Request): string {
  const type = (request.headers.get("Content-Type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return type === "" ? NO_TYPE : type;
}

export function unsupported(got: string, supported: readonly string[]): Failure {
  return { reason: "unsupported_media_type", got, supported };
}

/** JSON in UTF-8. Its depth is counted first, on the text: parsers and schemas recurse, and a stack is finite. */
export function parseJson(bytes: Uint8Array): Result<Json> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
    if (jsonTextDepth(text) > JSON_TEXT_DEPTH_MAX)
      return fail(invalid("", `is nested deeper than ${JSON_TEXT_DEPTH_MAX}`));
    return ok(JSON.parse(text));
  } catch {
    return fail(invalid("", "The body is not JSON in UTF-8."));
  }
}
