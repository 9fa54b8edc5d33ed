import type { Metric } from "../core/ports.ts";

/** As wasm/assembly/vector_codec.ts counts metrics. */
export const METRIC_CODES: Readonly<Record<Metric, number>> = { cosine: 0, dot: 1, l2: 2 };
