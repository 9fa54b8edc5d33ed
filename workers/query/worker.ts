/**
 * The front door's entry point: everything is built here, once an isolate, from its bindings.
 */
import { jwksVerifier } from "../../adapters/access/jwks_verifier.ts";
import { webCryptoSecrets } from "../../adapters/access/web_crypto_secrets.ts";
import { chooseEmbedder } from "../../adapters/models/choose_embedder.ts";
import { coloCache } from "../../adapters/platform/colo_cache.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { systemClock, systemRandom, systemTimer } from "../../adapters/platform/system_clock.ts";
import { chooseStore } from "../../adapters/storage/choose_store.ts";
import { createAuthenticator } from "../../core/access/authenticate.ts";
import { createDirectory } from "../../core/access/directory.ts";
import { problemOf } from "../../core/errors.ts";
import { EVENTUAL_SLAB_CLASSES } from "../../core/limits.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { entityObjectName } from "../../core/rpc.ts";
import kernelModule from "../../wasm/build/kernel.wasm";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { type App, createApp, createRefusingApp } from "./app.ts";
import { type Configuration, readConfiguration } from "./configuration.ts";
import type { Env } from "./env.ts";
import { createEventualReader, type EventualReader } from "./eventual/eventual_reader.ts";
import { createRateLimit, type RateLimiter } from "./http/rate_limit.ts";
import { indexerClient } from "./indexer_client.ts";
import { routes } from "./routes.ts";
import type { Services } from "./services.ts";
import { createSettingsStore } from "./settings/settings_store.ts";

let app: App | null = null;

export default {
  fetch(request, env, context) {
    app ??= compose(env);
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;

const makeRequestId = () => crypto.randomUUID();

function compose(env: Env): App {
  const configuration = readConfiguration(env);
  const store = chooseStore(env, env.BUCKET ?? null);
  if (configuration.ok && store.ok) {
    const services = composeServices(env, configuration.value, store.value);
    const { corsOrigins } = configuration.value;
    return createApp(services, { clock: systemClock, timer: systemTimer, corsOrigins, makeRequestId }, routes);
  }
  const missing = configuration.ok ? [] : [...configuration.missing];
  if (!store.ok) missing.push(`${problemOf(store.failure).detail}.`);
  const outer = { clock: systemClock, timer: systemTimer, corsOrigins: [], makeRequestId };
  return createRefusingApp(missing, outer);
}

function composeServices(env: Env, configuration: Configuration, store: ObjectStore): Services {
  const directory = createDirectory(store.system());
  const secrets = webCryptoSecrets(configuration.pepper);
  const { tokenIssuer, adminToken, development } = configuration;
  const verifier = tokenIssuer === null ? null : jwksVerifier(tokenIssuer);
  return {
    ingest: env.INGEST,
    indexer: indexerClient(env.INDEXER),
    store,
    settings: createSettingsStore(store, systemClock),
    directory,
    secrets,
    authenticator: createAuthenticator({ directory, secrets, clock: systemClock, adminToken, development, verifier }),
    rateLimit: createRateLimit(limiterOf(env), systemTimer),
    eventual: composeEventual(env, store),
    clock: systemClock,
    timer: systemTimer,
    random: systemRandom,
    compression: nodeCompression,
    digest: nodeDigest,
    entity: (scope) => env.ENTITY.get(env.ENTITY.idFromName(entityObjectName(scope))),
    tenant: (tenant) => env.TENANT.get(env.TENANT.idFromName(tenant)),
    scope: (tenant) => env.SCOPE.get(env.SCOPE.idFromName(tenant)),
  };
}

/** With a kernel of its own, made when an object first leaves an eventual read without an answer: most isolates never do. */
function composeEventual(env: Env, store: ObjectStore): EventualReader {
  let reader: EventualReader | null = null;
  const create = (): EventualReader => {
    const builder = createKernelBuilder(kernelModule);
    const embedder = chooseEmbedder(env, { analyze: (text) => builder.analyze(text), ai: env.AI ?? null });
    if (!embedder.ok) throw new Error(problemOf(embedder.failure).detail);
    return createEventualReader({
      store,
      blocks: coloCache,
      clock: systemClock,
      compression: nodeCompression,
      digest: nodeDigest,
      checksum: createKernelChecksum(kernelModule),
      builder,
      slabs: createSlabPool(kernelModule, EVENTUAL_SLAB_CLASSES),
      embedder: embedder.value,
    });
  };
  return {
    async search(command) {
      reader ??= create();
      return reader.search(command);
    },
  };
}

function limiterOf({ RATE_LIMITER }: Env): RateLimiter {
  return { allow: async (name) => (await RATE_LIMITER.limit({ key: name })).success };
}
