/** The search kernel of a simulation: real, but with slabs so small and few that entities take them from each other. */
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { loadKernel } from "../kernel/load_kernel.ts";

const MIB = 1_048_576;
const module = await loadKernel();

export const builder = createKernelBuilder(module);
export const checksum = createKernelChecksum(module);
export const slabs = createSlabPool(module, [{ bytes: MIB, count: 2 }]);
/** Of the front door. */
export const doorSlabs = createSlabPool(module, [{ bytes: MIB, count: 1 }]);
