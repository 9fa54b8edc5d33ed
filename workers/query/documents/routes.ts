/**
 * Raw documents: bytes in, the same bytes out.
 */
import { fail, ok } from "../../../core/errors.ts";
import { DOCUMENT_BYTES_MAX } from "../../../core/limits.ts";
import { hex } from "../../../core/log/text_encoding.ts";
import { documentResultSchema } from "../../../core/schema/append.ts";
import { eventIdSchema } from "../../../core/schema/event.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { READ_ENTITY, WRITE_ENTITY } from "../access_levels.ts";
import { appendWire } from "../events/wire.ts";
import { noBody, rawBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, ownAnswer, type Route, tenantRoute } from "../route.ts";

const documentParams = { entity: entitySchema, id: eventIdSchema };

const putDocument = tenantRoute(
  WRITE_ENTITY,
  {
    operation: "putDocument",
    summary: "Keep a document's bytes and index its text",
    method: "PUT",
    path: "/v1/entities/{entity}/documents/{id}",
    params: documentParams,
    query: noParametersSchema,
    body: rawBody({ media: { "*/*": null }, bytesMax: DOCUMENT_BYTES_MAX, gzip: false }),
    answer: jsonAnswer(201, "kept unchanged; `searchable` says whether its text could be read", documentResultSchema),
  },
  async ({ services, tenant, params, body }) => {
    const scope = { tenant, entity: params.entity };
    const put = await services.ingest.putDocument(scope, params.id, body.contentType, body.bytes);
    return mapped(put, (result) => ({ ...appendWire(result), searchable: result.searchable }));
  },
);

const getDocument = tenantRoute(
  READ_ENTITY,
  {
    operation: "getDocument",
    summary: "A document's bytes",
    method: "GET",
    path: "/v1/entities/{entity}/documents/{id}",
    params: documentParams,
    query: noParametersSchema,
    body: noBody,
    answer: ownAnswer(200, "the bytes, with the content type they were put with", { "*/*": null }),
  },
  async ({ services, tenant, params }) => {
    const scope = { tenant, entity: params.entity };
    const found = await services.entity(scope).document(scope, params.id);
    if (!found.ok) return found;
    const { blob, sha256, contentType } = found.value;
    const store = services.store.forTenant(tenant);
    const stored = await store.get(blob);
    const isWhole = stored !== null && hex(services.digest.sha256(stored.bytes)) === sha256;
    if (!isWhole) return fail({ reason: "corrupt", what: store.fullKey(blob) });
    return ok(new Response(stored.bytes, { headers: { "Content-Type": contentType } }));
  },
);

export const documentRoutes: readonly Route[] = [putDocument, getDocument];
