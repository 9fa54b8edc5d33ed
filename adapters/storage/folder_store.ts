/**
 * The object store in a folder of the local file system: for Node, where scripts and tests need a store that outlives
 * their process. It keeps to the whole contract.
 *
 *   {folder}/tenants/{tenant}/{file}, {folder}/system/{file}    one file an object
 *   {folder}/staging/{random}                                   what is being written; never read
 *
 * A file is a u32 little-endian length, that many bytes of JSON `{key, metadata}`, then the object's bytes: one name in
 * the file system stands for all of it. It is written whole, and flushed, under a name of its own, and then linked
 * (create: fails if the name is taken) or renamed (put). So a crash leaves either nothing or the whole object, and at
 * worst a file in `staging`, which may be deleted whenever nothing writes. Hard links are needed.
 *
 * File names: bytes that are not a-z, 0-9, `.`, `_` or `-` are written `=hh`, upper-case letters among them, so file
 * systems that ignore case keep keys apart. A name that would be longer than file systems permit is `=sha256=` and the
 * digest of the key instead; `=s` begins no other name. Names are flat: a key may be the beginning of another.
 */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ObjectInfo, ObjectStore, TenantStore } from "../../core/ports.ts";
import { pageOfFolders, pageOfKeys } from "./paging.ts";
import { checkMetadata, checkRange, fullFolder, fullKey, fullPrefix, storeByPrefix } from "./tenant_prefix.ts";

/** Most file systems take 255 bytes. */
const FILE_NAME_BYTES_MAX = 240;
const HASHED = "=sha256=";
const LENGTH_BYTES = 4;

const headSchema = z.strictObject({ key: z.string(), metadata: z.record(z.string(), z.string()) });
type Head = z.infer<typeof headSchema>;

export function folderStore(folder: string): ObjectStore {
  return storeByPrefix((tenant, prefix) => tenantStore(folder, tenant, prefix));
}

function tenantStore(folder: string, tenant: string, prefix: string): TenantStore {
  const place = join(folder, ...prefix.split("/").slice(0, -1).map(fileName));
  const fileOf = (key: string): string => join(place, fileName(fullKey(prefix, key).slice(prefix.length)));
  const stage = (key: string, bytes: Uint8Array, metadata: Readonly<Record<string, string>>): Promise<string> => {
    checkMetadata(metadata);
    return writeStaged(join(folder, "staging"), { key, metadata: { ...metadata } }, bytes);
  };
  return {
    tenant,
    fullKey: (key) => fullKey(prefix, key),

    get: async (key) =>
      withFile(fileOf(key), async (file) => {
        const { metadata, begins, size } = await readHead(file);
        return { bytes: await readPiece(file, begins, size), metadata };
      }),

    async getRange(key, offset, length) {
      checkRange(offset, length);
      return withFile(fileOf(key), async (file) => {
        const { begins, size } = await readHead(file);
        if (offset >= size) throw new RangeError(`offset ${offset} is beyond the object's end`);
        return readPiece(file, begins + offset, Math.min(length, size - offset));
      });
    },

    async put(key, bytes, metadata = {}) {
      const file = fileOf(key);
      const staged = await stage(key, bytes, metadata);
      await mkdir(place, { recursive: true });
      await rename(staged, file);
      await flushFolder(place);
    },

    async create(key, bytes, metadata = {}) {
      const file = fileOf(key);
      const staged = await stage(key, bytes, metadata);
      await mkdir(place, { recursive: true });
      const created = await link(staged, file).then(() => true, orWhen("EEXIST", false));
      await rm(staged);
      await flushFolder(place);
      return created;
    },

    async list(listed, cursor = null) {
      const from = fullPrefix(prefix, listed).slice(prefix.length);
      const page = pageOfKeys(await keysIn(place), from, cursor);
      const objects: ObjectInfo[] = [];
      // One after another: a process may hold only so many files open.
      for (const key of page.names) {
        const head = await withFile(fileOf(key), readHead);
        // Without one it was deleted since the folder was read.
        if (head !== null) objects.push({ key, bytes: head.size });
      }
      return { objects, cursor: page.cursor };
    },

    async folders(below, cursor = null) {
      const from = fullFolder(prefix, below).slice(prefix.length);
      return pageOfFolders(await keysIn(place), from, cursor);
    },

    async delete(keys) {
      for (const file of keys.map(fileOf)) await rm(file, { force: true });
      if (keys.length > 0) await flushFolder(place).catch(orWhen("ENOENT", undefined));
    },
  };
}

function fileName(key: string): string {
  const name = key.replace(/[^a-z0-9._-]/g, (byte) => `=${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return name.length <= FILE_NAME_BYTES_MAX ? name : HASHED + createHash("sha256").update(key).digest("hex");
}

/** Every key of a store; of hashed names the file is asked. */
async function keysIn(place: string): Promise<string[]> {
  const names = await readdir(place).catch(orWhen("ENOENT", [] as string[]));
  const keys: string[] = [];
  for (const name of names) {
    const key = name.startsWith(HASHED)
      ? ((await withFile(join(place, name), readHead))?.key ?? null)
      : name.replace(/=([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (key !== null) keys.push(key);
  }
  return keys;
}

/** The path of a file that is whole and flushed. */
async function writeStaged(staging: string, head: Head, bytes: Uint8Array): Promise<string> {
  await mkdir(staging, { recursive: true });
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  const path = join(staging, randomUUID());
  const file = await open(path, "wx");
  try {
    await file.writev([length, json, bytes]);
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}

/** A name is durable once the folder that has it is. */
async function flushFolder(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | null> {
  const file = await open(path).catch(orWhen("ENOENT", null));
  if (file === null) return null;
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

/** What stands before the bytes, where they begin and how many they are. A file of something else throws. */
async function readHead(file: FileHandle): Promise<Head & { readonly begins: number; readonly size: number }> {
  const length = Buffer.from(await readPiece(file, 0, LENGTH_BYTES)).readUInt32LE();
  const { size } = await file.stat();
  const begins = LENGTH_BYTES + length;
  if (begins > size) throw new Error("a file of the store is cut short");
  const head = headSchema.parse(JSON.parse(Buffer.from(await readPiece(file, LENGTH_BYTES, length)).toString()));
  return { ...head, begins, size: size - begins };
}

async function readPiece(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw new Error("a file of the store is cut short");
    at += bytesRead;
  }
  return bytes;
}

/** For `catch`: `value` when the system says `code`, else the error again. */
function orWhen<T>(code: string, value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === code) return value;
    throw error;
  };
}
