/**
 * The indexer script's entry point: queue consumer, cron and internal operations, composed once an isolate.
 */

import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { chooseEmbedder } from "../../adapters/models/choose_embedder.ts";
import { extractiveSummarizer } from "../../adapters/models/extractive_summarizer.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { systemClock } from "../../adapters/platform/system_clock.ts";
import { chooseStore } from "../../adapters/storage/choose_store.ts";
import { problemOf } from "../../core/errors.ts";
import { entityObjectName, type JobOrder } from "../../core/rpc.ts";
import kernelModule from "../../wasm/build/kernel.wasm";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { consumeDeadLetters, consumeNudges } from "./consume.ts";
import { driveJob } from "./drive_job.ts";
import type { Env } from "./env.ts";
import { durableSteps, jobDrivers } from "./job_drivers.ts";
import { operationsRouter, reconcileAll, sweep } from "./operations.ts";
import type { IndexerPorts } from "./ports.ts";

const DEAD_LETTER_QUEUE = /-dlq$/;
/** As wrangler.toml spells it; any other cron sweeps. */
const NIGHTLY_CRON = "20 1 * * *";

let ports: IndexerPorts | null = null;

function portsOf(env: Env): IndexerPorts {
  ports ??= compose(env);
  return ports;
}

function compose(env: Env): IndexerPorts {
  const builder = createKernelBuilder(kernelModule);
  const embedder = chooseEmbedder(env, { analyze: (text) => builder.analyze(text), ai: env.AI ?? null });
  if (!embedder.ok) throw new Error(problemOf(embedder.failure).detail);
  const store = chooseStore(env, env.BUCKET ?? null);
  if (!store.ok) throw new Error(problemOf(store.failure).detail);
  return {
    clock: systemClock,
    compression: nodeCompression,
    digest: nodeDigest,
    checksum: createKernelChecksum(kernelModule),
    store: store.value,
    builder,
    embedder: embedder.value,
    entity: (scope) => env.ENTITY.get(env.ENTITY.idFromName(entityObjectName(scope))),
    summarizer: extractiveSummarizer((text) => builder.analyze(text)),
    scope: (tenant) => env.SCOPE.get(env.SCOPE.idFromName(tenant)),
    tenant: (tenant) => env.TENANT.get(env.TENANT.idFromName(tenant)),
    ingest: env.INGEST,
    drivers: jobDrivers(env.JOBS),
  };
}

export class JobWorkflow extends WorkflowEntrypoint<Env, JobOrder> {
  override run({ payload }: Readonly<WorkflowEvent<JobOrder>>, step: WorkflowStep): Promise<void> {
    return driveJob(portsOf(this.env), durableSteps(step), payload);
  }
}

export default {
  fetch: (request, env) => operationsRouter(portsOf(env)).fetch(request),

  async queue(batch, env) {
    if (DEAD_LETTER_QUEUE.test(batch.queue)) await consumeDeadLetters(portsOf(env), batch.messages);
    else await consumeNudges(portsOf(env), batch.messages);
  },

  async scheduled({ cron }, env) {
    if (cron === NIGHTLY_CRON) await reconcileAll(portsOf(env));
    else await sweep(portsOf(env));
  },
} satisfies ExportedHandler<Env>;
