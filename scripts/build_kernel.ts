/**
 * Compiles wasm/assembly to wasm/build/kernel.wasm. Does nothing when the result is newer than everything it is made of.
 * The same sources give the same bytes.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const ROOT = new URL("../", import.meta.url);
const SOURCES = new URL("wasm/assembly/", ROOT);
const OUTPUT = new URL("wasm/build/kernel.wasm", ROOT);

const OPTIONS = [
  "--runtime",
  "stub",
  "--enable",
  "simd",
  "--importMemory",
  "--noAssert",
  "--optimizeLevel",
  "3",
  "--shrinkLevel",
  "0",
  "--converge",
  "--pedantic",
];

function modifiedMs(file: URL): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

export function kernelIsFresh(): boolean {
  const inputs = readdirSync(SOURCES).map((name) => new URL(name, SOURCES));
  const newest = Math.max(modifiedMs(new URL(import.meta.url)), ...inputs.map(modifiedMs));
  return modifiedMs(OUTPUT) > newest;
}

/** Compiles to a name of its own, then renames: who reads the result meanwhile reads a whole one. */
export async function buildKernel(): Promise<void> {
  mkdirSync(new URL(".", OUTPUT), { recursive: true });
  const unfinished = new URL(`kernel.${randomUUID()}.wasm`, OUTPUT);
  const arguments_ = [fileURLToPath(new URL("index.ts", SOURCES)), "--outFile", fileURLToPath(unfinished), ...OPTIONS];
  const { error, stderr } = await asc.main(arguments_);
  if (error !== null) throw new Error(`The kernel does not compile.\n${stderr.toString()}`, { cause: error });
  renameSync(unfinished, OUTPUT);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (kernelIsFresh()) {
    console.log("kernel: up to date");
  } else {
    await buildKernel();
    console.log(`kernel: ${statSync(OUTPUT).size} bytes`);
  }
}
