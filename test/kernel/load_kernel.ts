/** The compiled kernel for tests, built first when its sources are newer. */
import { readFileSync } from "node:fs";
import { buildKernel, kernelIsFresh } from "../../scripts/build_kernel.ts";

const KERNEL = new URL("../../wasm/build/kernel.wasm", import.meta.url);

export async function loadKernel(): Promise<WebAssembly.Module> {
  if (!kernelIsFresh()) await buildKernel();
  // The types of Workers know no constructor: there a module can only be imported.
  return Reflect.construct(WebAssembly.Module, [readFileSync(KERNEL)]);
}
