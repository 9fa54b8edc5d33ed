/**
 * A server that speaks S3, for tests: s3rver, which verifies signatures and keeps objects in a folder, and what it lacks
 * of S3 around it. Requests are served one after another, and a put under `If-None-Match: *` looks first, so create-only
 * holds. Lists are in the order of bytes and go on by tokens: s3rver walks folders, and its own tokens need a cipher that
 * runtimes no longer have.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import S3rver, { type Context } from "@20minutes/s3rver";
import type { S3Settings } from "../../adapters/storage/s3_calls.ts";

const PAGE_MAX = 1_000;

export interface Asked {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
}

/**
 * Instead of serving: a status with an error of this code or with this body, the end of the connection, or silence. Or
 * serving later.
 */
export type Fault =
  | { readonly status: number; readonly code: string }
  | { readonly status: number; readonly body: string }
  | { readonly lateMs: number }
  | "hang_up"
  | "silence";

export interface S3Server {
  readonly settings: S3Settings;
  readonly asked: Asked[];
  /** Applied to the next requests, one each. */
  readonly next: Fault[];
  /** Asked of every other request: a fault in place of serving it, or null. */
  refuses: ((asked: Asked) => Fault | null) | null;
  /** What a store that is unfit would do. */
  lacks: null | "create_only" | "underscores" | "order";
  close(): Promise<void>;
}

export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), "s3-server-"));
  const bucket = "context-plane";
  const s3rver = new S3rver({ directory, silent: true, vhostBuckets: false, configureBuckets: [{ name: bucket }] });
  const state = {
    asked: [] as Asked[],
    next: [] as Fault[],
    refuses: null as S3Server["refuses"],
    lacks: null as S3Server["lacks"],
  };
  // Before the router, which is last, and inside of what turns errors into answers.
  s3rver.middleware.splice(-1, 0, (context, next) =>
    context.query["list-type"] === "2" && state.lacks !== "order" ? listInOrder(s3rver, context, next) : next(),
  );
  deleteInTurn(s3rver);
  dropUnderscores(s3rver, () => state.lacks === "underscores");
  await s3rver.configureBuckets();
  const serve = s3rver.callback();
  let turn: Promise<unknown> = Promise.resolve();
  const server = createServer((request, response) => {
    turn = turn.then(() => answer(request, response)).catch((error: unknown) => response.destroy(error as Error));
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (response.destroyed) return;
    const { method = "", url = "" } = request;
    state.asked.push({ method, url });
    const ended = new Promise((resolve) => response.once("close", resolve));
    const fault = state.next.shift() ?? state.refuses?.({ method, url }) ?? undefined;
    if (typeof fault === "object" && "lateMs" in fault) await sleep(fault.lateMs);
    if (fault === "hang_up") response.destroy();
    else if (fault === "silence") request.resume();
    else if (fault !== undefined && "status" in fault) refuse(request, response, fault);
    else if (await isTaken(request)) refuse(request, response, { status: 412, code: "PreconditionFailed" });
    else serve(request, response);
    await ended;
  };
  const isTaken = async ({ method, url = "", headers }: IncomingMessage): Promise<boolean> => {
    if (method !== "PUT" || headers["if-none-match"] !== "*" || state.lacks === "create_only") return false;
    const [, name = "", ...key] = new URL(url, "http://s3").pathname.split("/").map(decodeURIComponent);
    return s3rver.store.existsObject(name, key.join("/"));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    settings: {
      endpoint: `http://127.0.0.1:${port}`,
      bucket,
      region: "us-east-1",
      // The server's own, fixed.
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await rm(directory, { recursive: true, force: true });
    },
  });
}

function refuse(request: IncomingMessage, response: ServerResponse, fault: Extract<Fault, { status: number }>): void {
  request.resume();
  response.writeHead(fault.status, { "content-type": "application/xml" });
  // A careless server echoes what it was sent.
  const echo = escaped(`${request.url} ${JSON.stringify(request.headers)}`);
  response.end("body" in fault ? fault.body : `<Error><Code>${fault.code}</Code><Message>${echo}</Message></Error>`);
}

/** s3rver clears folders away while it deletes from them, and trips over itself unless it does one after another. */
function deleteInTurn({ store }: S3rver): void {
  const remove = store.deleteObject.bind(store);
  let turn: Promise<unknown> = Promise.resolve();
  store.deleteObject = (bucket, key) => {
    const removed = turn.then(() => remove(bucket, key));
    turn = removed.catch(() => undefined);
    return removed;
  };
}

/** As proxies do unless they are told otherwise. */
function dropUnderscores({ store }: S3rver, drops: () => boolean): void {
  const put = store.putObject.bind(store);
  store.putObject = (object) => {
    const kept = Object.entries(object.metadata).filter(([name]) => !name.includes("_"));
    if (drops()) object.metadata = Object.fromEntries(kept);
    return put(object);
  };
}

/** The page that S3 would give. The server has verified the signature and the bucket by then. */
async function listInOrder(s3rver: S3rver, context: Context, next: () => Promise<void>): Promise<void> {
  await next().catch((error: NodeJS.ErrnoException) => {
    const unsupportedCipher = error.code?.startsWith("ERR_OSSL") ?? false;
    if (context.state.account === undefined || !unsupportedCipher) throw error;
  });
  const { prefix = "", delimiter = "", "continuation-token": token, "max-keys": max = PAGE_MAX } = context.query;
  const { objects } = await s3rver.store.listObjects(context.path.split("/")[1] ?? "", { prefix });
  const items = new Map<string, string>();
  for (const { key, size } of [...objects].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const folder = key.slice(0, end + 1);
    if (end === -1) items.set(key, `<Contents><Size>${size}</Size><Key>${escaped(key)}</Key></Contents>`);
    else items.set(folder, `<CommonPrefixes><Prefix>${escaped(folder)}</Prefix></CommonPrefixes>`);
  }
  const after = token === undefined ? "" : Buffer.from(token, "base64").toString();
  const left = [...items].filter(([name]) => name > after);
  const page = left.slice(0, Math.min(Number(max), PAGE_MAX));
  const more = left.length > page.length;
  const last = Buffer.from(page.at(-1)?.[0] ?? "").toString("base64");
  const continued = more ? `<NextContinuationToken>${last}</NextContinuationToken>` : "";
  context.status = 200;
  context.type = "application/xml";
  context.body = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>${more}</IsTruncated>${continued}${page
    .map(([, item]) => item)
    .join("")}</ListBucketResult>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
