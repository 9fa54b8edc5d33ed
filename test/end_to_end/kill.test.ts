/**
 * kill -9 in mid-ingest and restart, with a ledger of what was acknowledged. KILLS sets how often; a few by default.
 */
import { rm } from "node:fs/promises";
import { afterAll, expect, test } from "vitest";
import { type SpawnedRuntime, spawnRuntime, temporaryStateDir } from "../runtime/boot.ts";
import { json, pathOf, search, timeline, untilIndexed } from "./plane.ts";

const KILLS = Number(process.env.KILLS ?? 7);
const PORT = 18_787;
const ENTITIES = ["account:a", "account:b", "account:c"];
const WRITERS = 6;
const RUN_MS_MAX = 1_200;

const stateDir = await temporaryStateDir();
let plane: SpawnedRuntime | null = null;
afterAll(async () => {
  await plane?.kill();
  await rm(stateDir, { recursive: true, force: true });
});

test(
  `after ${KILLS} kills every acknowledged event is there, once`,
  async () => {
    const acknowledged = new Map(ENTITIES.map((entity) => [entity, new Set<string>()]));
    const sent = new Set<string>();
    for (let round = 0; round < KILLS; round += 1) {
      const running = await spawnRuntime(stateDir, PORT);
      plane = running;
      await checkLedger(running, acknowledged, sent);
      const writers = Array.from({ length: WRITERS }, (_, writer) =>
        writeUntilDead(running, `${round}-${writer}`, acknowledged, sent),
      );
      await new Promise((resolve) => setTimeout(resolve, 200 + ((round * 397) % RUN_MS_MAX)));
      await running.kill();
      await Promise.all(writers);
    }
    plane = await spawnRuntime(stateDir, PORT);
    await checkLedger(plane, acknowledged, sent);
    for (const entity of ENTITIES) await untilIndexed(plane.call, entity);
    await checkLedger(plane, acknowledged, sent);
    const all = [...acknowledged.values()].reduce((sum, ids) => sum + ids.size, 0);
    expect(all).toBeGreaterThan(0);
  },
  120_000 + KILLS * 20_000,
);

async function writeUntilDead(
  running: SpawnedRuntime,
  writer: string,
  acknowledged: ReadonlyMap<string, Set<string>>,
  sent: Set<string>,
): Promise<void> {
  for (let n = 0; ; n += 1) {
    const entity = ENTITIES[n % ENTITIES.length] ?? "";
    const ids = [`${writer}-${n}-x`, `${writer}-${n}-y`];
    for (const id of ids) sent.add(id);
    const events = ids.map((id) => ({ id, text: `event ${id} of the ledger` }));
    try {
      const answer = await running.call("POST", pathOf(entity, "/events"), { events });
      if (answer.status === 201) for (const id of ids) acknowledged.get(entity)?.add(id);
      await answer.arrayBuffer();
    } catch {
      return;
    }
  }
}

async function checkLedger(
  running: SpawnedRuntime,
  acknowledged: ReadonlyMap<string, ReadonlySet<string>>,
  sent: ReadonlySet<string>,
): Promise<void> {
  for (const [entity, ids] of acknowledged) {
    if (ids.size === 0) continue;
    const found = await timeline(running.call, entity);
    expect(new Set(found).size).toBe(found.length);
    const missing = [...ids].filter((id) => !found.includes(id));
    expect(missing).toEqual([]);
    expect(found.filter((id) => !sent.has(id))).toEqual([]);
    const [last] = [...ids].slice(-1);
    const hits = await search(running.call, entity, { text: last ?? "", mode: "text" });
    expect(hits.hits[0]?.id).toBe(last);
    await json(running.call("GET", pathOf(entity)));
  }
}
