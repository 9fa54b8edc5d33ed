/**
 * Builds the kernel and bundles the four scripts exactly as `wrangler deploy` uploads them, into
 * `dist/bundles/{digest of the sources}/{n}`: unchanged sources are bundled once, and processes that bundle at the
 * same time cannot see each other's half-written files.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { type DeployedScript, ROOT, runNode, SCRIPTS, WRANGLER, WRANGLER_OFFLINE } from "./deployment.ts";

export interface Bundle {
  readonly script: DeployedScript;
  /** Holds `worker.js` and the modules it imports. */
  readonly directory: string;
}

const SOURCES: readonly string[] = [
  "core",
  "adapters",
  "wasm",
  "durable-objects",
  "workers",
  "scripts/build_kernel.ts",
  "wrangler.toml",
  "tsconfig.json",
  "package-lock.json",
];
const NOT_SOURCES: ReadonlySet<string> = new Set(["wasm/build"]);
const BUNDLES = join(ROOT, "dist/bundles");
/** Bundles of earlier sources that stay, for whoever still runs them. */
const BUNDLES_KEPT = 3;
/** What a killed process left unfinished goes after this long. */
const UNFINISHED_KEPT_MS = 10 * 60 * 1000;

export async function bundle(): Promise<readonly Bundle[]> {
  const target = join(BUNDLES, await sourcesDigest());
  if (!existsSync(target)) await build(target);
  return SCRIPTS.map((script, index) => ({ script, directory: join(target, String(index)) }));
}

async function build(target: string): Promise<void> {
  await must("the kernel", ["scripts/build_kernel.ts"]);
  await mkdir(BUNDLES, { recursive: true });
  const unfinished = await mkdtemp(join(BUNDLES, ".unfinished-"));
  try {
    // All of them, failed or not: one that is still writing would bring the removed folder back.
    const outcomes = await Promise.allSettled(
      SCRIPTS.map(({ config }, index) =>
        must(config, [WRANGLER, "deploy", "--dry-run", "-c", config, "--outdir", join(unfinished, String(index))]),
      ),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await rename(unfinished, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  await removeOldBundles();
}

async function must(what: string, parameters: readonly string[]): Promise<void> {
  const { code, output } = await runNode(parameters, "capture", WRANGLER_OFFLINE);
  if (code !== 0) throw new Error(`building ${what} failed:\n${output}`);
}

/** SHA-256 over the names and bytes of everything a bundle is made of. */
export async function sourcesDigest(root: string = ROOT): Promise<string> {
  const digest = createHash("sha256");
  for (const source of SOURCES) {
    for (const file of await filesUnder(root, join(root, source))) {
      const bytes = await readFile(file);
      digest.update(`${relative(root, file)}\0${bytes.length}\0`).update(bytes);
    }
  }
  return digest.digest("hex").slice(0, 16);
}

async function filesUnder(root: string, path: string): Promise<readonly string[]> {
  if (!existsSync(path) || NOT_SOURCES.has(relative(root, path))) return [];
  if ((await stat(path)).isFile()) return [path];
  const names = (await readdir(path)).filter((name) => !name.startsWith(".") && name !== "dist").sort();
  return (await Promise.all(names.map((name) => filesUnder(root, join(path, name))))).flat();
}

async function removeOldBundles(): Promise<void> {
  const dated = await Promise.all(
    (await readdir(BUNDLES)).map(async (name) => ({
      name,
      atMs: (await stat(join(BUNDLES, name)).catch(() => null))?.mtimeMs ?? 0,
    })),
  );
  const finished = dated.filter(({ name }) => !name.startsWith(".")).sort((a, b) => b.atMs - a.atMs);
  const abandoned = dated.filter(({ name, atMs }) => name.startsWith(".") && Date.now() - atMs > UNFINISHED_KEPT_MS);
  const old = [...finished.slice(BUNDLES_KEPT), ...abandoned];
  await Promise.all(old.map(({ name }) => rm(join(BUNDLES, name), { recursive: true, force: true })));
}

if (import.meta.main) {
  for (const { script, directory } of await bundle()) {
    const { size } = await stat(join(directory, "worker.js"));
    console.log(`${script.config.padEnd(32)} ${(size / 1024).toFixed(0)} KiB  ${relative(ROOT, directory)}`);
  }
}
