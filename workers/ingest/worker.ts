/**
 * The ingest script's entry point: RPC only. The front door has authenticated; here requests are parsed, checked,
 * canonicalised and compressed, and handed to the entity's object.
 */

import { WorkerEntrypoint } from "cloudflare:workers";
import { logFault } from "../../adapters/platform/fault_log.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { systemClock } from "../../adapters/platform/system_clock.ts";
import { r2Store } from "../../adapters/storage/r2_store.ts";
import { fail, type Result } from "../../core/errors.ts";
import { type EntityScope, entityObjectName, type IngestApi, type RawBody } from "../../core/rpc.ts";
import { append, appendBulk } from "./append.ts";
import { putDocument } from "./document.ts";
import type { Env } from "./env.ts";
import { importArchive } from "./import_archive.ts";
import type { IngestPorts } from "./ports.ts";

export class Ingest extends WorkerEntrypoint<Env> implements IngestApi {
  append(scope: EntityScope, body: RawBody, idempotencyKey: string | null) {
    return answer(() => append(this.#ports(), scope, body, idempotencyKey));
  }

  appendBulk(tenant: string, entityPrefix: string | null, body: RawBody, idempotencyKey: string | null) {
    return answer(() => appendBulk(this.#ports(), tenant, entityPrefix, body, idempotencyKey));
  }

  putDocument(scope: EntityScope, id: string, contentType: string, bytes: Uint8Array) {
    return answer(() => putDocument(this.#ports(), scope, id, contentType, bytes));
  }

  importArchive(scope: EntityScope, archive: Uint8Array) {
    return answer(() => importArchive(this.#ports(), scope, archive));
  }

  #ports(): IngestPorts {
    const { BUCKET, ENTITY } = this.env;
    return {
      clock: systemClock,
      compression: nodeCompression,
      digest: nodeDigest,
      store: r2Store(BUCKET),
      entity: (scope) => ENTITY.get(ENTITY.idFromName(entityObjectName(scope))),
    };
  }
}

/** A throw across RPC would lose its type; what an object or the store threw is an unknown outcome. */
async function answer<T>(call: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await call();
  } catch (cause) {
    logFault("ingest_failed", cause);
    return fail({ reason: "unavailable", what: "The write could not be completed.", retryAfterSeconds: 1 });
  }
}

export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler;
