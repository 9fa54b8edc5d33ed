/**
 * Loads the peers in Node. They are installed in this folder alone (`npm ci` here; `npm run bench` does it), and are
 * imported by name at run time, so that nothing else of the project needs them. One that is absent or does not load is
 * named with the reason.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Contender } from "../kernel/contender.ts";
import type { Analyze } from "../kernel/exact.ts";
import type { Refusal } from "../kernel/session.ts";
import { type HnswlibNode, hnswlibNode } from "./hnswlib_node.ts";
import { type LanceDb, lanceDb } from "./lancedb.ts";
import { PORTABLE_PEERS } from "./portable_peers.ts";
import { type SqliteVec, sqlite } from "./sqlite.ts";
import { type Usearch, usearch } from "./usearch.ts";
import { type Wink, wink } from "./wink.ts";

export const PEERS_FOLDER = import.meta.dirname;
const MODULES = join(PEERS_FOLDER, "node_modules");
const LANCE_THREADS = "4";

interface Peer {
  readonly name: string;
  load(): Promise<unknown>;
  contender(library: unknown, version: string, analyze: Analyze): Contender;
}

const imported = (name: string): Promise<unknown> => import(name);

const PEERS: readonly Peer[] = [
  peer("hnswlib-node", (library, version) => hnswlibNode(library as HnswlibNode, version)),
  peer("usearch", (library, version) => usearch(library as Usearch, version)),
  peer(
    "hnswlib-wasm",
    () => {
      throw new Error("it loads here now: give it a contender");
    },
    loadHnswlibWasm,
  ),
  peer("edgevec", portable("edgevec"), loadEdgevec),
  peer("voy-search", portable("voy-search"), loadVoy),
  peer("minisearch", portable("minisearch")),
  peer("@orama/orama", portable("@orama/orama")),
  peer("flexsearch", portable("flexsearch")),
  peer("wink-bm25-text-search", (library, version, analyze) => wink(library as Wink, version, analyze)),
  peer("@lancedb/lancedb", (library, version) => lanceDb(library as LanceDb, version), loadLanceDb),
  peer("sqlite-vec", (library, version) => sqlite(library as SqliteVec, version)),
];

export interface LoadedPeers {
  readonly contenders: readonly Contender[];
  readonly absent: readonly Refusal[];
}

export async function nodePeers(analyze: Analyze): Promise<LoadedPeers> {
  const contenders: Contender[] = [];
  const absent: Refusal[] = [];
  for (const { name, load, contender } of PEERS) {
    const version = installedVersion(name);
    if (version === null) {
      absent.push({ system: name, reason: "it is not installed" });
      continue;
    }
    try {
      contenders.push(contender(await load(), version, analyze));
    } catch (error) {
      const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      absent.push({ system: `${name} ${version}`, reason });
    }
  }
  return { contenders, absent };
}

/** null when it is not installed. */
export function installedVersion(name: string): string | null {
  const file = join(MODULES, name, "package.json");
  if (!existsSync(file)) return null;
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, "utf8"))).version;
}

function peer(name: string, contender: Peer["contender"], load: Peer["load"] = () => imported(name)): Peer {
  return { name, load, contender };
}

function portable(name: string): Peer["contender"] {
  return (library, version) => {
    const make = PORTABLE_PEERS[name];
    if (make === undefined) throw new Error(`${name} is not among the portable peers`);
    return make(library, version);
  };
}

/** Its glue is written for the web: it is handed the bytes that it would fetch. */
async function loadEdgevec(): Promise<unknown> {
  const library = (await imported("edgevec")) as { default(input: { module_or_path: Uint8Array }): Promise<unknown> };
  await library.default({ module_or_path: readFileSync(join(MODULES, "edgevec", "edgevec_bg.wasm")) });
  return library;
}

/** Its glue expects a bundler to instantiate the module. */
async function loadVoy(): Promise<unknown> {
  const library = (await imported("voy-search/voy_search_bg.js")) as { __wbg_set_wasm(exports: unknown): void };
  const bytes = readFileSync(join(MODULES, "voy-search", "voy_search_bg.wasm"));
  const module: WebAssembly.Module = Reflect.construct(WebAssembly.Module, [bytes]);
  const instance = new WebAssembly.Instance(module, { "./voy_search_bg.js": library as never });
  library.__wbg_set_wasm(instance.exports);
  return library;
}

/**
 * It warns on every question of a column that it will not add to answers one day. On two cores it would give its pool
 * one thread, on which building a full-text index waits for itself for ever.
 */
function loadLanceDb(): Promise<unknown> {
  process.env.LANCEDB_LOG ??= "error";
  process.env.LANCE_CPU_THREADS ??= LANCE_THREADS;
  return imported("@lancedb/lancedb");
}

/** Compiled for browsers only. It prints what it throws, which is reported anyway. */
async function loadHnswlibWasm(): Promise<unknown> {
  const library = (await imported("hnswlib-wasm/dist/hnswlib.js")) as { loadHnswlib(): Promise<unknown> };
  const { error } = console;
  console.error = () => {};
  try {
    return await library.loadHnswlib();
  } finally {
    console.error = error;
  }
}
