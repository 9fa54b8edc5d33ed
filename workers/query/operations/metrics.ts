/**
 * A tenant's figures in the Prometheus text format, version 0.0.4.
 */
import type { TenantStatus } from "../../../core/rpc.ts";

export const METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

/** No label names the tenant: its credential did. */
export function metricsText(status: TenantStatus): string {
  const unindexed = status.waiting.reduce((sum, { unindexedEvents }) => sum + unindexedEvents, 0);
  const gauges: readonly Gauge[] = [
    { name: "context_plane_entities", help: "Entities with at least one event.", value: status.entities },
    {
      name: "context_plane_waiting_entities",
      help: "Entities with events that no shard holds yet.",
      value: status.waiting.length,
    },
    { name: "context_plane_unindexed_events", help: "Events that no shard holds yet.", value: unindexed },
    { name: "context_plane_dead_letters", help: "Index work that was given up.", value: status.deadLetters },
    ...(status.lastSweepAt === null
      ? []
      : [
          {
            name: "context_plane_last_sweep_timestamp_seconds",
            help: "When the last sweep ran.",
            value: status.lastSweepAt / 1000,
          },
        ]),
  ];
  return gauges
    .map(({ name, help, value }) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`)
    .join("");
}
