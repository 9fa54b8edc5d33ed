/**
 * Summaries of an entity as lines of a tenant's index (L0): one of the entity, one of each session and document that has
 * enough text for it. They are made of the newest text anew each time, and the last ones of an entity are those that
 * count (scope_head.ts), so nothing of what was withdrawn stays in them.
 *
 *   {"attributes":{"sources":7,"summary_of":"session:s1"},"body":{"sources":[{"line":3,"segment":"…"}, …]},
 *    "entity":"account:acme","id":"account:acme\\n1\\n12 session:s1","kind":"summary","session":"s1","text":"…","ts":"…"}
 */
import { ok, type Result } from "../errors.ts";
import { SUMMARIES_PER_ENTITY_MAX, SUMMARY_CHARACTERS_MAX, SUMMARY_REFRESH_BYTES } from "../limits.ts";
import { canonicalJson } from "../log/canonical.ts";
import type { Summarizer } from "../ports.ts";
import type { Citation, SummarySource } from "../rpc.ts";
import { formatTime, utf8Length } from "../schema/scalar.ts";
import { type EntityLife, scopedId } from "./scoped_line.ts";

export const SUMMARY_KIND = "summary";
/** Where a summary's sentences stand, best first, as many as its body names. */
const SOURCES_NAMED_MAX = 8;

interface Subject {
  /** What is summarised: `entity`, `session:…` or `document:…`. */
  readonly key: string;
  readonly session: string | null;
  readonly sources: readonly SummarySource[];
}

/** Of the id in its entity that a summary has: the commit at which it was made, and what it is of. */
export function parseSummaryId(id: string): { readonly commit: number; readonly key: string } {
  const space = id.indexOf(" ");
  return { commit: Number(id.slice(0, space)), key: id.slice(space + 1) };
}

/** @param sources in order of position; empty: there is nothing to summarise */
export async function summaryLines(
  life: EntityLife,
  commit: number,
  sources: readonly SummarySource[],
  summarizer: Summarizer,
): Promise<Result<readonly string[]>> {
  const lines: string[] = [];
  for (const subject of subjectsOf(sources)) {
    const texts = subject.sources.map(({ text }) => text);
    const summary = await summarizer.summarize(texts, SUMMARY_CHARACTERS_MAX);
    if (!summary.ok) return summary;
    if (summary.value.text === "") continue;
    const named = summary.value.sources.slice(0, SOURCES_NAMED_MAX);
    lines.push(
      canonicalJson({
        entity: life.entity,
        id: scopedId(life, `${commit} ${subject.key}`),
        kind: SUMMARY_KIND,
        ts: formatTime(subject.sources.reduce((newest, { ts }) => Math.max(newest, ts), Number.NEGATIVE_INFINITY)),
        text: summary.value.text,
        attributes: { summary_of: subject.key, sources: subject.sources.length },
        ...(subject.session === null ? {} : { session: subject.session }),
        body: {
          sources: named.flatMap((index) => {
            const citation = subject.sources[index]?.citation;
            return citation === undefined ? [] : [{ segment: citation.segment, line: citation.line }];
          }),
        },
      }),
    );
  }
  return ok(lines);
}

/** The first source that a summary's line names; null for any other line. */
export function firstSource(event: { readonly kind: string; readonly body?: unknown }): Citation | null {
  if (event.kind !== SUMMARY_KIND) return null;
  const { sources } = event.body as { readonly sources: readonly Citation[] };
  return sources[0] ?? null;
}

function subjectsOf(sources: readonly SummarySource[]): readonly Subject[] {
  if (sources.length === 0) return [];
  const entity: Subject = { key: "entity", session: null, sources };
  const large = [...grouped(sources, "session"), ...grouped(sources, "document")]
    .map((subject) => ({ subject, bytes: subject.sources.reduce((sum, { text }) => sum + utf8Length(text), 0) }))
    .filter(({ bytes }) => bytes >= SUMMARY_REFRESH_BYTES)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, SUMMARIES_PER_ENTITY_MAX)
    .map(({ subject }) => subject)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return [entity, ...large];
}

function grouped(sources: readonly SummarySource[], by: "session" | "document"): readonly Subject[] {
  const groups = new Map<string, SummarySource[]>();
  for (const source of sources) {
    const name = source[by];
    if (name !== null) groups.set(name, [...(groups.get(name) ?? []), source]);
  }
  return [...groups].map(([name, of]) => ({
    key: `${by}:${name}`,
    session: by === "session" ? name : null,
    sources: of,
  }));
}
