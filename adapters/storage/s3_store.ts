/**
 * The object store over any bucket that speaks S3: Amazon's, MinIO, Ceph and others. Needed of it: puts under
 * `If-None-Match: *`, reads of its own writes, lists in byte order, ranges, ListObjectsV2, DeleteObjects. Source: the
 * Amazon S3 API reference.
 *
 * Invariants: only `NoSuchKey` is "not there"; a bucket, permission or address that is wrong never reads as an empty
 * store. Everything that is not plainly done rejects, and callers retry, defer or seal as for any store.
 *
 * Before the first write of an isolate the store has to prove itself (`proveStore`): one that ignores create-only puts would
 * overwrite acknowledged commits, and one that loses metadata could not be recovered from.
 *
 * Metadata lies in `x-amz-meta-{name}`, as R2 shows its own over S3, so a bucket can move either way by any tool. Values
 * are percent-encoded where they are not visible ASCII; those of this project never need it. Amazon takes 2 KiB in all.
 */
import { createHash } from "node:crypto";
import { UnfitStore } from "../../core/errors.ts";
import { STORE_LIST_MAX, STORE_REQUEST_MS_MAX } from "../../core/limits.ts";
import type { ObjectInfo, ObjectStore, TenantStore } from "../../core/ports.ts";
import { codeOf, faultOf, type S3Answer, S3Fault, type S3Request, type S3Settings, s3Calls } from "./s3_calls.ts";
import { checkMetadata, checkRange, fullFolder, fullKey, fullPrefix, storeByPrefix } from "./tenant_prefix.ts";
import { childrenOf, escapeXml, leafOf, parseXml, type XmlElement } from "./xml.ts";

/** Outside every tenant. Never read but to prove the store, and harmless to delete. */
const PROBE_KEY = "probe/create_only";
/** A name with an underscore: proxies that drop such headers lose ours. */
const PROBE_METADATA = { probe_of: "metadata" };
const METADATA_PREFIX = "x-amz-meta-";

export function s3Store(settings: S3Settings, requestMsMax: number = STORE_REQUEST_MS_MAX): ObjectStore {
  const call = s3Calls(settings);
  // Kept as a fact, not as a promise: one that began in another request must not be awaited in a Worker.
  let proved = false;
  const ports: S3Ports = {
    call: (request) => call(request, Date.now() + requestMsMax),
    async write(put) {
      // One deadline for all of it: after a slow proof the put must not begin when its caller has given it up.
      const untilMs = Date.now() + requestMsMax;
      const hurried = (request: S3Request) => call(request, untilMs);
      if (!proved) await proveStore(hurried);
      proved = true;
      return put(hurried);
    },
  };
  return storeByPrefix((tenant, prefix) => tenantStore(ports, tenant, prefix));
}

type Call = (request: S3Request) => Promise<S3Answer>;

interface S3Ports {
  readonly call: Call;
  /** Runs `put` once the store has proved itself. */
  write<T>(put: (call: Call) => Promise<T>): Promise<T>;
}

function tenantStore({ call, write }: S3Ports, tenant: string, prefix: string): TenantStore {
  const listing = async (query: Readonly<Record<string, string>>, cursor: string | null): Promise<Listing> => {
    const continued = cursor === null ? {} : { "continuation-token": cursor };
    const paged = { "list-type": "2", "max-keys": String(STORE_LIST_MAX), ...query, ...continued };
    return readListing(await call({ method: "GET", query: paged }), query.prefix ?? "");
  };
  return {
    tenant,
    fullKey: (key) => fullKey(prefix, key),

    async get(key) {
      const answer = await call({ method: "GET", key: fullKey(prefix, key) });
      if (answer.status === 200) return { bytes: answer.bytes, metadata: metadataOf(answer.headers) };
      return nullIfMissing(answer);
    },

    async getRange(key, offset, length) {
      checkRange(offset, length);
      const range = `bytes=${offset}-${offset + length - 1}`;
      const answer = await call({ method: "GET", key: fullKey(prefix, key), headers: { range } });
      return answer.status === 206 ? pieceOf(answer, offset, length) : nullIfMissing(answer);
    },

    async put(key, bytes, metadata = {}) {
      const full = fullKey(prefix, key);
      const headers = headersOf(metadata);
      const answer = await write((put) => put({ method: "PUT", key: full, headers, body: bytes }));
      if (answer.status !== 200) throw faultOf("PUT", answer);
    },

    async create(key, bytes, metadata = {}) {
      const full = fullKey(prefix, key);
      const headers = headersOf(metadata);
      return write((put) => createOnly(put, full, bytes, headers));
    },

    async list(listed, cursor = null) {
      const page = await listing({ prefix: fullPrefix(prefix, listed) }, cursor);
      const objects = page.objects.map(({ key, bytes }) => ({ key: key.slice(prefix.length), bytes }));
      return { objects, cursor: page.cursor };
    },

    async folders(folder, cursor = null) {
      const full = fullFolder(prefix, folder);
      const page = await listing({ prefix: full, delimiter: "/" }, cursor);
      return { names: page.folders.map((name) => name.slice(full.length, -1)), cursor: page.cursor };
    },

    async delete(keys) {
      const full = keys.map((key) => fullKey(prefix, key));
      for (let from = 0; from < full.length; from += STORE_LIST_MAX) {
        await deleteObjects(call, full.slice(from, from + STORE_LIST_MAX));
      }
    },
  };
}

