/** The floor: what a plain Worker needs for an answer of the same size, in the same process and under the same load. */
const HIT = {
  entity: "bench:floor",
  id: "0123456789abcdef0123456789abcdef01234567",
  chunk: 0,
  ts: "2026-01-01T00:00:00.000Z",
  kind: "note",
  score: 0.032,
  scores: { text: { score: 7.1, rank: 1 }, vector: { score: 0.83, rank: 4 } },
  text: "as long as a piece of text that somebody looked for usually is, ".repeat(7),
  attributes: { team: "north" },
  citation: { segment: "tenants/dev/entities/bench/segments/2026/01/01/000001-000000000001.jsonl.zst", line: 12 },
};
const ANSWER = JSON.stringify({ hits: Array.from({ length: 10 }, () => HIT) });

export default {
  fetch: () => new Response(ANSWER, { headers: { "Content-Type": "application/json" } }),
} satisfies ExportedHandler;
