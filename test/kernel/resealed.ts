/** As one who means harm would: a section was changed, and its checksum made right again. */
import { createKernelInstance } from "../../wasm/kernel_instance.ts";
import { kernelModule } from "./fixture.ts";

const MIB = 1024 * 1024;
const CHECKSUM_AT = 16;
const COVERED_FROM = 24;

const instance = createKernelInstance(kernelModule, MIB, MIB);

export function resealed(bytes: Uint8Array): Uint8Array {
  const covered = bytes.slice(COVERED_FROM, bytes.length - (bytes.length % 8));
  const checksum = instance.frame(() => {
    const at = instance.take(covered.length);
    instance.putBytes(at, covered);
    return instance.kernel.checksumOf(at, covered.length);
  });
  const out = bytes.slice();
  if (out.length >= COVERED_FROM)
    new DataView(out.buffer).setBigUint64(CHECKSUM_AT, BigInt.asUintN(64, checksum), true);
  return out;
}
