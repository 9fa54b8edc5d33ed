/**
 * What a route takes as its body: how it is read, and how `/openapi.json` describes it.
 */
import type { z } from "zod";
import { fail, invalid, ok, type Result } from "../../../core/errors.ts";
import {
  CONTENT_TYPE_BYTES_MAX,
  JSON_BODY_BYTES_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_COMPRESSED_BYTES_MAX,
} from "../../../core/limits.ts";
import type { RawBody } from "../../../core/rpc.ts";
import { invalidFields } from "../../../core/schema/field_errors.ts";
import type { BodySchema } from "../../../core/schema/openapi.ts";
import { mediaTypeOf, NO_TYPE, parseJson, readBody, unsupported } from "./body.ts";

export interface BodySpec<Body> {
  readonly required: boolean;
  /** Empty: no body at all. */
  readonly media: Readonly<Record<string, BodySchema>>;
  read(request: Request): Promise<Result<Body>>;
}

const JSON_TYPE = "application/json";
const UNKNOWN_TYPE = "application/octet-stream";

export const noBody: BodySpec<null> = {
  required: false,
  media: {},
  async read(request) {
    if (request.method === "GET" || request.method === "HEAD") return ok(null);
    const body = await readBody(request, JSON_BODY_BYTES_MAX);
    if (!body.ok) return body;
    // Many clients send `{}` where there is nothing to say.
    const nothing = body.value.length === 0 || new TextDecoder().decode(body.value).trim() === "{}";
    return nothing ? ok(null) : fail(invalid("", "This operation takes no body."));
  },
};

export function jsonBody<Body>(schema: z.ZodType<Body>): BodySpec<Body> {
  return { required: true, media: { [JSON_TYPE]: schema }, read: (request) => readJson(request, schema, false) };
}

/** No body at all means `{}`. */
export function optionalJsonBody<Body>(schema: z.ZodType<Body>): BodySpec<Body> {
  return { required: false, media: { [JSON_TYPE]: schema }, read: (request) => readJson(request, schema, true) };
}

async function readJson<Body>(request: Request, schema: z.ZodType<Body>, optional: boolean): Promise<Result<Body>> {
  const plain = withoutEncoding(request);
  if (!plain.ok) return plain;
  const mediaType = mediaTypeOf(request);
  const absent = optional && mediaType === NO_TYPE;
  if (!absent && mediaType !== JSON_TYPE) return fail(unsupported(mediaType, [JSON_TYPE]));
  const body = await readBody(request, JSON_BODY_BYTES_MAX);
  if (!body.ok) return body;
  if (absent && body.value.length > 0) return fail(unsupported(mediaType, [JSON_TYPE]));
  const json = optional && body.value.length === 0 ? ok({}) : parseJson(body.value);
  if (!json.ok) return json;
  const parsed = schema.safeParse(json.value);
  return parsed.success ? ok(parsed.data) : fail(invalidFields(parsed.error));
}

/**
 * Bytes that another script parses, with their media type in lower case and without parameters; or, where any type is
 * taken, with the Content-Type as it was sent. With `gzip`, they may be compressed and are handed on as they came.
 */
export function rawBody(options: {
  readonly media: Readonly<Record<string, BodySchema>>;
  readonly bytesMax: number;
  readonly gzip: boolean;
}): BodySpec<RawBody> {
  const types = Object.keys(options.media);
  return {
    required: true,
    media: options.media,
    async read(request) {
      const mediaType = mediaTypeOf(request);
      const any = types.includes("*/*");
      if (!any && !types.includes(mediaType)) return fail(unsupported(mediaType, types));
      const gzip = options.gzip && encodingOf(request) === "gzip";
      const plain = gzip ? ok(null) : withoutEncoding(request);
      if (!plain.ok) return plain;
      const contentType = any ? contentTypeOf(request) : ok(mediaType);
      if (!contentType.ok) return contentType;
      const bytes = await readBody(request, gzip ? REQUEST_COMPRESSED_BYTES_MAX : options.bytesMax);
      if (!bytes.ok) return bytes;
      return ok({ bytes: bytes.value, contentType: contentType.value, gzip });
    },
  };
}

export function eventsBody(schema: BodySchema): BodySpec<RawBody> {
  const media = { [JSON_TYPE]: schema, "application/x-ndjson": null };
  return rawBody({ media, bytesMax: REQUEST_BYTES_MAX, gzip: true });
}

/** With its parameters, as a later answer can carry it. */
function contentTypeOf(request: Request): Result<string> {
  const contentType = (request.headers.get("Content-Type") ?? "").trim();
  if (contentType === "") return ok(UNKNOWN_TYPE);
  const carried = contentType.length <= CONTENT_TYPE_BYTES_MAX && /^[\t -~]+$/.test(contentType);
  return carried
    ? ok(contentType)
    : fail(invalid("Content-Type", `must be at most ${CONTENT_TYPE_BYTES_MAX} characters of printable ASCII`));
}

function encodingOf(request: Request): string {
  return (request.headers.get("Content-Encoding") ?? "identity").trim().toLowerCase();
}

function withoutEncoding(request: Request): Result<null> {
  const encoding = encodingOf(request);
  return encoding === "identity" ? ok(null) : fail(unsupported(`Content-Encoding: ${encoding}`, ["identity"]));
}
