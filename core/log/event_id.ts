/**
 * Identity of events.
 *
 * An event without an id is named by its content: 40 lower-case hex digits, the first 160 bits of
 * SHA-256("event\n" ‖ canonical JSON of exactly the supplied fields, `ts` in epoch milliseconds).
 * Defaults are not mixed in, so a retry has the same id whenever it arrives; two equal events are therefore one.
 * Tombstones are named in a space of their own (`tombstone:` and 40 hex digits), which callers may not write in.
 */
import type { Digest } from "../ports.ts";
import type { EventInput } from "../schema/event.ts";
import type { Json } from "../schema/scalar.ts";
import { canonicalJson } from "./canonical.ts";
import { hex } from "./text_encoding.ts";

const CONTENT_ID_BYTES = 20;
const TOMBSTONE_PREFIX = "tombstone:";
const encoder = new TextEncoder();

/** The id of an event that was sent without one. An `id` in `input` is not content and does not count. */
export function eventId(input: EventInput, digest: Digest): string {
  return contentId("event", canonicalJson(suppliedFields(input)), digest);
}

/** The id of the tombstone that withdraws `target`: one per target, the same at every attempt. */
export function tombstoneId(target: string, digest: Digest): string {
  return TOMBSTONE_PREFIX + contentId("tombstone", target, digest);
}

/** The id of the record of a redaction, which nobody else can claim. */
export function redactionId(content: string, digest: Digest): string {
  return TOMBSTONE_PREFIX + contentId("redaction", content, digest);
}

/** Ids that only a tombstone may bear: an event that claimed one first would make its target impossible to withdraw. */
export function isTombstoneId(id: string): boolean {
  return id.startsWith(TOMBSTONE_PREFIX);
}

/** 64 bits as two words, each unsigned: many of them are compared, and a BigInt costs an allocation. */
export interface IdHash {
  readonly high: number;
  readonly low: number;
}

/** The first 64 bits of SHA-256 of an id, big-endian: what parts sort and filter ids by. Verify a match by the id. */
export function idHash(id: string, digest: Digest): IdHash {
  const sum = digest.sha256(encoder.encode(id));
  const view = new DataView(sum.buffer, sum.byteOffset, sum.byteLength);
  return { high: view.getUint32(0), low: view.getUint32(4) };
}

function contentId(domain: string, content: string, digest: Digest): string {
  return hex(digest.sha256(encoder.encode(`${domain}\n${content}`)).subarray(0, CONTENT_ID_BYTES));
}

/** What was supplied but the id: fields that are absent or undefined do not count. */
export function suppliedFields(input: EventInput): Readonly<Record<string, Json>> {
  const supplied: Record<string, Json> = {};
  for (const [name, value] of Object.entries(input)) {
    if (name !== "id" && value !== undefined) supplied[name] = value;
  }
  return supplied;
}
