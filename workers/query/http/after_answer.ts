/** What need not keep a caller waiting. */
import type { Timer } from "../../../core/ports.ts";

/** Once the answer goes out: what is done now would still be ahead of it. For `waitUntil`. */
export async function afterAnswer<T>(timer: Pick<Timer, "sleep">, work: () => T | Promise<T>): Promise<T> {
  await timer.sleep(0);
  return work();
}
