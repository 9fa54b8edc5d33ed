/**
 * Ingest → index → query, with the figures of each step.
 */
import type { ConnectorItem } from "../../adapters/connectors/item.ts";
import { importItems, waitUntilIndexed } from "./importer.ts";
import type { Plane } from "./plane.ts";
import { count, ms, perSecond, printAnswer } from "./print.ts";
import { progressBar } from "./progress.ts";
import type { Question } from "./questions.ts";

type Accepted = Extract<ConnectorItem, { ok: true }>;

export interface Walk {
  readonly items: AsyncIterable<ConnectorItem>;
  fraction(): number;
  observe(item: Accepted): void;
  questions(): readonly Question[];
}

/** The questions that were asked. */
export async function walk(plane: Plane, { items, fraction, observe, questions }: Walk): Promise<readonly Question[]> {
  const startedMs = performance.now();
  const entities = await ingest(plane, items, observe, fraction);
  const events = await index(plane, entities);
  const totalMs = performance.now() - startedMs;
  if (events > 0) console.log(`total    ${count(events, "event")} in ${ms(totalMs)}, ${perSecond(events, totalMs)}`);
  const asked = questions();
  for (const question of asked) {
    const sentMs = performance.now();
    const answer = await plane.search(question.entity, question.body);
    printAnswer(question, answer, performance.now() - sentMs);
  }
  return asked;
}

async function ingest(
  plane: Plane,
  items: AsyncIterable<ConnectorItem>,
  observe: (item: Accepted) => void,
  fraction: () => number,
): Promise<readonly string[]> {
  const bar = progressBar("ingested");
  const startedMs = performance.now();
  const report = await importItems(plane, items, observe, (acknowledged) => {
    bar.update(fraction(), `${count(acknowledged)} events, ${perSecond(acknowledged, performance.now() - startedMs)}`);
  });
  const known = report.duplicates > 0 ? `, ${count(report.duplicates)} were there already` : "";
  bar.done(
    1,
    `${count(report.accepted, "event")} of ${count(report.entities.length, "entity", "entities")}${known}, ` +
      `${count(report.bytes)} bytes, ${ms(report.ms)}, ${perSecond(report.accepted + report.duplicates, report.ms)}`,
  );
  if (report.refused > 0) {
    console.log(`refused  ${count(report.refused)}, the first of them:`);
    for (const refusal of report.refusals) console.log(`         ${refusal}`);
  }
  return report.entities;
}

/** The events of these entities, indexed or not. */
async function index(plane: Plane, entities: readonly string[]): Promise<number> {
  if (entities.length === 0) return 0;
  const bar = progressBar("indexed");
  const report = await waitUntilIndexed(plane, entities, (indexed, events) => {
    bar.update(events === 0 ? 1 : indexed / events, `${count(indexed)} of ${count(events)} events`);
  });
  const indexed = report.events - report.unindexed;
  const figures = `${count(report.commits, "commit")} → ${count(report.shards, "shard")}, ${count(report.shardBytes)} bytes, ${ms(report.ms)}`;
  bar.done(
    report.events === 0 ? 1 : indexed / report.events,
    `${count(indexed)} of ${count(report.events, "event")}, ${figures}`,
  );
  if (report.unindexed > 0) {
    console.log(
      `         ${count(report.unindexed, "event")} of ${count(report.unindexedEntities, "entity", "entities")} wait in the tail, where every search finds them too.`,
    );
  }
  return report.events;
}
