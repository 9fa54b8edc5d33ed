/**
 * The front door's entry point: everything is built here, once an isolate, from its bindings.
 */
import { jwksVerifier } from "../../adapters/access/jwks_verifier.ts";
import { webCryptoSecrets } from "../../adapters/access/web_crypto_secrets.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { systemClock, systemRandom } from "../../adapters/platform/system_clock.ts";
import { chooseStore } from "../../adapters/storage/choose_store.ts";
import { createAuthenticator } from "../../core/access/authenticate.ts";
import { createDirectory } from "../../core/access/directory.ts";
import { problemOf } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { entityObjectName } from "../../core/rpc.ts";
import { type App, createApp, createRefusingApp } from "./app.ts";
import { type Configuration, readConfiguration } from "./configuration.ts";
import type { Env } from "./env.ts";
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
    return createApp(services, { clock: systemClock, corsOrigins, makeRequestId }, routes);
  }
  const missing = configuration.ok ? [] : [...configuration.missing];
  if (!store.ok) missing.push(`${problemOf(store.failure).detail}.`);
  const outer = { clock: systemClock, corsOrigins: [], makeRequestId };
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
    rateLimiter: { allow: async (name) => (await env.RATE_LIMITER.limit({ key: name })).success },
    clock: systemClock,
    random: systemRandom,
    compression: nodeCompression,
    digest: nodeDigest,
    entity: (scope) => env.ENTITY.get(env.ENTITY.idFromName(entityObjectName(scope))),
    tenant: (tenant) => env.TENANT.get(env.TENANT.idFromName(tenant)),
  };
}
