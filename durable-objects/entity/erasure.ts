/**
 * Erasure of an entity: `erased.json` first, then everything of the entity is swept from the store until
 * two listings a PUT_DEADLINE_MS apart are empty: a put that was under way when the erasure began has landed by then,
 * and is swept too. While it goes on the entity takes no writes; afterwards a new incarnation begins.
 */
import { entityPrefix, erasedKey } from "../../core/log/keys.ts";
import { storedBytes, storedErased } from "../../core/schema/stored.ts";
import type { EntityPorts } from "./ports.ts";
import type { EntityState } from "./state.ts";

export async function markErased(ports: EntityPorts, incarnation: number): Promise<void> {
  const erasure = storedErased({ incarnation, erasedAt: ports.clock.now() });
  await ports.store.put(erasedKey(ports.scope.entity), storedBytes(erasure));
}

type Erasing = NonNullable<EntityState["erasing"]>;

/** One sweep. null when the erasure is complete. */
export async function sweepErased(ports: EntityPorts, erasing: Erasing): Promise<Erasing | null> {
  // The mark may not have been written when the erasure was begun; what it marks must not outlive the sweep unmarked.
  if (erasing.emptySinceMs === null) await markErased(ports, erasing.incarnation);
  const deleted = await deleteAll(ports);
  const nowMs = ports.clock.now();
  if (deleted > 0 || erasing.emptySinceMs === null) return { ...erasing, emptySinceMs: nowMs };
  // Counted anew from a clock that was set back: the two listings are never less than the deadline apart.
  if (erasing.emptySinceMs > nowMs) return { ...erasing, emptySinceMs: nowMs };
  return nowMs - erasing.emptySinceMs >= ports.settings.putDeadlineMs ? null : erasing;
}

async function deleteAll(ports: EntityPorts): Promise<number> {
  const kept = erasedKey(ports.scope.entity);
  let deleted = 0;
  let cursor: string | null = null;
  do {
    const page = await ports.store.list(entityPrefix(ports.scope.entity), cursor);
    const keys = page.objects.map(({ key }) => key).filter((key) => key !== kept);
    if (keys.length > 0) await ports.store.delete(keys);
    deleted += keys.length;
    cursor = page.cursor;
  } while (cursor !== null);
  return deleted;
}
