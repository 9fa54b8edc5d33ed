/** The R2 adapter over the real local R2 of workerd. */
import { Miniflare } from "miniflare";
import { afterAll } from "vitest";
import { type Bucket, r2Store } from "../../adapters/storage/r2_store.ts";
import { objectStoreContract } from "./object_store_contract.ts";

const runtime = new Miniflare({
  workers: [
    {
      config: {
        name: "store",
        compatibilityDate: "2026-11-01",
        manifest: { mainModule: "store.mjs", modules: { "store.mjs": { type: "esm", contents: "export default {}" } } },
        env: { BUCKET: { type: "r2", name: "context" } },
      },
    },
  ],
});
afterAll(() => runtime.dispose());

objectStoreContract("R2", async () => r2Store((await runtime.getBindings<{ BUCKET: Bucket }>()).BUCKET));
