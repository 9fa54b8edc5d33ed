/**
 * The ingest script's entry point: RPC only. The front door has authenticated; here requests are parsed, checked,
 * canonicalised and compressed, and handed to the entity's object.
 */

import { WorkerEntrypoint } from "cloudflare:workers";
import { logFault } from "../../adapters/platform/fault_log.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { systemClock } from "../../adapters/platform/system_clock.ts";
import { chooseStore } from "../../adapters/storage/choose_store.ts";
import { fail, problemOf, type Result, UnfitStore } from "../../core/errors.ts";
import { MISCONFIGURED_RETRY_SECONDS, UNAVAILABLE_RETRY_SECONDS } from "../../core/limits.ts";
import type { ObjectStore } from "../../core/ports.ts";
import {
  type EntityScope,
  entityObjectName,
  type ImportStretch,
  type IngestApi,
  type RawBody,
} from "../../core/rpc.ts";
import { append, appendBulk } from "./append.ts";
import { putDocument } from "./document.ts";
import type { Env } from "./env.ts";
import { importArchive, importStretch } from "./import_archive.ts";
import type { IngestPorts } from "./ports.ts";

let store: Result<ObjectStore> | null = null;

export class Ingest extends WorkerEntrypoint<Env> implements IngestApi {
  append(scope: EntityScope, body: RawBody, idempotencyKey: string | null) {
    return this.#answer((ports) => append(ports, scope, body, idempotencyKey));
  }

  appendBulk(tenant: string, entityPrefix: string | null, body: RawBody, idempotencyKey: string | null) {
    return this.#answer((ports) => appendBulk(ports, tenant, entityPrefix, body, idempotencyKey));
  }

  putDocument(scope: EntityScope, id: string, contentType: string, bytes: Uint8Array) {
    return this.#answer((ports) => putDocument(ports, scope, id, contentType, bytes));
  }

  importArchive(scope: EntityScope, archive: Uint8Array) {
    return this.#answer((ports) => importArchive(ports, scope, archive));
  }

  importStretch(tenant: string, stretch: ImportStretch) {
    return this.#answer((ports) => importStretch(ports, tenant, stretch));
  }

  /** A throw across RPC would lose its type; what an object or the store threw is an unknown outcome. */
  async #answer<T>(call: (ports: IngestPorts) => Promise<Result<T>>): Promise<Result<T>> {
    store ??= chooseStore(this.env, this.env.BUCKET ?? null);
    if (!store.ok) return unavailable(`${problemOf(store.failure).detail}.`, MISCONFIGURED_RETRY_SECONDS);
    try {
      return await call(portsOf(this.env, store.value));
    } catch (cause) {
      logFault("ingest_failed", cause);
      const what = cause instanceof UnfitStore ? cause.message : "The write could not be completed.";
      return unavailable(what, UNAVAILABLE_RETRY_SECONDS);
    }
  }
}

function portsOf({ ENTITY }: Env, objects: ObjectStore): IngestPorts {
  return {
    clock: systemClock,
    compression: nodeCompression,
    digest: nodeDigest,
    store: objects,
    entity: (scope) => ENTITY.get(ENTITY.idFromName(entityObjectName(scope))),
  };
}

function unavailable(what: string, retryAfterSeconds: number): Result<never> {
  return fail({ reason: "unavailable", what, retryAfterSeconds });
}

export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler;
