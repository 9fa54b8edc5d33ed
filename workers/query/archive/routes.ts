/**
 * An entity out as a zip, and in again.
 */
import { zipStream } from "../../../adapters/platform/zip.ts";
import { fail, ok, type Result } from "../../../core/errors.ts";
import { IMPORT_BYTES_MAX, IMPORT_JOB_BYTES_MIN } from "../../../core/limits.ts";
import { importKey } from "../../../core/log/keys.ts";
import type { EntityScope } from "../../../core/rpc.ts";
import { importAnswerSchema } from "../../../core/schema/append.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { ADMIN_ENTITY, READ_ENTITY } from "../access_levels.ts";
import { noBody, rawBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, ownAnswer, type Route, tenantRoute } from "../route.ts";
import type { Services } from "../services.ts";
import { startJob } from "../start_job.ts";
import { exportEntries } from "./export_entries.ts";

const ZIP_TYPE = "application/zip";

const exportEntity = tenantRoute(
  READ_ENTITY,
  {
    operation: "exportEntity",
    summary: "The whole log of an entity, with its documents and digests",
    method: "GET",
    path: "/v1/entities/{entity}/export",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: noBody,
    answer: ownAnswer(200, "segments as JSONL, documents, a manifest", { [ZIP_TYPE]: null }),
  },
  async ({ services, tenant, params: { entity } }) => {
    const segments = await services.entity({ tenant, entity }).segments({ tenant, entity });
    if (!segments.ok) return segments;
    if (segments.value.length === 0) return fail({ reason: "not_found", what: "The entity" });
    const entries = await exportEntries(services.store.forTenant(tenant), entity, segments.value, services);
    if (!entries.ok) return entries;
    const headers = { "Content-Type": ZIP_TYPE, "Content-Disposition": 'attachment; filename="export.zip"' };
    return ok(new Response(zipStream(entries.value), { headers }));
  },
);

/** An export holds reserved kinds as well, so to bring one in takes more than to append. */
const importEntity = tenantRoute(
  ADMIN_ENTITY,
  {
    operation: "importEntity",
    summary: "Append what an export holds: the same events with the same ids",
    method: "POST",
    path: "/v1/entities/{entity}/import",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: rawBody({ media: { [ZIP_TYPE]: null }, bytesMax: IMPORT_BYTES_MAX, gzip: false }),
    answer: jsonAnswer(201, "what was new, and what was there already", importAnswerSchema, {
      status: 202,
      description: "the job that imports a large archive",
      when: (wire) => "job" in wire,
    }),
  },
  async ({ services, tenant, params: { entity }, body }) => {
    if (body.bytes.length >= IMPORT_JOB_BYTES_MIN) return importByJob(services, { tenant, entity }, body.bytes);
    return mapped(await services.ingest.importArchive({ tenant, entity }, body.bytes), (result) => ({
      accepted: result.accepted,
      duplicates: result.duplicates,
      conflicts: result.conflicts,
      token: result.token,
    }));
  },
);

/** The job waits for its archive: nothing lies in the store that no job knows of. */
async function importByJob(
  services: Services,
  { tenant, entity }: EntityScope,
  archive: Uint8Array,
): Promise<Result<{ job: string }>> {
  const started = await startJob(services.indexer, tenant, "import", { entity });
  if (started.ok) await services.store.forTenant(tenant).put(importKey(entity, started.value.job), archive);
  return started;
}

export const archiveRoutes: readonly Route[] = [exportEntity, importEntity];
