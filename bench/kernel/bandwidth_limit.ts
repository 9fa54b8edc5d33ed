/** The limit of a scan as a contender: it answers nothing. What it runs is in bandwidth.ts. */
import { ANOTHER_KIND, type Contender } from "./contender.ts";

const PAGE_BYTES = 65_536;
const BLOCK_BYTES = 64;
export const LIMIT = "limit: one read of the codes";

export function bandwidthLimit(reader: WebAssembly.Module): Contender {
  return {
    system: LIMIT,
    ours: false,
    async open({ vectors }) {
      if (vectors === null) return ANOTHER_KIND;
      const bytes = Math.ceil((vectors.count * vectors.dimensions) / BLOCK_BYTES) * BLOCK_BYTES;
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
      // Written once: memory that was never touched is not there to be read.
      new Uint8Array(memory.buffer).fill(1);
      const { read } = new WebAssembly.Instance(reader, { env: { memory } }).exports as {
        read(at: number, bytes: number): number;
      };
      return {
        settings: `${bytes} bytes`,
        buildMs: 0,
        bytes,
        coldLoadMs: null,
        prepare(set) {
          if (set.leg !== "vector" || set.questions.some(({ filter }) => filter !== null)) return ANOTHER_KIND;
          return () => {
            read(0, bytes);
            return [];
          };
        },
      };
    },
  };
}
