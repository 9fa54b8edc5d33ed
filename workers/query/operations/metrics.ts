/**
 * A tenant's figures in the Prometheus text format, version 0.0.4. They are read from its object's record, so all are
 * gauges: what is remembered can become less. No label names the tenant: its credential did.
 */
import type { TenantStatus } from "../../../core/rpc.ts";

export const METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function metricsText(status: TenantStatus, nowMs: number): string {
  const oldestMs = status.waiting[0]?.since ?? null;
  const gauges: readonly Gauge[] = [
    gauge("entities", "Entities with at least one event.", status.entities),
    gauge("waiting_entities", "Entities that wait to be indexed.", status.waitingEntities),
    gauge("unindexed_events", "Events that no shard holds yet.", status.unindexedEvents),
    gauge("unindexed_bytes", "Raw bytes of events that no shard holds yet.", status.unindexedBytes),
    gauge(
      "oldest_wait_seconds",
      "How long the entity that has waited longest to be indexed has waited; 0 when none does.",
      oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs) / 1000,
    ),
    gauge("dead_letters", "Index work that was given up.", status.deadLetters),
    gauge("sealed_entities", "Entities whose index work is sealed.", status.sealed),
    gauge("full_entities", "Entities that refuse appends until they are indexed.", status.full),
    {
      name: "jobs",
      help: "Jobs that are remembered, by status.",
      samples: Object.entries(status.jobs).map(([name, value]) => ({ labels: { status: name }, value })),
    },
    gauge("jobs_waiting_for_window", "Jobs that wait for the maintenance window.", status.jobsWaiting.count),
    timestamp("last_sweep_timestamp_seconds", "When the last sweep ran.", status.lastSweepAt),
    timestamp("last_reconcile_timestamp_seconds", "When the last reconcile ended.", status.lastReconcileAt),
  ];
  return gauges.map(gaugeText).join("");
}

function gauge(name: string, help: string, value: number): Gauge {
  return { name, help, samples: [{ value }] };
}

/** Has no sample before the first run. */
function timestamp(name: string, help: string, atMs: number | null): Gauge {
  return { name, help, samples: atMs === null ? [] : [{ value: atMs / 1000 }] };
}

function gaugeText({ name, help, samples }: Gauge): string {
  const whole = `context_plane_${name}`;
  const lines = samples.map(({ labels = {}, value }) => `${whole}${labelsText(labels)} ${value}\n`);
  return `# HELP ${whole} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${whole} gauge\n${lines.join("")}`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
