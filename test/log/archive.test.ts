import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { ARCHIVE_BATCH_BYTES } from "../../core/limits.ts";
import {
  ARCHIVE_MANIFEST_NAME,
  type ArchivedCommit,
  archiveBlobName,
  archiveEntries,
  archiveSegmentName,
  checkArchiveBlob,
  readArchiveManifest,
  readArchiveSegment,
} from "../../core/log/archive.ts";

type Files = Map<string, Uint8Array>;

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function exported(commits: readonly ArchivedCommit[], blobs: readonly Uint8Array[] = []): Promise<Files> {
  const files: Files = new Map();
  for await (const { name, bytes } of archiveEntries("account:acme", each(commits), each(blobs), nodeDigest)) {
    expect(files.has(name)).toBe(false);
    files.set(name, bytes);
  }
  return files;
}

function manifestOf(files: Files) {
  const manifest = readArchiveManifest(files.get(ARCHIVE_MANIFEST_NAME) ?? new Uint8Array(0), files.keys());
  if (!manifest.ok) throw new Error(JSON.stringify(manifest.failure));
  return manifest.value;
}

/** All lines of an archive, verified. */
function imported(files: Files): string[] {
  return manifestOf(files).segments.flatMap((segment) => {
    const lines = readArchiveSegment(
      segment,
      files.get(archiveSegmentName(segment.from)) ?? new Uint8Array(0),
      nodeDigest,
    );
    if (!lines.ok) throw new Error(JSON.stringify(lines.failure));
    return lines.value;
  });
}

const anyCommits = fc
  .array(
    fc.array(
      fc.string({ unit: "grapheme" }).map((text) => JSON.stringify({ text })),
      { minLength: 1, maxLength: 5 },
    ),
    { maxLength: 8 },
  )
  .map((commits) => commits.map((lines, i) => ({ commit: i + 1, lines })));
const COMMITS = [
  { commit: 1, lines: ['{"a":1}', '{"b":2}'] },
  { commit: 2, lines: [`{"c":"${"x".repeat(ARCHIVE_BATCH_BYTES)}"}`] },
  { commit: 3, lines: ['{"d":4}'] },
];
const BLOB = Uint8Array.of(1, 2, 3);

describe("an archive", () => {
  it("holds every line, in order, and says how many", async () => {
    await fc.assert(
      fc.asyncProperty(anyCommits, async (commits) => {
        const files = await exported(commits);
        expect(imported(files)).toEqual(commits.flatMap(({ lines }) => lines));
        expect(manifestOf(files).events).toBe(commits.flatMap(({ lines }) => lines).length);
        expect([...files.keys()].at(-1)).toBe(ARCHIVE_MANIFEST_NAME);
      }),
    );
  });

  it("gathers small commits in one file and begins another before it grows too large", async () => {
    const files = await exported(COMMITS, [BLOB]);
    expect(manifestOf(files).segments.map(({ from, to, lines }) => [from, to, lines])).toEqual([
      [1, 1, 2],
      [2, 2, 1],
      [3, 3, 1],
    ]);
    expect([...files.keys()].slice(0, 3)).toEqual([
      "segments/000000000001.jsonl",
      "segments/000000000002.jsonl",
      "segments/000000000003.jsonl",
    ]);
    const small = await exported([COMMITS[0], COMMITS[2]].flatMap((commit) => commit ?? []));
    expect(manifestOf(small).segments.map(({ from, to, lines }) => [from, to, lines])).toEqual([[1, 3, 3]]);
  });

  it("of an entity without events is a manifest alone", async () => {
    const files = await exported([]);
    expect([...files.keys()]).toEqual([ARCHIVE_MANIFEST_NAME]);
    expect(imported(files)).toEqual([]);
  });
});

describe("a damaged archive is refused by the name of what is wrong", () => {
  const refusal = (name: string) => ({ ok: false, failure: { reason: "unprocessable", errors: [{ path: name }] } });
  const read = (files: Files) =>
    readArchiveManifest(files.get(ARCHIVE_MANIFEST_NAME) ?? new Uint8Array(0), files.keys());

  it("a segment of which any byte was changed, cut or added", async () => {
    const files = await exported([{ commit: 1, lines: ['{"a":1}', '{"b":2}'] }]);
    const [segment] = manifestOf(files).segments;
    const bytes = files.get(archiveSegmentName(1));
    if (segment === undefined || bytes === undefined) throw new Error("no segment");
    for (let at = 0; at < bytes.length; at++) {
      for (const damaged of [
        bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)),
        bytes.subarray(0, at),
        Uint8Array.from([...bytes, 10]),
      ]) {
        expect(readArchiveSegment(segment, damaged, nodeDigest)).toMatchObject(refusal(archiveSegmentName(1)));
      }
    }
    expect(readArchiveSegment({ ...segment, lines: 3 }, bytes, nodeDigest)).toMatchObject(
      refusal(archiveSegmentName(1)),
    );
  });

  it("a blob whose bytes are not those of its name", async () => {
    const [blob] = manifestOf(await exported([], [BLOB])).blobs;
    if (blob === undefined) throw new Error("no blob");
    expect(checkArchiveBlob(blob, BLOB, nodeDigest).ok).toBe(true);
    expect(checkArchiveBlob(blob, Uint8Array.of(1, 2, 4), nodeDigest)).toMatchObject(
      refusal(archiveBlobName(blob.sha256)),
    );
  });

  it("an entry that is missing, and one that is not listed", async () => {
    for (const name of (await exported(COMMITS, [BLOB])).keys()) {
      const files = await exported(COMMITS, [BLOB]);
      files.delete(name);
      expect(read(files)).toMatchObject(refusal(name));
    }
    const files = await exported(COMMITS);
    files.set("segments/../../x", new Uint8Array(0));
    expect(read(files)).toMatchObject(refusal("segments/../../x"));
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["another format", '{"format":2,"entity":"e","events":0,"segments":[],"blobs":[]}'],
    ["a count that is not the sum", '{"format":1,"entity":"e","events":1,"segments":[],"blobs":[]}'],
    ["a field too many", '{"format":1,"entity":"e","events":0,"segments":[],"blobs":[],"more":1}'],
    [
      "ranges that overlap",
      `{"format":1,"entity":"e","events":2,"blobs":[],"segments":[${[1, 2].map((from) => `{"from":${from},"to":2,"lines":1,"bytes":1,"sha256":"${"0".repeat(64)}"}`).join(",")}]}`,
    ],
  ])("a manifest with %s", (_, text) => {
    expect(readArchiveManifest(new TextEncoder().encode(text), [ARCHIVE_MANIFEST_NAME])).toMatchObject(
      refusal(ARCHIVE_MANIFEST_NAME),
    );
  });
});
