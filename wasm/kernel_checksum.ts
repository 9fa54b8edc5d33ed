/**
 * The checksum of shard files by a kernel instance of its own: bytes are copied through a scratch of one piece and
 * summed there. Nothing but the sum ever leaves the instance, so what the scratch still holds reaches nobody.
 */
import { CHECKSUM_PIECE_BYTES } from "../core/limits.ts";
import type { Checksum } from "../core/ports.ts";
import { createKernelInstance } from "./kernel_instance.ts";

/** The module's own data, and the scratch. */
const MEMORY_BYTES = 256 * 1024;
const WORD_BYTES = 8;

/** Throws when it is asked for more than CHECKSUM_PIECE_BYTES, or for a rest of a word: both are bugs. */
export function createKernelChecksum(module: WebAssembly.Module): Checksum {
  const instance = createKernelInstance(module, MEMORY_BYTES, MEMORY_BYTES);
  const scratch = instance.take(CHECKSUM_PIECE_BYTES);
  return {
    of(bytes) {
      if (bytes.length > CHECKSUM_PIECE_BYTES || bytes.length % WORD_BYTES !== 0)
        throw new RangeError(`a checksum of ${bytes.length} bytes`);
      instance.putBytes(scratch, bytes);
      return BigInt.asUintN(64, instance.kernel.checksumOf(scratch, bytes.length));
    },
  };
}
