/** A script that uses its bucket as the tests ask it to, with the harness of production around it. */
import { WorkerEntrypoint } from "cloudflare:workers";

interface Env {
  readonly BUCKET: R2Bucket;
  readonly SELF: { swallow(bytes: Uint8Array): Promise<number> };
}

export class Probe extends WorkerEntrypoint<Env> {
  swallow(bytes: Uint8Array): number {
    return bytes.length;
  }
}

const PROBES: Readonly<Record<string, (env: Env) => Promise<unknown>>> = {
  async get(env) {
    await env.BUCKET.get("absent");
  },
  async put(env) {
    await env.BUCKET.put("once", new Uint8Array(1));
  },
  /** One more than may wait for their headers at once. */
  async seven(env) {
    await Promise.all(Array.from({ length: 7 }, (_, n) => env.BUCKET.get(`absent-${n}`)));
  },
  async twice(env) {
    await env.BUCKET.put("twice", new Uint8Array(1));
    await env.BUCKET.put("twice", new Uint8Array(2));
  },
  async others(env) {
    await Promise.all(["a", "b", "c"].map((key) => env.BUCKET.put(key, new Uint8Array(1))));
  },
  async listed(env) {
    await env.BUCKET.put("listed", new Uint8Array([7]), { customMetadata: { of: "probe" } });
    const object = await env.BUCKET.get("listed");
    const { objects } = await env.BUCKET.list({ prefix: "listed" });
    const bytes = [...new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0))];
    await env.BUCKET.delete("listed");
    const head = await env.BUCKET.head("listed");
    return { bytes, metadata: object?.customMetadata, keys: objects.map(({ key }) => key), head };
  },
  fits: (env) => env.SELF.swallow(new Uint8Array(31 * 2 ** 20)),
  tooLarge: (env) => env.SELF.swallow(new Uint8Array(33 * 2 ** 20)),
};

export default {
  async fetch(request, env) {
    const probe = PROBES[new URL(request.url).pathname.slice(1)];
    if (probe === undefined) return new Response(null, { status: 404 });
    const fromMs = Date.now();
    const outcome = await probe(env).then(
      (value) => ({ value: value ?? null, error: null }),
      (error: Error) => ({ value: null, error: error.message }),
    );
    return Response.json({ ...outcome, ms: Date.now() - fromMs });
  },
} satisfies ExportedHandler<Env>;
