/**
 * Plants faults in the shipped sources as they are loaded: `simulate.ts?fault=name` and all that it imports are loaded
 * once more, with the named edits made. An edit whose original text is no longer there, or not once, throws.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { PLANTED_FAULTS, type PlantedFault } from "./planted_faults.ts";
import type { simulate } from "./simulate.ts";

const ROOT = new URL("../../", import.meta.url).href;
const QUERY = "?fault=";
/** Loaded once for all, but for faults in the kernel itself. */
const SHARED = [`${ROOT}wasm/`, `${ROOT}test/kernel/`, `${ROOT}test/simulator/kernel.ts`];

export async function simulateWith(name: string): Promise<typeof simulate> {
  const fault = PLANTED_FAULTS.find((candidate) => candidate.name === name);
  if (fault === undefined)
    throw new Error(`no fault is called ${name}: ${PLANTED_FAULTS.map((one) => one.name).join(", ")}`);
  const planted = new Set<string>();
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const isOurs = resolved.url.startsWith(ROOT) && !resolved.url.includes("/node_modules/");
      const isMarked =
        context.parentURL?.includes(QUERY) === true && isOurs && !SHARED.some((url) => resolved.url.startsWith(url));
      return isMarked ? { ...resolved, url: `${resolved.url.split("?")[0]}${QUERY}${name}` } : resolved;
    },
    load(url, context, next) {
      const [file = "", marked] = url.split(QUERY);
      const edits = fault.edits.filter((edit) => file === `${ROOT}${edit.file}`);
      if (marked !== name || edits.length === 0) return next(url, context);
      for (const edit of edits) planted.add(edit.file);
      return { format: "module-typescript", source: edited(fileURLToPath(file), edits), shortCircuit: true };
    },
  });
  try {
    const loaded = (await import(`./simulate.ts${QUERY}${name}`)) as { readonly simulate: typeof simulate };
    const missed = fault.edits.filter(({ file }) => !planted.has(file));
    if (missed.length > 0)
      throw new Error(`${name} edits what is not loaded: ${missed.map(({ file }) => file).join(", ")}`);
    return loaded.simulate;
  } finally {
    hooks.deregister();
  }
}

function edited(path: string, edits: PlantedFault["edits"]): string {
  return edits.reduce(
    (source, { from, to }) => {
      const pieces = source.split(from);
      if (pieces.length !== 2) throw new Error(`${path} has this text ${pieces.length - 1} times, not once:\n${from}`);
      return pieces.join(to);
    },
    readFileSync(path, "utf8"),
  );
}
