/** The same bytes and the same refusals in Node and in workerd: one adapter, run in both. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Miniflare } from "miniflare";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { FRAME_RAW_BYTES_MAX } from "../../core/limits.ts";
import { hex } from "../../core/log/text_encoding.ts";
import { answersOf, type Case } from "./platform_cases.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const sha256 = (bytes: Uint8Array) => hex(nodeDigest.sha256(bytes));
/** Bytes that no compressor makes smaller: the largest frame there can be. */
const noise = Uint8Array.from({ length: FRAME_RAW_BYTES_MAX }, (_, i) => Math.imul(i, 2_654_435_761) >>> 17);
const framed = (...texts: string[]) => texts.flatMap((text) => [...nodeCompression.zstd(encode(text))]);
const zipped = [...gzipSync("hello\n")];

const CASES: readonly (Case & { readonly name: string; readonly answer: string })[] = [
  {
    name: "a digest",
    call: "sha256",
    bytes: [...encode("abc")],
    bytesMax: 0,
    answer: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  },
  { name: "a frame and back", call: "zstd", bytes: [...encode("hello")], bytesMax: 5, answer: sha256(encode("hello")) },
  { name: "an empty frame", call: "zstd", bytes: [], bytesMax: 0, answer: sha256(new Uint8Array(0)) },
  { name: "the largest frame", call: "zstd", bytes: [...noise], bytesMax: noise.length, answer: sha256(noise) },
  {
    name: "several frames",
    call: "unzstd",
    bytes: framed("a\n", "b\n", "c\n"),
    bytesMax: 6,
    answer: sha256(encode("a\nb\nc\n")),
  },
  { name: "no frames", call: "unzstd", bytes: [], bytesMax: 0, answer: sha256(new Uint8Array(0)) },
  {
    name: "frames of one byte too many",
    call: "unzstd",
    bytes: framed("a\n", "b\n"),
    bytesMax: 3,
    answer: "too_large",
  },
  { name: "a bomb", call: "unzstd", bytes: framed("x".repeat(20_000)), bytesMax: 100, answer: "too_large" },
  {
    name: "a second frame cut short",
    call: "unzstd",
    bytes: framed("a\n", "b\n").slice(0, -1),
    bytesMax: 6,
    answer: "corrupt",
  },
  { name: "what follows the last frame", call: "unzstd", bytes: [...framed("a\n"), 0], bytesMax: 6, answer: "corrupt" },
  {
    name: "a flipped checksum",
    call: "unzstd",
    bytes: framed("a\n").with(-1, (framed("a\n").at(-1) ?? 0) ^ 1),
    bytesMax: 6,
    answer: "corrupt",
  },
  { name: "gzip", call: "gunzip", bytes: zipped, bytesMax: 6, answer: sha256(encode("hello\n")) },
  { name: "gzip of one byte too many", call: "gunzip", bytes: zipped, bytesMax: 5, answer: "too_large" },
  { name: "gzip cut short", call: "gunzip", bytes: zipped.slice(0, -1), bytesMax: 6, answer: "corrupt" },
  { name: "no gzip", call: "gunzip", bytes: [...encode("hello")], bytesMax: 6, answer: "corrupt" },
];

describe("in Node", () => {
  it.each(CASES)("$name: $call", ({ answer, ...entry }) => {
    expect(answersOf([entry], nodeCompression, nodeDigest)).toEqual([answer]);
  });

  it("refuses to make a frame larger than any runtime can", () => {
    expect(() => nodeCompression.zstd(new Uint8Array(FRAME_RAW_BYTES_MAX + 1))).toThrow();
  });

  it("gives plain byte arrays, whose length is their own", () => {
    const frame = nodeCompression.zstd(encode("a"));
    expect(Object.getPrototypeOf(frame)).toBe(Uint8Array.prototype);
    expect(Object.getPrototypeOf(nodeDigest.sha256(frame))).toBe(Uint8Array.prototype);
  });
});

describe("in workerd", () => {
  let runtime: Miniflare;
  let answers: string[] = [];

  beforeAll(async () => {
    runtime = new Miniflare({
      workers: [
        {
          config: {
            name: "platform",
            compatibilityDate: "2026-11-01",
            compatibilityFlags: ["nodejs_compat"],
            manifest: {
              mainModule: "worker.mjs",
              modules: { "worker.mjs": { type: "esm", contents: await bundled() } },
            },
          },
        },
      ],
    });
    const response = await runtime.dispatchFetch("http://platform/", { method: "POST", body: JSON.stringify(CASES) });
    answers = (await response.json()) as string[];
  }, 30_000);
  afterAll(() => runtime.dispose());

  it.each(CASES.map((entry, i) => ({ ...entry, i })))("$name: $call", ({ answer, i }) => {
    expect(answers[i]).toBe(answer);
  });
});

async function bundled(): Promise<string> {
  const entry = fileURLToPath(new URL("./node_compat_in_workerd.ts", import.meta.url));
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      target: "esnext",
      lib: { entry, formats: ["es"] },
      rollupOptions: { external: [/^node:/] },
    },
  });
  for (const output of Array.isArray(result) ? result : [result]) {
    if ("output" in output && output.output[0].type === "chunk") return output.output[0].code;
  }
  throw new Error("nothing was bundled");
}
