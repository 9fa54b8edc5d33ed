/**
 * Who may import whom (docs: ARCHITECTURE.md). A rule names what a folder must not reach; everything else is free.
 * `core` is the pure domain and knows nothing outside itself; workers meet each other only through bindings.
 */
const KNOWN = "^(core|adapters|wasm|durable-objects|workers|scripts|bench|test|sdk|console)/";

/** Packages and platform modules, as the resolver reports them. */
const PACKAGES = { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"] };
const NODE_MODULES = { dependencyTypes: ["core"] };

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment: "Two files that need each other are one file, or lack a third.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "nothing-unresolved",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^(cloudflare:|virtual:|\\S+\\.wasm$)" },
    },
    {
      name: "core-imports-only-core",
      severity: "error",
      from: { path: "^core/" },
      to: { path: KNOWN, pathNot: "^core/" },
    },
    {
      name: "core-imports-no-package-but-zod",
      severity: "error",
      from: { path: "^core/" },
      to: { ...PACKAGES, pathNot: "(^|/)node_modules/zod/" },
    },
    {
      name: "core-knows-no-platform",
      severity: "error",
      from: { path: "^core/" },
      to: NODE_MODULES,
    },
    {
      name: "core-knows-no-cloudflare",
      severity: "error",
      from: { path: "^core/" },
      to: { path: "^cloudflare:" },
    },
    {
      name: "wasm-imports-only-limits",
      comment: "The kernel's wrapper takes its budget from core/limits.ts; of the rest of core it may name types.",
      severity: "error",
      from: { path: "^wasm/" },
      to: { path: KNOWN, pathNot: "^(wasm/|core/limits\\.ts$)", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "wasm-imports-types-only-of-core",
      severity: "error",
      from: { path: "^wasm/" },
      to: { path: KNOWN, pathNot: "^(wasm|core)/" },
    },
    {
      name: "adapters-import-only-core",
      severity: "error",
      from: { path: "^adapters/" },
      to: { path: KNOWN, pathNot: "^(adapters|core)/" },
    },
    {
      name: "objects-import-no-worker",
      severity: "error",
      from: { path: "^durable-objects/" },
      to: { path: KNOWN, pathNot: "^(durable-objects|adapters|core|wasm)/" },
    },
    {
      name: "workers-import-no-script-or-test",
      severity: "error",
      from: { path: "^workers/" },
      to: { path: "^(scripts|bench|test|sdk|console)/" },
    },
    {
      name: "workers-import-only-types-of-objects",
      comment: "Objects are reached through their binding: only the type of a stub may be named.",
      severity: "error",
      from: { path: "^workers/" },
      to: { path: "^durable-objects/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "a-worker-imports-no-other-worker",
      severity: "error",
      from: { path: "^workers/([^/]+)/" },
      to: { path: "^workers/", pathNot: "^workers/$1/" },
    },
    {
      name: "shipped-code-imports-no-development-package",
      severity: "error",
      from: { path: "^(core|adapters|wasm|durable-objects|workers)/" },
      to: { dependencyTypes: ["npm-dev"], pathNot: "node_modules/(@cloudflare/workers-types|@types)/" },
    },
    {
      name: "nothing-imports-tests",
      severity: "error",
      from: { pathNot: "^test/" },
      to: { path: "^test/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|\\.wrangler)/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      extensions: [".ts", ".mjs", ".js", ".json"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
};
