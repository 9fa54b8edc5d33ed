/** Written by workerd_runtime.ts for a run. */
declare module "virtual:libraries" {
  export const kernel: WebAssembly.Module;
  export const reader: WebAssembly.Module;
  export const libraries: Readonly<Record<string, { readonly library: unknown; readonly version: string }>>;
}
