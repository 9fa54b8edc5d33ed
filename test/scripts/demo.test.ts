import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { strToU8, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/deployment.ts";
import { bootTestRuntime, DEVELOPMENT_KEY, type TestRuntime, temporaryStateDir } from "../runtime/boot.ts";

const run = promisify(execFile);

let runtime: TestRuntime;
let folder = "";
beforeAll(async () => {
  folder = await temporaryStateDir();
  runtime = await bootTestRuntime();
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true, force: true });
});

/** Against the runtime of this test, so that nothing boots twice. */
async function demo(...parameters: string[]): Promise<{ code: number; output: string }> {
  const environment = {
    ...process.env,
    CONTEXT_PLANE_URL: runtime.url(),
    INIT_CWD: folder,
    npm_lifecycle_event: undefined,
  };
  const command = [join(ROOT, "scripts/demo.ts"), ...parameters];
  return await run(process.execPath, command, { cwd: ROOT, env: environment }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  );
}

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return name;
}

async function entities(): Promise<Readonly<Record<string, number>>> {
  const answer = (await (await runtime.call("GET", "/v1/entities")).json()) as {
    entities: { entity: string; events: number }[];
  };
  return Object.fromEntries(answer.entities.map(({ entity, events }) => [entity, events]));
}

describe("npm run demo", () => {
  it("walks the sample account and answers every question with a citation", async () => {
    const { code, output } = await demo("gtm", "--once");
    expect(output).toContain(`key  ${DEVELOPMENT_KEY}`);
    expect(code).toBe(0);
    const questions = output.split("\n? ").slice(1);
    expect(questions).toHaveLength(6);
    for (const question of questions) expect(question).toMatch(/1\. .+\n.+tenants\/dev\/entities\/.+ line \d+\n/);
    expect(questions.find((question) => question.startsWith("TCK-4417"))).toMatch(/1\. .*TCK-4417/);
    expect(questions.find((question) => question.startsWith("ORD-2026-00318"))).toMatch(/1\. .*ORD-2026-00318/);
  });

  it("prints a curl line that works when pasted", async () => {
    const { output } = await demo("gtm", "--once");
    const line = output.split("\n").find((each) => each.startsWith("curl "));
    const { stdout } = await run("sh", ["-c", line ?? "false"]);
    expect(JSON.parse(stdout).hits).toHaveLength(3);
  });

  it("imports JSONL, names the lines it refuses, and imports nothing twice", async () => {
    const name = await file(
      "notes.jsonl",
      '{"entity":"user:j","text":"one potato"}\n{broken\n{"entity":"user:j","text":"two potato"}\n',
    );
    const first = await demo(name, "--once");
    expect(first.output).toContain("2 events of 1 entity");
    expect(first.output).toContain("line 2: is no JSON");
    expect(first.output).toContain("? potato");
    expect((await demo(name, "--once")).output).toContain("0 events of 1 entity, 2 were there already");
    expect(await entities()).toMatchObject({ "user:j": 2 });
  });

  it("imports CSV by the columns it is told", async () => {
    const name = await file("table.csv", "who,at,said\nCara,2026-03-01,first\nDan,2026-03-02,second\n");
    const { code } = await demo(
      name,
      "--once",
      "--entity-column",
      "who",
      "--time-column",
      "at",
      "--text-column",
      "said",
    );
    expect(code).toBe(0);
    expect(await entities()).toMatchObject({ "who:Cara": 1, "who:Dan": 1 });
  });

  it("imports a Slack export", async () => {
    const day = [{ type: "message", ts: "1772359200.000100", user: "U1", text: "hello" }];
    await demo(
      await file("export.zip", zipSync({ "general/2026-03-01.json": strToU8(JSON.stringify(day)) })),
      "--once",
    );
    expect(await entities()).toMatchObject({ "channel:general": 1 });
  });

  it("imports a git history, from any folder of the repository", async () => {
    const repository = join(folder, "repository");
    await mkdir(join(repository, "docs"), { recursive: true });
    const git = (...parameters: string[]) =>
      run("git", ["-c", "user.name=Dana", "-c", "user.email=dana@example.com", ...parameters], { cwd: repository });
    await git("init", "-q");
    await writeFile(join(repository, "docs/guide.md"), "hello\n");
    await git("add", ".");
    await git("commit", "-qm", "Write the gardening guide");
    const { output } = await demo("repository/docs", "--once");
    expect(output).toContain("(1 commit)");
    expect(output).toContain("? docs/guide.md");
    expect(await entities()).toMatchObject({ "author:Dana": 1, "folder:docs": 1 });
  });

  it.each([
    ["what is not there", "absent.jsonl", /absent\.jsonl does not exist\.\nTry /],
    ["a folder that is no repository", ".", /is not in a git repository.*\nTry /s],
    ["a file of an unknown kind", "image.png", /is neither .*\nTry /s],
  ])("says what else to try when it is given %s", async (_, name, message) => {
    await file("image.png", "");
    const { code, output } = await demo(name, "--once");
    expect(output).toMatch(message);
    expect(code).toBe(1);
  });

  it("shows its usage when it does not know an option", async () => {
    const { code, output } = await demo("--entitycolumn", "x");
    expect(output).toContain("npm run demo -- gtm");
    expect(code).toBe(2);
  });
});
