/**
 * Opens what the user named and hands its bytes to the connector that reads them.
 */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { csvItems } from "../../adapters/connectors/csv.ts";
import { GIT_LOG_PARAMETERS, gitItems } from "../../adapters/connectors/git.ts";
import type { ConnectorItem } from "../../adapters/connectors/item.ts";
import { jsonlItems } from "../../adapters/connectors/jsonl.ts";
import type { RecordMapping } from "../../adapters/connectors/record.ts";
import { slackItems } from "../../adapters/connectors/slack.ts";
import type { DemoArguments } from "./arguments.ts";

export interface Source {
  /** What it is, for the first line of the output. */
  readonly title: string;
  readonly kind: "git" | "records";
  readonly items: AsyncIterable<ConnectorItem>;
  /** Share of the input that was read, 0 to 1. */
  fraction(): number;
}

/** A reason the user can act on. */
export class SourceError extends Error {}

export async function openSource(path: string, options: DemoArguments): Promise<Source> {
  const info = await stat(path).catch(() => null);
  if (info === null) throw new SourceError(`${path} does not exist.`);
  if (info.isDirectory()) return gitSource(path, options.commitsMax);
  switch (extname(path).toLowerCase()) {
    case ".jsonl":
    case ".ndjson":
      return fileSource(path, info.size, (bytes) => jsonlItems(bytes, mappingFor(path, options)));
    case ".csv":
    case ".tsv":
      return fileSource(path, info.size, (bytes) => csvItems(bytes, mappingFor(path, options)));
    case ".zip":
      return slackSource(path);
    default:
      throw new SourceError(`${path} is neither a folder nor a .jsonl, .ndjson, .csv, .tsv or .zip file.`);
  }
}

function mappingFor(path: string, options: DemoArguments): RecordMapping {
  const { entityColumn, timeColumn, textColumns, idColumn } = options;
  return {
    defaultEntity: options.entity ?? `file:${basename(path, extname(path))}`,
    ...(entityColumn !== undefined && { entityColumn }),
    ...(timeColumn !== undefined && { timeColumn }),
    ...(textColumns !== undefined && { textColumns }),
    ...(idColumn !== undefined && { idColumn }),
  };
}

function fileSource(
  path: string,
  fileBytes: number,
  read: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<ConnectorItem>,
): Source {
  let bytesRead = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      bytesRead += chunk.length;
      yield chunk;
    }
  }
  return {
    title: path,
    kind: "records",
    items: read(counted()),
    fraction: () => (fileBytes === 0 ? 1 : bytesRead / fileBytes),
  };
}

function slackSource(path: string): Source {
  let started = false;
  async function* items(): AsyncGenerator<ConnectorItem> {
    const archive = await readFile(path);
    started = true;
    yield* slackItems(archive);
  }
  return { title: `the Slack export ${path}`, kind: "records", items: items(), fraction: () => (started ? 1 : 0) };
}

async function gitSource(folder: string, commitsMax: number | undefined): Promise<Source> {
  const inside = await git(folder, ["rev-parse", "--show-toplevel"]);
  if (inside.code !== 0) throw new SourceError(`${folder} is not in a git repository: ${inside.output.trim()}`);
  const count = await git(folder, ["rev-list", "--count", "HEAD"]);
  if (count.code !== 0) throw new SourceError(`the git repository in ${folder} has no commits yet.`);
  const shallow = (await git(folder, ["rev-parse", "--is-shallow-repository"])).output.trim() === "true";
  const all = Number(count.output);
  const commits = Math.min(all, commitsMax ?? all);
  let seen = 0;
  let last = "";
  async function* items(): AsyncGenerator<ConnectorItem> {
    for await (const item of gitItems(gitLog(folder, commits))) {
      const where = item.ok ? (item.event.id ?? "") : item.where;
      if (where !== last) seen += 1;
      last = where;
      yield item;
    }
  }
  const note = shallow ? ", as far as this shallow clone goes" : commits < all ? `, the newest of ${all}` : "";
  return {
    title: `the git history of ${inside.output.trim()} (${commits === 1 ? "1 commit" : `${commits} commits`}${note})`,
    kind: "git",
    items: items(),
    fraction: () => Math.min(1, seen / commits),
  };
}

interface GitOutcome {
  readonly code: number;
  readonly output: string;
}

async function git(folder: string, parameters: readonly string[]): Promise<GitOutcome> {
  const child = spawnGit(folder, parameters);
  const chunks: Buffer[] = [];
  const ended = new Promise<number>((settle, reject) => {
    child.once("error", reject);
    child.once("close", (code) => settle(code ?? 1));
  });
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await ended.catch((error: NodeJS.ErrnoException) => {
    throw new SourceError(error.code === "ENOENT" ? "git is not installed." : error.message);
  });
  return { code, output: Buffer.concat(chunks).toString() };
}

async function* gitLog(folder: string, commits: number): AsyncGenerator<Uint8Array> {
  const child = spawnGit(folder, ["log", ...GIT_LOG_PARAMETERS, `--max-count=${commits}`, "HEAD"]);
  const ended = new Promise<number>((settle) => child.once("close", (code) => settle(code ?? 1)));
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  yield* child.stdout as AsyncIterable<Uint8Array>;
  if ((await ended) !== 0) throw new SourceError(`git log failed: ${Buffer.concat(errors).toString().trim()}`);
}

/** The user named this folder, and reading a log runs nothing of it: who owns it does not matter. */
function spawnGit(folder: string, parameters: readonly string[]) {
  return spawn("git", ["-c", "safe.directory=*", "-C", folder, ...parameters], { stdio: ["ignore", "pipe", "pipe"] });
}
