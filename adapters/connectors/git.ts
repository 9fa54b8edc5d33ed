/**
 * The history of a git repository, from `git log` (https://git-scm.com/docs/git-log) with NUL between all fields.
 * A commit is one event (its id is the hash) in several timelines: `author:<name>`, and `folder:<name>` for each
 * top-level folder it touches (`folder:.` for files at the root). E-mail addresses are not read.
 */
import { z } from "zod";
import { COMMIT_PATHS_MAX, CONNECTOR_LINE_BYTES_MAX } from "../../core/limits.ts";
import { type ConnectorItem, checkedItem, refused } from "./item.ts";
import { pieces } from "./lines.ts";

const NUL = 0x00;
/** Opens each commit. A changed path always has tabs before it, and messages are taken by their place. */
const COMMIT = "commit";
const HEADER_FIELDS = 6;

/** Parameters of `git log`: oldest first, names mapped by .mailmap, renames as a removal and an addition. */
export const GIT_LOG_PARAMETERS: readonly string[] = [
  "--reverse",
  "--numstat",
  "--no-renames",
  "--no-ext-diff",
  "--no-textconv",
  "--no-show-signature",
  "--encoding=UTF-8",
  "-z",
  `--format=${COMMIT}%x00%H%x00%aN%x00%at%x00%P%x00%s%x00%b`,
];

const headerSchema = z
  .tuple([
    z.string().regex(/^[0-9a-f]{40,64}$/, "is no commit hash"),
    z.string(),
    z.coerce.number().int(),
    z.string(),
    z.string(),
    z.string(),
  ])
  .transform(([hash, author, seconds, parents, subject, body]) => ({
    hash,
    author: author.trim() === "" ? "unknown" : author.trim(),
    tsMs: seconds * 1000,
    parents: parents === "" ? 0 : parents.split(" ").length,
    subject,
    body: body.trim(),
  }));
type Header = z.infer<typeof headerSchema>;

interface Change {
  readonly path: string;
  /** null for a binary file. */
  readonly insertions: number | null;
  readonly deletions: number | null;
}

export async function* gitItems(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ConnectorItem> {
  let header: (string | null)[] | null = null;
  let changes: Change[] = [];
  let commit = 0;
  for await (const field of pieces(chunks, NUL, CONNECTOR_LINE_BYTES_MAX)) {
    if (header !== null && header.length < HEADER_FIELDS) {
      header.push(field);
    } else if (field === COMMIT) {
      if (header !== null) yield* commitItems(commit, header, changes);
      header = [];
      changes = [];
      commit += 1;
    } else {
      const change = parseChange(field ?? "");
      if (change !== null) changes.push(change);
    }
  }
  if (header !== null) yield* commitItems(commit, header, changes);
}

function parseChange(field: string): Change | null {
  const [, insertions, deletions, path] = /^\n?(\d+|-)\t(\d+|-)\t(.+)$/s.exec(field) ?? [];
  if (insertions === undefined || deletions === undefined || path === undefined) return null;
  return { path, insertions: countOf(insertions), deletions: countOf(deletions) };
}

function countOf(text: string): number | null {
  return text === "-" ? null : Number(text);
}

function* commitItems(
  commit: number,
  fields: readonly (string | null)[],
  changes: readonly Change[],
): Generator<ConnectorItem> {
  const parsed = headerSchema.safeParse(fields);
  if (!parsed.success) {
    yield refused(`commit ${commit} of the log`, parsed.error.issues[0]?.message ?? "is no commit");
    return;
  }
  const header = parsed.data;
  const folders = [...new Set(changes.map(({ path }) => folderOf(path)))].sort();
  const event = eventOf(header, changes, folders);
  const where = `commit ${header.hash}`;
  yield checkedItem(where, { entity: `author:${header.author}`, ...event });
  for (const folder of folders) yield checkedItem(where, { entity: `folder:${folder}`, ...event });
}

function folderOf(path: string): string {
  const slash = path.indexOf("/");
  return slash === -1 ? "." : path.slice(0, slash);
}

function eventOf(header: Header, changes: readonly Change[], folders: readonly string[]) {
  const { hash, author, tsMs, parents, subject, body } = header;
  const named = changes.slice(0, COMMIT_PATHS_MAX).map(({ path }) => path);
  const unnamed = changes.length - named.length;
  const paths = unnamed > 0 ? [...named, `and ${unnamed} more`] : named;
  const about = `commit ${hash.slice(0, SHORT_HASH)} ${hash}`;
  return {
    id: hash,
    ts: tsMs,
    kind: "commit",
    actor: author,
    source: "git",
    text: [subject, body, paths.join("\n"), about].filter((part) => part !== "").join("\n\n"),
    attributes: {
      author,
      folders: folders.slice(0, COMMIT_PATHS_MAX),
      files: changes.length,
      insertions: sum(changes.map(({ insertions }) => insertions)),
      deletions: sum(changes.map(({ deletions }) => deletions)),
      merge: parents > 1,
    },
  };
}

/** As git abbreviates, so that a hash copied from a terminal is found. */
const SHORT_HASH = 7;

function sum(counts: readonly (number | null)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0);
}
