/** The entry module that counts what a script uses, for `RuntimeOptions.around`. */
import { join } from "node:path";
import { build } from "vite";
import { type DeployedScript, OBJECTS } from "../../scripts/deployment.ts";

const CLASSES = ["EntityObject", "TenantObject"] as const;

/** Bundles the counting once, for all scripts. */
export async function countingEntry(): Promise<(script: DeployedScript) => string> {
  const counting = await bundled();
  return (script) => [counting, ...exportsOf(script)].join("\n");
}

function exportsOf(script: DeployedScript): readonly string[] {
  const classes = script === OBJECTS ? CLASSES : [];
  return [
    'import * as script from "./worker.js";',
    'export * from "./worker.js";',
    "export default counted(script.default);",
    ...classes.map((name) => `export const ${name} = countedObject(script.${name});`),
  ];
}

async function bundled(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      target: "esnext",
      lib: { entry: join(import.meta.dirname, "in_workerd.ts"), formats: ["es"] },
      rollupOptions: { external: [/^cloudflare:/], output: { codeSplitting: false } },
    },
  });
  for (const output of Array.isArray(result) ? result : [result]) {
    if ("output" in output && output.output[0].type === "chunk")
      return output.output[0].code.replace(/^export \{[^}]*\};$/m, "");
  }
  throw new Error("nothing was bundled");
}
