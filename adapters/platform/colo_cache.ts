/**
 * The cache of the data centre that this isolate runs in. It takes whole bodies only, under addresses of our own that
 * nothing serves. Where it does nothing (no custom domain) or fails, it is as if it had forgotten.
 */
import { COLO_CACHE_SECONDS } from "../../core/limits.ts";
import type { BlockCache } from "../../core/ports.ts";
import { logFault } from "./fault_log.ts";

/** `.invalid` never resolves. The name is one segment of the path, so no part of it can lead elsewhere. */
function addressOf(name: string): string {
  return `https://blocks.invalid/${encodeURIComponent(name)}`;
}

export const coloCache: BlockCache = {
  async get(name) {
    try {
      const found = await caches.default.match(addressOf(name));
      return found === undefined ? null : new Uint8Array(await found.arrayBuffer());
    } catch (cause) {
      logFault("colo_cache_failed", cause);
      return null;
    }
  },

  async put(name, bytes) {
    const headers = { "Cache-Control": `public, max-age=${COLO_CACHE_SECONDS}, immutable` };
    try {
      await caches.default.put(addressOf(name), new Response(bytes, { headers }));
    } catch (cause) {
      logFault("colo_cache_failed", cause);
    }
  },
};
