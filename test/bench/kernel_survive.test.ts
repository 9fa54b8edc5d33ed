/** What becomes of a corpus whose systems kill, hang or block the process they live in: real processes, really killed. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OURS } from "../../bench/kernel/contender.ts";
import type { Corpus, QuestionSet } from "../../bench/kernel/corpus.ts";
import { nodeRuntime } from "../../bench/kernel/node_runtime.ts";
import { measureAll } from "../../bench/kernel/survive.ts";

const BUDGETS = { buildMsMax: 300, askMsMax: 1_000, silenceMsMax: 4_000 };
const ALL_MS_MAX = 60_000;
const ROWS = ["first", "second"];
const QUESTIONS = 4;

const runtime = nodeRuntime(join(import.meta.dirname, "deadly_process.ts"), {
  kernel: new Uint8Array(),
  reader: new Uint8Array(),
});
const sets = ROWS.map((row): QuestionSet => {
  const questions = Array.from({ length: QUESTIONS }, (_, i) => ({ text: String(i), vector: null, filter: null }));
  return { row, leg: "text", warmUp: 1, questions };
});

const KILLED = "its process ended by SIGKILL";

const CASES: readonly {
  readonly peers: string;
  readonly measured: readonly string[];
  readonly refused: Readonly<Record<string, string>>;
}[] = [
  { peers: "lives, lives too", measured: ["lives", "lives too"], refused: {} },
  {
    peers: "dies when opened, lives, lives too",
    measured: ["lives", "lives too"],
    refused: { "dies when opened": `beside ours alone, ${KILLED}` },
  },
  {
    peers: "dies when asked, lives, lives too",
    measured: ["lives", "lives too"],
    refused: { "dies when asked": `beside ours alone, ${KILLED}` },
  },
  { peers: "dies in company, lives", measured: ["dies in company", "lives"], refused: {} },
  { peers: "dies when opened", measured: [], refused: { "dies when opened": `beside ours alone, ${KILLED}` } },
  {
    peers: "dies when opened, dies when asked, lives",
    measured: ["lives"],
    refused: {
      "dies when asked": `beside ours alone, ${KILLED}`,
      "dies when opened": `beside ours alone, ${KILLED}`,
    },
  },
  {
    peers: "hangs when opened, lives",
    measured: ["lives"],
    refused: { "hangs when opened": "it had not opened after 0.3 s" },
  },
  {
    peers: "blocks when opened, lives",
    measured: ["lives"],
    refused: { "blocks when opened": "beside ours alone, its process was silent for 4 s" },
  },
  { peers: "ours dies, lives", measured: ["lives"], refused: { [`${OURS}, dying`]: `it failed: ${KILLED}` } },
];

describe("a corpus", () => {
  it.each(CASES)(
    "with “$peers” has every row of ours and of who lives, and names the others",
    async ({ peers, measured, refused }) => {
      const said: string[] = [];
      const corpus: Corpus = { name: peers, documents: 1, texts: ["a"], vectors: null, fields: null };
      const start = () => runtime.start(corpus, BUDGETS);
      const result = await measureAll({ corpus: peers, sets, start, say: (line) => said.push(line) });
      const found = result.rows.map(({ set, open }) => `${set.row}: ${open.system}`).sort();
      expect(found).toEqual(ROWS.flatMap((row) => [OURS, ...measured].map((system) => `${row}: ${system}`)).sort());
      for (const { measured: of } of result.rows) expect(of.found).toEqual([[1], [2], [3]]);
      expect(Object.fromEntries(result.refused.map(({ system, reason }) => [system, reason]))).toEqual(refused);
      for (const system of Object.keys(refused)) expect(said.join("\n")).toContain(`NOT MEASURED: ${peers}: ${system}`);
    },
    ALL_MS_MAX,
  );

  it("whose process does not start is told, as our failure", async () => {
    const nothing = nodeRuntime(join(import.meta.dirname, "no_such_process.ts"), {
      kernel: new Uint8Array(),
      reader: new Uint8Array(),
    });
    const corpus: Corpus = { name: "any", documents: 1, texts: ["a"], vectors: null, fields: null };
    const start = () => nothing.start(corpus, BUDGETS);
    const { rows, refused } = await measureAll({ corpus: "any", sets, start, say: () => undefined });
    expect(rows).toEqual([]);
    const reason = "it failed: no process: its process ended by code 1";
    expect(refused).toEqual([{ row: "any", system: OURS, reason }]);
  });
});
