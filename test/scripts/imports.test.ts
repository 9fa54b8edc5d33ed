import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/deployment.ts";

/** Imports that may be: the folder, and a file's content. */
const ALLOWED: readonly (readonly [string, string])[] = [
  ["core", 'import { z } from "zod";\nimport { LIMIT } from "./limits.ts";\nexport const x = [z, LIMIT];'],
  [
    "adapters",
    'import { hono } from "hono";\nimport { PORT } from "../core/ports.ts";\nexport const x = [hono, PORT];',
  ],
  [
    "wasm",
    'import { LIMIT } from "../core/limits.ts";\nimport type { Port } from "../core/ports.ts";\nexport const x: [number, Port?] = [LIMIT];',
  ],
  [
    "durable-objects",
    'import { kernel } from "../wasm/kernel.ts";\nimport { store } from "../adapters/store.ts";\nexport const x = [kernel, store];',
  ],
  [
    "workers/query",
    'import type { EntityObject } from "../../durable-objects/entity_object.ts";\nimport { hono } from "hono";\nexport const x: [unknown, EntityObject?] = [hono];',
  ],
  [
    "test",
    'import { fixture } from "./fixture.ts";\nimport { start } from "../scripts/start.ts";\nexport const x = [fixture, start];',
  ],
];

/** Imports that may not be: the folder, what a file in it imports, and the rule that says so. */
const FORBIDDEN: readonly (readonly [string, string, string])[] = [
  ["core", "../adapters/store.ts", "core-imports-only-core"],
  ["core", "../wasm/kernel.ts", "core-imports-only-core"],
  ["core", "hono", "core-imports-no-package-but-zod"],
  ["core", "node:fs", "core-knows-no-platform"],
  ["core", "cloudflare:workers", "core-knows-no-cloudflare"],
  ["core", "./absent.ts", "nothing-unresolved"],
  ["wasm", "../core/ports.ts", "wasm-imports-only-limits"],
  ["wasm", "../adapters/store.ts", "wasm-imports-types-only-of-core"],
  ["adapters", "../wasm/kernel.ts", "adapters-import-only-core"],
  ["adapters", "../durable-objects/entity_object.ts", "adapters-import-only-core"],
  ["adapters", "miniflare", "shipped-code-imports-no-development-package"],
  ["durable-objects", "../workers/ingest/append.ts", "objects-import-no-worker"],
  ["workers/query", "../ingest/append.ts", "a-worker-imports-no-other-worker"],
  ["workers/query", "../../durable-objects/entity_object.ts", "workers-import-only-types-of-objects"],
  ["workers/query", "../../scripts/start.ts", "workers-import-no-script-or-test"],
  ["scripts", "../test/fixture.ts", "nothing-imports-tests"],
];

const PROJECT: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({ dependencies: { zod: "1", hono: "1" }, devDependencies: { miniflare: "1" } }),
  "tsconfig.json": "{}",
  "core/limits.ts": "export const LIMIT = 1;",
  "core/ports.ts": "export interface Port { readonly name: string }\nexport const PORT = 1;",
  "core/cycle_a.ts": 'import { b } from "./cycle_b.ts";\nexport const a = (): number => b();',
  "core/cycle_b.ts": 'import { a } from "./cycle_a.ts";\nexport const b = (): number => a();',
  "adapters/store.ts": "export const store = 1;",
  "wasm/kernel.ts": "export const kernel = 1;",
  "durable-objects/entity_object.ts": "export class EntityObject {}",
  "workers/ingest/append.ts": "export const append = 1;",
  "scripts/start.ts": "export const start = 1;",
  "test/fixture.ts": "export const fixture = 1;",
};

const FOLDERS = ["core", "adapters", "wasm", "durable-objects", "workers", "scripts", "test"];

const allowedFile = (index: number): string => `${ALLOWED[index]?.[0]}/allowed_${index}.ts`;
const forbiddenFile = (index: number): string => `${FORBIDDEN[index]?.[0]}/forbidden_${index}.ts`;

/** A miniature of the project that breaks every rule, once. */
const project = mkdtempSync(join(tmpdir(), "import-rules-"));
let violations: readonly { from: string; rule: { name: string } }[] = [];
let rules: readonly string[] = [];

beforeAll(async () => {
  for (const [file, content] of Object.entries(PROJECT)) write(file, content);
  for (const name of ["zod", "hono", "miniflare"]) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    write(`node_modules/${name}/index.js`, `exports.${name} = 1;`);
  }
  for (const [index, [, content]] of ALLOWED.entries()) write(allowedFile(index), content);
  for (const [index, [, target]] of FORBIDDEN.entries()) {
    write(forbiddenFile(index), `import * as other from "${target}";\nexport const x = other;`);
  }
  const depcruise = join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const command = [depcruise, "--config", join(ROOT, ".dependency-cruiser.cjs"), "--output-type", "json", ...FOLDERS];
  const run = promisify(execFile)(process.execPath, command, { cwd: project, maxBuffer: 1 << 24 });
  // It exits with the number of violations.
  const output = await run.then(({ stdout }) => stdout).catch((error: { stdout: string }) => error.stdout);
  const { summary } = JSON.parse(output);
  violations = summary.violations;
  rules = summary.ruleSetUsed.forbidden.map(({ name }: { name: string }) => name);
});
afterAll(() => rmSync(project, { recursive: true }));

function rulesBrokenBy(file: string): readonly string[] {
  return violations.filter(({ from }) => from === file).map(({ rule }) => rule.name);
}

function write(file: string, content: string): void {
  mkdirSync(dirname(join(project, file)), { recursive: true });
  writeFileSync(join(project, file), content);
}

describe("the import rules", () => {
  it.each(ALLOWED.map(([folder], index) => [folder, index] as const))("let %s import what it may", (_, index) => {
    expect(rulesBrokenBy(allowedFile(index))).toEqual([]);
  });

  it.each(FORBIDDEN.map(([folder, target, rule], index) => [folder, target, rule, index] as const))(
    "refuse that %s imports %s",
    (_folder, _target, rule, index) => {
      expect(rulesBrokenBy(forbiddenFile(index))).toContain(rule);
    },
  );

  it("refuse a cycle", () => {
    expect(rulesBrokenBy("core/cycle_a.ts")).toEqual(["no-cycles"]);
  });

  it("have a test each", () => {
    expect([...rules].sort()).toEqual([...new Set(["no-cycles", ...FORBIDDEN.map(([, , rule]) => rule)])].sort());
  });
});
