/** A kernel as bundlers and the Workers runtime import it: compiled, not instantiated. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
