/** Everything that the store and SQLite hold, decompressed: what a word is looked for in. */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { openPart } from "../../core/index/open_part.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import type { EntityFixture } from "./entity_fixture.ts";

const kernel = await loadKernel();
const builder = createKernelBuilder(kernel);
const ports = { compression: nodeCompression, digest: nodeDigest, checksum: createKernelChecksum(kernel) };
const BYTES_MAX = 64 * 1024 * 1024;
const TABLES = ["state", "tail", "shards", "shard_bytes", "idempotency"];

/** Where a word stands: keys of objects, and names of tables. */
export async function placesOf(fixture: EntityFixture, word: string): Promise<string[]> {
  const places: string[] = [];
  for (const key of await fixture.keys()) {
    const stored = await fixture.store.get(key);
    const metadata = JSON.stringify(stored?.metadata ?? {});
    if (stored !== null && (metadata.includes(word) || says(stored.bytes, word))) places.push(key);
  }
  for (const table of TABLES) if (tableSays(fixture, table, word)) places.push(table);
  return places;
}

function tableSays({ sql }: EntityFixture, table: string, word: string): boolean {
  const blobs = new Map<string, Uint8Array[]>();
  for (const row of sql.run(`SELECT * FROM ${table} ORDER BY 1, 2`)) {
    const { bytes, ids: _, name: copy, commit_no: commit, sha256, ...rest } = row;
    if (JSON.stringify([copy, rest]).includes(word)) return true;
    const name = String(copy ?? commit ?? sha256);
    if (ArrayBuffer.isView(bytes) || bytes instanceof ArrayBuffer)
      blobs.set(name, [...(blobs.get(name) ?? []), new Uint8Array(bytes as ArrayBuffer)]);
  }
  return [...blobs.values()].some((pages) => says(Buffer.concat(pages), word));
}

function says(bytes: Uint8Array, word: string): boolean {
  if (Buffer.from(bytes).includes(word)) return true;
  const raw = nodeCompression.unzstd(bytes, BYTES_MAX);
  if (raw.ok && Buffer.from(raw.value).includes(word)) return true;
  const part = openPart(bytes, ports);
  if (!part.ok) return false;
  const terms = builder.analyze(word);
  const places = builder.postingsPlaces(part.value.text.text, terms);
  if (places.ok && places.value.length > 0) return true;
  for (let row = 0; row < part.value.rows; row += 1) if (part.value.lineOfRow(row).includes(word)) return true;
  return [...part.value.columns.values()].some(({ values }) => JSON.stringify(values).includes(word));
}
