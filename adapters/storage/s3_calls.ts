/**
 * One signed request to an S3-compatible bucket, addressed by path: `{endpoint}/{bucket}/{key}`. Bodies are read and
 * sent whole and their SHA-256 is signed, so a store refuses bytes that changed on the way.
 *
 * Nothing is tried again here: whether a put that went wrong may be repeated is the caller's to know. A request that is
 * not answered in time is given up: no put of ours is still under way long after it counted as unknown.
 *
 * Traps: keys hold `%` themselves, so each byte that is not unreserved (RFC 3986 §2.3) is encoded once more, `+` too,
 * which signers read as a blank. Nothing in between may answer from a cache.
 */
import { AwsV4Signer } from "aws4fetch";
import { leafOf, parseXml } from "./xml.ts";

export interface S3Settings {
  /** Scheme, host and port, without a slash at the end. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  /** Absent: of the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** `untilMs`: when to give up, in milliseconds since the epoch. */
export type S3Calls = (request: S3Request, untilMs: number) => Promise<S3Answer>;

/**
 * The store did not do what it was asked. It says the method, the status and S3's own word for it, and neither a key nor
 * a secret. Faults are logged by name alone, so all of that is in the name.
 */
export class S3Fault extends Error {
  override readonly name: string;

  constructor(method: S3Request["method"], what: string) {
    super(`${method}: the object store answered ${what}`);
    this.name = `S3Fault: ${method} ${what}`;
  }
}

/** Every answer is given back, whatever its status. Rejects with an S3Fault when there was none in time. */
export function s3Calls(settings: S3Settings): S3Calls {
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = settings;
  // Keys for signing, derived anew each day.
  const cache = new Map<string, ArrayBuffer>();
  return async ({ method, key, query = {}, headers = {}, body }, untilMs) => {
    const path = key === undefined ? bucket : `${bucket}/${key}`;
    const search = Object.entries(query).map((pair) => pair.map(encodeStrictly).join("="));
    const signer = new AwsV4Signer({
      method,
      url: `${endpoint}/${path.split("/").map(encodeStrictly).join("/")}?${search.join("&")}`,
      headers: { ...headers, "x-amz-content-sha256": await sha256Hex(body ?? new Uint8Array(0)) },
      accessKeyId,
      secretAccessKey,
      region,
      service: "s3",
      cache,
    });
    const signed = await signer.sign();
    return send(method, signed.url.href, { headers: signed.headers, body: body ?? null }, untilMs);
  };
}

async function send(
  method: S3Request["method"],
  url: string,
  sent: { readonly headers: Headers; readonly body: Uint8Array | null },
  untilMs: number,
): Promise<S3Answer> {
  if (untilMs <= Date.now()) throw new S3Fault(method, "nothing in time");
  // A timer that stays behind would keep an object awake.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), untilMs - Date.now());
  try {
    const response = await fetch(url, {
      method,
      ...sent,
      cache: "no-store",
      // Another region or address is a setting to correct, not a place to send signed requests to.
      redirect: "manual",
      signal: deadline.signal,
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, bytes };
  } catch {
    // Neither the error's message nor its cause is kept: either may quote a header or the address.
    throw new S3Fault(method, deadline.signal.aborted ? "nothing in time" : "no connection");
  } finally {
    clearTimeout(timer);
  }
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** S3's word for what went wrong, as its answer says it; empty when it says none. */
export function codeOf({ bytes }: S3Answer): string {
  const document = bytes.length === 0 ? null : parseXml(new TextDecoder().decode(bytes));
  const code = document?.name === "Error" ? (leafOf(document, "Code") ?? "") : "";
  return /^[A-Za-z0-9.]{1,64}$/.test(code) ? code : "";
}

export function faultOf(method: S3Request["method"], answer: S3Answer): S3Fault {
  return new S3Fault(method, `${answer.status} ${codeOf(answer)}`.trimEnd());
}
