/**
 * Sessions in workerd: the same contenders, bundled as a Worker and driven through Miniflare. A process holds one corpus:
 * the heap does not come back while it lives, and with a second corpus of 100k documents in it, the process dies.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { build, type Plugin } from "vite";
import { installedVersion, PEERS_FOLDER } from "../peers/node_peers.ts";
import { PORTABLE_PEERS } from "../peers/portable_peers.ts";
import { packCorpus } from "./corpus_bytes.ts";
import type { Binaries } from "./node_process.ts";
import type { AskReport, OpenRefusal, OpenReport, Runtime, SystemName } from "./session.ts";

const VIRTUAL = "virtual:libraries";
const MODULES = join(PEERS_FOLDER, "node_modules");
/** Web glue names its WebAssembly file for a fetch that never happens here; a bundler would inline the file. */
const WEB_ASSET = /new URL\((['"])[\w.]+\.wasm\1, import\.meta\.url\)/g;

/** The bundle is made once; every session is a process of its own. */
export async function workerdRuntime({ kernel, reader }: Binaries): Promise<Runtime> {
  const names = Object.keys(PORTABLE_PEERS);
  const installed = names.filter((name) => installedVersion(name) !== null);
  const wasm = { "kernel.wasm": kernel, "reader.wasm": reader, ...peerModules(installed) };
  const modules = Object.fromEntries(
    Object.entries(wasm).map(([name, contents]) => [name, { type: "wasm" as const, contents }]),
  );
  const main = { type: "esm" as const, contents: await bundled(installed) };
  const worker = {
    name: "bench",
    compatibilityDate: "2026-11-01",
    compatibilityFlags: ["nodejs_compat"],
    manifest: { mainModule: "worker.mjs", modules: { "worker.mjs": main, ...modules } },
  };
  const absent = names
    .filter((name) => !installed.includes(name))
    .map((system) => ({ system, reason: "it is not installed" }));
  return {
    async start(corpus, budgets) {
      const miniflare = new Miniflare({ workers: [{ config: worker }] });
      const post = poster(miniflare, budgets.silenceMsMax);
      // A process that is gone already may not take its leave.
      const end = (): Promise<void> => miniflare.dispose().catch(() => undefined);
      try {
        const parameters = Object.entries(budgets).map(([name, ms]) => `${name}=${ms}`);
        const systems = (await post(`/corpus?${parameters.join("&")}`, packCorpus(corpus))) as readonly SystemName[];
        return {
          systems,
          absent,
          open: (system) => post("/open", system) as Promise<OpenReport | OpenRefusal>,
          ask: (set) =>
            post(
              "/ask",
              JSON.stringify(set, (_, value) => (value instanceof Float32Array ? [...value] : value)),
            ) as Promise<AskReport>,
          end,
        };
      } catch (error) {
        await end();
        throw error;
      }
    },
  };
}

type Post = (path: string, body: Uint8Array<ArrayBuffer> | string) => Promise<unknown>;

function poster(miniflare: Miniflare, msMax: number): Post {
  return async (path, body) => {
    await miniflare.ready;
    const asked = { method: "POST", body, signal: AbortSignal.timeout(msMax) };
    const answer = await miniflare.dispatchFetch(`http://bench${path}`, asked).catch((error: Error) => {
      const isSilent = error.name === "TimeoutError";
      const reason = isSilent ? `was silent for ${msMax / 1_000} s` : `ended: ${error.message}`;
      throw new Error(`its process ${reason}`, { cause: error });
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${(await answer.text()).slice(0, 1_000)}`);
    return answer.json();
  };
}

function peerModules(installed: readonly string[]): Record<string, Uint8Array<ArrayBuffer>> {
  const read = (...path: string[]): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(join(MODULES, ...path)));
  return {
    ...(installed.includes("edgevec") && { "edgevec.wasm": read("edgevec", "edgevec_bg.wasm") }),
    ...(installed.includes("voy-search") && { "voy.wasm": read("voy-search", "voy_search_bg.wasm") }),
  };
}

async function bundled(installed: readonly string[]): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [librariesPlugin(installed)],
    build: {
      write: false,
      minify: false,
      target: "esnext",
      lib: { entry: join(import.meta.dirname, "in_workerd.ts"), formats: ["es"] },
      rollupOptions: { external: [/^node:/, /\.wasm$/], output: { codeSplitting: false } },
    },
  });
  for (const output of Array.isArray(result) ? result : [result]) {
    if ("output" in output && output.output[0].type === "chunk") return output.output[0].code;
  }
  throw new Error("nothing was bundled");
}

function librariesPlugin(installed: readonly string[]): Plugin {
  return {
    name: "libraries",
    enforce: "pre",
    resolveId: (id) => (id === VIRTUAL ? `\0${VIRTUAL}` : null),
    load: (id) => (id === `\0${VIRTUAL}` ? librariesSource(installed) : null),
    transform: (code, id) => (id.startsWith(MODULES) ? code.replaceAll(WEB_ASSET, '""') : null),
  };
}

function librariesSource(installed: readonly string[]): string {
  const parts = installed.map((name, index) => {
    const version = JSON.stringify(installedVersion(name));
    const as = `library${index}`;
    const { imports, library } = bindingOf(name, as);
    return { imports, entry: `${JSON.stringify(name)}: { library: ${library}, version: ${version} }` };
  });
  return [
    'import kernel from "kernel.wasm";',
    'import reader from "reader.wasm";',
    ...parts.map(({ imports }) => imports),
    "export { kernel, reader };",
    `export const libraries = { ${parts.map(({ entry }) => entry).join(", ")} };`,
  ].join("\n");
}

/** How a package is imported, and made ready, where there is no file system. */
function bindingOf(name: string, as: string): { readonly imports: string; readonly library: string } {
  if (name === "edgevec") {
    const file = JSON.stringify(join(MODULES, name, "edgevec.js"));
    const ready = `await ${as}.default({ module_or_path: ${as}Module });`;
    return {
      imports: `import * as ${as} from ${file};\nimport ${as}Module from "edgevec.wasm";\n${ready}`,
      library: as,
    };
  }
  if (name === "voy-search") {
    const file = JSON.stringify(join(MODULES, name, "voy_search_bg.js"));
    const ready = `${as}.__wbg_set_wasm(new WebAssembly.Instance(${as}Module, { "./voy_search_bg.js": ${as} }).exports);`;
    return { imports: `import * as ${as} from ${file};\nimport ${as}Module from "voy.wasm";\n${ready}`, library: as };
  }
  return { imports: `import * as ${as} from ${JSON.stringify(join(MODULES, name, entryOf(name)))};`, library: as };
}

/** What the package gives to whoever imports it. */
function entryOf(name: string): string {
  const { exports } = JSON.parse(readFileSync(join(MODULES, name, "package.json"), "utf8")) as {
    exports: { ".": { import: string | { default: string } } };
  };
  const given = exports["."].import;
  return typeof given === "string" ? given : given.default;
}
