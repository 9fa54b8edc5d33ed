/**
 * What the demo shows: hits with their citations, figures, and a command to go on with.
 */
import type { Plane, SearchAnswer } from "./plane.ts";
import type { Question } from "./questions.ts";

const SNIPPET_CHARACTERS = 140;

export function printAnswer({ about, entity, body }: Question, answer: SearchAnswer, roundTripMs: number): void {
  const { text, top_k: _, ...conditions } = body;
  const narrowed = Object.keys(conditions).length === 0 ? "" : `  ${JSON.stringify(conditions)}`;
  console.log(`\n? ${text}${narrowed}`);
  console.log(`  ${about}, in ${entity}`);
  if (answer.hits.length === 0) console.log("  nothing found");
  for (const [index, hit] of answer.hits.entries()) {
    console.log(`  ${index + 1}. ${snippet(hit.text ?? "")}`);
    console.log(
      `     ${hit.score.toFixed(4)}  ${hit.ts}  ${hit.kind}  ${hit.citation.segment} line ${hit.citation.line}`,
    );
  }
  const { plan, candidates, cache, total_ms } = answer.performance;
  console.log(
    `  plan ${plan}, ${count(candidates, "candidate")}, from ${cache}, ${ms(total_ms)} in the plane, ${ms(roundTripMs)} round trip`,
  );
  for (const reason of answer.degraded ?? []) console.log(`  degraded: ${reason}`);
}

function snippet(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= SNIPPET_CHARACTERS ? line : `${line.slice(0, SNIPPET_CHARACTERS - 1)}…`;
}

/** A line for a POSIX shell, whatever the question holds. */
export function curlLine(plane: Plane, { entity, body }: Question): string {
  const parts = [
    `curl -s ${shellQuoted(plane.searchUrl(entity))}`,
    `-H ${shellQuoted(`Authorization: Bearer ${plane.key}`)}`,
    `-H ${shellQuoted("Content-Type: application/json")}`,
    `-d ${shellQuoted(JSON.stringify(body))}`,
  ];
  return parts.join(" ");
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function ms(value: number): string {
  return value < 10
    ? `${value.toFixed(1)} ms`
    : value < 10_000
      ? `${Math.round(value)} ms`
      : `${(value / 1000).toFixed(1)} s`;
}

export function count(value: number, one?: string, many?: string): string {
  const digits = value.toLocaleString("en-US");
  return one === undefined ? digits : `${digits} ${value === 1 ? one : (many ?? `${one}s`)}`;
}

export function perSecond(events: number, milliseconds: number): string {
  return `${count(Math.round(events / Math.max(0.001, milliseconds / 1000)))} events/s`;
}
