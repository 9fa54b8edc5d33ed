/** The revision `r` of a view: one short name for everything besides the log that a part's bytes depend on. */
import { hex } from "../log/text_encoding.ts";
import type { Digest } from "../ports.ts";
import type { Revision } from "./part.ts";
import { REVISION_DIGITS } from "./shard_file.ts";

/** REVISION_DIGITS hexadecimal digits; equal for equal settings, on every machine. */
export function revisionOf(revision: Revision, digest: Digest): string {
  const settings = JSON.stringify([revision.analyzer, revision.chunker, revision.embedder, revision.metric]);
  return hex(digest.sha256(new TextEncoder().encode(settings))).slice(0, REVISION_DIGITS);
}
