/**
 * Zip in and out, over fflate. Writing streams, one entry in memory at a time. Reading goes by the central directory,
 * never by scanning for signatures, which compressed bytes may hold by chance.
 */
import { type UnzipFileInfo, unzipSync, Zip, ZipDeflate } from "fflate";
import { fail, ok, type Result, unprocessable } from "../../core/errors.ts";
import {
  ARCHIVE_BATCH_BYTES,
  ARCHIVE_ENTRIES_MAX,
  ARCHIVE_ENTRY_BYTES_MAX,
  ARCHIVE_INFLATED_BYTES_MAX,
  ZIP_BYTES_MAX,
  ZIP_ENTRIES_MAX,
} from "../../core/limits.ts";

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const DEFLATE_LEVEL = 3;
/** One time for all entries, so that equal entries make equal zips. The format begins in 1980, in local time. */
const ENTRY_TIME = "1980-01-02T12:00:00Z";

/** Pulls one entry whenever the reader wants more. A fault of `entries` breaks the stream off. */
export function zipStream(entries: AsyncIterable<ZipEntry>): ReadableStream<Uint8Array> {
  const source = entries[Symbol.asyncIterator]();
  let count = 0;
  let size = 0;
  let chunks: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error !== null) throw error;
    chunks.push(chunk);
    size += chunk.length;
  });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await source.next();
      if (next.done === true) zip.end();
      else addEntry(zip, next.value);
      count++;
      if (count > ZIP_ENTRIES_MAX || size > ZIP_BYTES_MAX) throw new RangeError("more than a zip can count");
      for (const chunk of chunks) controller.enqueue(chunk);
      chunks = [];
      if (next.done === true) controller.close();
    },
    async cancel() {
      await source.return?.();
    },
  });
}

function addEntry(zip: Zip, { name, bytes }: ZipEntry): void {
  const file = new ZipDeflate(name, { level: DEFLATE_LEVEL });
  file.mtime = ENTRY_TIME;
  zip.add(file);
  file.push(bytes, true);
}

export interface ZipLimits {
  readonly entries: number;
  readonly entryBytes: number;
  readonly inflatedBytes: number;
}

export const ARCHIVE_ZIP_LIMITS: ZipLimits = {
  entries: ARCHIVE_ENTRIES_MAX,
  entryBytes: ARCHIVE_ENTRY_BYTES_MAX,
  inflatedBytes: ARCHIVE_INFLATED_BYTES_MAX,
};

export interface ZipReader {
  /** Files by the directory's order, with the inflated bytes that it declares. Folders are left out. */
  readonly entries: readonly { readonly name: string; readonly bytes: number }[];
  /** Inflates the named files. Refused by name when one is not there or not what the directory declares. */
  read(names: ReadonlySet<string>): Result<ReadonlyMap<string, Uint8Array>>;
}

/** Nothing is inflated before what the directory declares is within the limits, and nothing beyond it after. */
export function openZip(bytes: Uint8Array, limits: ZipLimits): Result<ZipReader> {
  const listed = listFiles(bytes, limits.entries);
  if (listed === null) return fail(unprocessable("archive", "is not a zip"));
  const problem = beyondLimits(listed, limits);
  if (problem !== null) return problem;
  const files = listed.filter(({ name }) => !name.endsWith("/"));
  const sizes = new Map(files.map(({ name, originalSize }) => [name, originalSize]));
  if (sizes.size !== files.length) return fail(unprocessable("archive", "has two entries of one name"));
  return ok({
    entries: files.map(({ name, originalSize }) => ({ name, bytes: originalSize })),
    read: (names) => readFiles(bytes, sizes, names),
  });
}

/** `names` in groups of at most ARCHIVE_BATCH_BYTES inflated, or one entry: what to read at once. */
export function zipBatches(entries: ZipReader["entries"]): ReadonlySet<string>[] {
  const batches: Set<string>[] = [];
  let left = 0;
  for (const { name, bytes } of entries) {
    if (batches.length === 0 || bytes > left) {
      batches.push(new Set());
      left = ARCHIVE_BATCH_BYTES;
    }
    batches.at(-1)?.add(name);
    left -= bytes;
  }
  return batches;
}

/** At most one more than `entriesMax`: a directory may claim billions. null when there is none that can be read. */
function listFiles(bytes: Uint8Array, entriesMax: number): UnzipFileInfo[] | null {
  const files: UnzipFileInfo[] = [];
  try {
    unzipSync(bytes, {
      filter: (file) => {
        files.push(file);
        if (files.length > entriesMax) throw new RangeError("enough");
        return false;
      },
    });
  } catch {
    if (files.length <= entriesMax) return null;
  }
  return files;
}

function beyondLimits(files: readonly UnzipFileInfo[], limits: ZipLimits): Result<never> | null {
  const total = files.reduce((sum, { originalSize }) => sum + originalSize, 0);
  const largest = files.reduce((max, { originalSize }) => Math.max(max, originalSize), 0);
  const checks = [
    { what: "Entries of the archive", size: files.length, max: limits.entries, unit: "entries" },
    { what: "The largest entry of the archive", size: largest, max: limits.entryBytes, unit: "bytes" },
    { what: "The archive, inflated", size: total, max: limits.inflatedBytes, unit: "bytes" },
  ];
  const beyond = checks.find(({ size, max }) => size > max);
  return beyond === undefined ? null : fail({ reason: "too_large", ...beyond });
}

function readFiles(
  bytes: Uint8Array,
  sizes: ReadonlyMap<string, number>,
  names: ReadonlySet<string>,
): Result<ReadonlyMap<string, Uint8Array>> {
  let current = "archive";
  try {
    const inflated = unzipSync(bytes, {
      filter: ({ name }) => {
        if (!names.has(name)) return false;
        current = name;
        return true;
      },
    });
    const files = new Map(Object.entries(inflated));
    for (const name of names) {
      if (!files.has(name) || files.get(name)?.length !== sizes.get(name))
        return fail(unprocessable(name, "is not what the archive declares"));
    }
    return ok(files);
  } catch {
    return fail(unprocessable(current, "could not be inflated"));
  }
}
