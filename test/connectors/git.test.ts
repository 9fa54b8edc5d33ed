import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GIT_LOG_PARAMETERS, gitItems } from "../../adapters/connectors/git.ts";
import { COMMIT_PATHS_MAX } from "../../core/limits.ts";
import { chunksOf, collected } from "./collected.ts";

const repository = mkdtempSync(join(tmpdir(), "git-connector-"));
const git = (...parameters: string[]): string =>
  execFileSync("git", ["-c", "user.name=Writer One", "-c", "user.email=one@example.com", ...parameters], {
    cwd: repository,
    encoding: "utf8",
    env: { ...process.env, GIT_AUTHOR_DATE: "2026-03-01T10:00:00Z", GIT_COMMITTER_DATE: "2026-03-02T10:00:00Z" },
  });
const write = (path: string, content: string | Uint8Array): void => {
  mkdirSync(join(repository, path, ".."), { recursive: true });
  writeFileSync(join(repository, path), content);
};

beforeAll(() => {
  git("init", "-q");
  write("docs/first page.md", "one\ntwo\n");
  write("README.md", "hello\n");
  git("add", ".");
  git("commit", "-qm", "Write the first page\n\ncommit messages may hold\n\n3\t4\tlines like these");
  write("image.bin", new Uint8Array([0, 1, 2]));
  git("mv", "docs/first page.md", "docs/page.md");
  git("add", ".");
  git("commit", "-qm", "Rename ünïcode", "--author=Writer Twô <two@example.com>");
  git("commit", "-qm", "Nothing changed", "--allow-empty");
});
afterAll(() => rmSync(repository, { recursive: true }));

const log = () => collected(gitItems(spawn("git", ["log", ...GIT_LOG_PARAMETERS], { cwd: repository }).stdout));

describe("the history of a repository", () => {
  it("is an event for the author and for each top-level folder of a commit, oldest first", async () => {
    const { accepted, refused } = await log();
    expect(refused).toEqual([]);
    expect(accepted.map(({ entity, event }) => [entity, event.text?.split("\n", 1)[0]])).toEqual([
      ["author:Writer One", "Write the first page"],
      ["folder:.", "Write the first page"],
      ["folder:docs", "Write the first page"],
      ["author:Writer Twô", "Rename ünïcode"],
      ["folder:.", "Rename ünïcode"],
      ["folder:docs", "Rename ünïcode"],
      ["author:Writer One", "Nothing changed"],
    ]);
  });

  it("keeps hash, time, message, paths and counts, and no e-mail address", async () => {
    const { accepted } = await log();
    const hash = git("rev-list", "--max-parents=0", "HEAD").trim();
    expect(accepted[0]?.event).toEqual({
      id: hash,
      ts: Date.UTC(2026, 2, 1, 10),
      kind: "commit",
      actor: "Writer One",
      source: "git",
      text: `Write the first page\n\ncommit messages may hold\n\n3\t4\tlines like these\n\nREADME.md\ndocs/first page.md\n\ncommit ${hash.slice(0, 7)} ${hash}`,
      attributes: { author: "Writer One", folders: [".", "docs"], files: 2, insertions: 3, deletions: 0, merge: false },
    });
    expect(JSON.stringify(accepted)).not.toContain("example.com");
  });

  it("is read the same however its bytes are cut", async () => {
    const text = git("log", ...GIT_LOG_PARAMETERS);
    const whole = await collected(gitItems(chunksOf(text)));
    expect(whole.accepted).toHaveLength(7);
    for (const chunkBytes of [1, 2, 3, 50])
      expect(await collected(gitItems(chunksOf(text, chunkBytes)))).toEqual(whole);
  });

  it("names at most so many paths and counts them all", async () => {
    const header = ["commit", "a".repeat(40), "W", "1772359200", "", "Move", ""];
    const changes = Array.from({ length: COMMIT_PATHS_MAX + 5 }, (_, index) => `1\t1\td/${index}`);
    const { accepted } = await collected(gitItems(chunksOf([...header, "", ...changes].join("\0"))));
    expect(accepted[0]?.event.text).toContain("and 5 more");
    expect(accepted[0]?.event.attributes?.files).toBe(COMMIT_PATHS_MAX + 5);
  });

  it("says which commit of the log it could not read", async () => {
    const { accepted, refused } = await collected(gitItems(chunksOf("commit\0nothash\0W\x001\0\0s\0b")));
    expect(accepted).toEqual([]);
    expect(refused).toEqual([{ ok: false, where: "commit 1 of the log", reason: "is no commit hash" }]);
  });
});
