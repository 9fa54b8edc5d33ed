/**
 * Puts code of a harness around the scripts of the local runtime, in the same process. The bundles stay as they are
 * deployed: a generated entry imports one and exports its classes and handlers as the harness has wrapped them.
 *
 *   entry.js ── forgetful.js(production.js(worker.js))
 *
 * A harness is a module without imports of ours, so that taking its types away is all it needs to run there.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { V4ModuleDefinition, V4WorkerOptions } from "miniflare";
import { transformWithOxc } from "vite";

/** A file that exports `wrapClass` and `wrapHandlers` (`Harness`), and what is bound for it in every script. */
export interface Around {
  readonly file: string;
  readonly bindings?: Readonly<Record<string, string>>;
  readonly serviceBindings?: NonNullable<V4WorkerOptions["serviceBindings"]>;
}

/** What a class of the platform looks like from outside: objects, entrypoints and workflows are all made like this. */
// biome-ignore lint/suspicious/noExplicitAny: a mixin's constructor has to take any[] (TypeScript 2545)
export type PlatformClass = new (...parameters: any[]) => object;

/** What a harness exports. Its answer takes the place of what it is given. */
export interface Harness {
  wrapClass<Class extends PlatformClass>(shipped: Class): Class;
  wrapHandlers<Handlers extends object>(shipped: Handlers): Handlers;
}

/** The modules of a script with the harnesses around it, the entry first. `classes` are what it exports beside its handlers. */
export async function surrounded(
  modules: V4ModuleDefinition[],
  directory: string,
  classes: readonly string[],
  around: readonly Around[],
): Promise<V4ModuleDefinition[]> {
  if (around.length === 0) return modules;
  const harnesses = await Promise.all(
    around.map(async ({ file }, index) => esModule(directory, nameOf(index), await javascript(file))),
  );
  return [esModule(directory, "entry.js", entryCode(classes, around.length)), ...modules, ...harnesses];
}

function entryCode(classes: readonly string[], harnesses: number): string {
  const indexes = Array.from({ length: harnesses }, (_, index) => index);
  const around = (what: string, shipped: string): string =>
    indexes.reduce((inner, index) => `harness${index}.${what}(${inner})`, shipped);
  return [
    'import * as shipped from "./worker.js";',
    ...indexes.map((index) => `import * as harness${index} from "./${nameOf(index)}";`),
    // What is not named below passes as it is.
    'export * from "./worker.js";',
    `export default ${around("wrapHandlers", "shipped.default")};`,
    ...classes.map((name) => `export const ${name} = ${around("wrapClass", `shipped.${name}`)};`),
  ].join("\n");
}

function nameOf(index: number): string {
  return `harness${index}.js`;
}

function esModule(directory: string, name: string, contents: string) {
  return { type: "ESModule" as const, path: join(directory, name), contents };
}

/** A TypeScript file as JavaScript, its types taken away. */
export async function javascript(file: string): Promise<string> {
  const { code } = await transformWithOxc(await readFile(file, "utf8"), file, { sourcemap: false });
  return code;
}
