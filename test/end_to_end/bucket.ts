/** The bucket of a plane that is stopped: what operators and accidents do to it behind its back. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const BUCKET = "context-plane";
const SCRIPT = "export default { fetch: () => new Response() }";

type Bucket = Awaited<ReturnType<Miniflare["getR2Bucket"]>>;

export async function withBucket(stateDir: string, act: (bucket: Bucket) => Promise<void>): Promise<void> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      resourcePersistencePath: join(stateDir, "v3"),
      cf: false,
      telemetry: { enabled: false },
      workers: [{ name: "keeper", modules: true, script: SCRIPT, r2Buckets: { BUCKET } }],
    }),
  );
  try {
    await act(await miniflare.getR2Bucket("BUCKET"));
  } finally {
    await miniflare.dispose();
  }
}

/** Leaves nothing but truth: no shard, no head, and no state of any object. */
export async function deleteDerived(stateDir: string): Promise<void> {
  await withBucket(stateDir, async (bucket) => {
    let cursor: string | undefined;
    do {
      const page = await bucket.list({ ...(cursor === undefined ? {} : { cursor }) });
      const derived = page.objects.map(({ key }) => key).filter((key) => /\/(indexes|heads)\/|\/head\.json$/.test(key));
      if (derived.length > 0) await bucket.delete(derived);
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
  });
  await rm(join(stateDir, "v3", "do"), { recursive: true, force: true });
}
