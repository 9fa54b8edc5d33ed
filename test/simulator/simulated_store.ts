/**
 * The object store as a process reaches it over the network. Its contents are those of the memory adapter; pages are
 * short, so that every listing has several.
 */
import type { ObjectStore, TenantStore } from "../../core/ports.ts";
import { type Faults, type Network, NO_FAULTS, type Process } from "./network.ts";

const PAGE = 3;

export interface StoreWeather {
  readonly refused: number;
  readonly lost: number;
  /** Puts that nobody hears of, and that land within the deadline. */
  readonly late: number;
}

export function storeOf(
  process: Process,
  network: Network,
  store: ObjectStore,
  weather: StoreWeather,
  deadlineMs: number,
): ObjectStore {
  const reading: Faults = { ...NO_FAULTS, refused: weather.refused };
  const writing: Faults = { ...NO_FAULTS, refused: weather.refused, lost: weather.lost };
  const lateWriting: Faults = { ...writing, late: weather.late, lateMs: deadlineMs };
  const through = (plain: TenantStore): TenantStore => {
    const call = <T>(name: string, faults: Faults, perform: () => Promise<T>): Promise<T> =>
      network.message(process, `${plain.tenant} ${name}`, perform, faults);
    return {
      tenant: plain.tenant,
      fullKey: (key) => plain.fullKey(key),
      get: (key) => call(`get ${key}`, reading, () => plain.get(key)),
      getRange: (key, offset, length) =>
        call(`get ${key} from ${offset}`, reading, () => plain.getRange(key, offset, length)),
      put: (key, bytes, metadata) => call(`put ${key}`, lateWriting, () => plain.put(key, bytes, metadata)),
      create: (key, bytes, metadata) => call(`create ${key}`, lateWriting, () => plain.create(key, bytes, metadata)),
      list: (prefix, cursor) => call(`list ${prefix}`, reading, () => shortList(plain, prefix, cursor ?? null)),
      folders: (prefix, cursor) =>
        call(`folders ${prefix}`, reading, () => shortFolders(plain, prefix, cursor ?? null)),
      delete: (keys) => call(`delete ${keys[0] ?? ""}`, writing, () => plain.delete(keys)),
    };
  };
  return { forTenant: (tenant) => through(store.forTenant(tenant)), system: () => through(store.system()) };
}

/** The memory adapter's cursor is the last name that it gave. */
async function shortList(plain: TenantStore, prefix: string, cursor: string | null) {
  const { objects, cursor: next } = await plain.list(prefix, cursor);
  const page = objects.slice(0, PAGE);
  const last = page.at(-1);
  return { objects: page, cursor: objects.length > PAGE && last !== undefined ? plain.fullKey(last.key) : next };
}

async function shortFolders(plain: TenantStore, prefix: string, cursor: string | null) {
  const { names, cursor: next } = await plain.folders(prefix, cursor);
  const page = names.slice(0, PAGE);
  return { names: page, cursor: names.length > PAGE ? (page.at(-1) ?? null) : next };
}