function nullIfMissing(answer: S3Answer): null {
  if (answer.status === 404 && codeOf(answer) === "NoSuchKey") return null;
  throw faultOf("GET", answer);
}

/** A server may answer with another range than was asked for (RFC 9110 §15.3.7): more is cut, less is a fault. */
function pieceOf({ headers, bytes }: S3Answer, offset: number, length: number): Uint8Array {
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  const whole = Math.min(length, Number(size) - offset);
  if (Number(first) !== offset || !(bytes.length >= whole)) throw new S3Fault("GET", "another range");
  return bytes.slice(0, whole);
}

/** 409 is a race with another put or a delete, after which the key may be there or not: only the first is an answer. */
async function createOnly(
  call: Call,
  key: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
): Promise<boolean> {
  const answer = await call({ method: "PUT", key, headers: { ...headers, "if-none-match": "*" }, body: bytes });
  if (answer.status === 200) return true;
  if (answer.status === 412) return false;
  if (answer.status === 501) throw ignoresCreateOnly();
  if (answer.status === 409 && (await call({ method: "HEAD", key })).status === 200) return false;
  throw faultOf("PUT", answer);
}

/** Once the probe lies there, one put that is refused and one get are enough. */
async function proveStore(call: Call): Promise<void> {
  const headers = headersOf(PROBE_METADATA);
  const put = () => createOnly(call, PROBE_KEY, new Uint8Array(1), headers);
  if ((await put()) && (await put())) throw ignoresCreateOnly();
  const probe = await call({ method: "GET", key: PROBE_KEY });
  if (probe.status !== 200) throw faultOf("GET", probe);
  if (metadataOf(probe.headers).probe_of !== PROBE_METADATA.probe_of) {
    throw new UnfitStore("metadata", "The object store, or a proxy before it, loses the metadata of objects.");
  }
}

function ignoresCreateOnly(): UnfitStore {
  const sentence = "The object store does not keep create-only puts (If-None-Match: *), so it cannot hold a log.";
  return new UnfitStore("create-only puts", sentence);
}

async function deleteObjects(call: Call, keys: readonly string[]): Promise<void> {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join("");
  const body = new TextEncoder().encode(`<Delete><Quiet>true</Quiet>${objects}</Delete>`);
  const headers = { "content-md5": createHash("md5").update(body).digest("base64"), "content-type": "application/xml" };
  const answer = await call({ method: "POST", query: { delete: "" }, headers, body });
  if (answer.status !== 200) throw faultOf("POST", answer);
  const result = parseXml(new TextDecoder().decode(answer.bytes));
  if (result?.name !== "DeleteResult") throw new S3Fault("POST", "what is no result of a delete");
  // A key that is not there counts as deleted.
  if (childrenOf(result, "Error").length > 0) throw new S3Fault("POST", "keys that it did not delete");
}

// --- Metadata -------------------------------------------------------------------------------

function headersOf(metadata: Readonly<Record<string, string>>): Record<string, string> {
  checkMetadata(metadata);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    if (!/^[a-z0-9_-]+$/.test(name)) throw new RangeError(`metadata named ${JSON.stringify(name)}`);
    headers[METADATA_PREFIX + name] = value.replace(/[^\x21-\x24\x26-\x7e]+/gu, encodeURIComponent);
  }
  return headers;
}

function metadataOf(headers: Headers): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (name.startsWith(METADATA_PREFIX)) metadata[name.slice(METADATA_PREFIX.length)] = decoded(value);
  }
  return metadata;
}

/** What somebody else wrote stands as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

// --- Listing --------------------------------------------------------------------------------

interface Listing {
  readonly objects: readonly ObjectInfo[];
  /** With the slash. */
  readonly folders: readonly string[];
  readonly cursor: string | null;
}

function readListing(answer: S3Answer, prefix: string): Listing {
  if (answer.status !== 200) throw faultOf("GET", answer);
  const root = parseXml(new TextDecoder().decode(answer.bytes));
  if (root?.name !== "ListBucketResult") throw new S3Fault("GET", "what is no listing");
  const objects = childrenOf(root, "Contents").map((item) => ({
    key: textOf(item, "Key"),
    bytes: Number(textOf(item, "Size")),
  }));
  const folders = childrenOf(root, "CommonPrefixes").map((item) => textOf(item, "Prefix"));
  for (const names of [objects.map(({ key }) => key), folders]) checkNames(names, prefix);
  const truncated = textOf(root, "IsTruncated");
  if (truncated === "false") return { objects, folders, cursor: null };
  return { objects, folders, cursor: textOf(root, "NextContinuationToken") };
}

/** Some buckets list in no order: what is adopted or swept by listing could then miss objects. */
function checkNames(names: readonly string[], prefix: string): void {
  const ordered = names.every((name, at) => at === 0 || (names[at - 1] ?? "") < name);
  if (!ordered)
    throw new UnfitStore("ordered lists", "The object store does not list keys in the order of their bytes.");
  if (!names.every((name) => name.startsWith(prefix))) throw new S3Fault("GET", "a listing of other keys");
}

function textOf(element: XmlElement, name: string): string {
  const text = leafOf(element, name);
  if (text === null) throw new S3Fault("GET", `a listing without ${name}`);
  return text;
}
