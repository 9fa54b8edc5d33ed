/**
 * The limit of a scan on this machine: reading as many bytes as there are codes (one a dimension and vector), in order,
 * in WebAssembly, doing next to nothing with them. It takes its turns among the systems, so that what disturbs them
 * disturbs it.
 */
import asc from "assemblyscript/asc";

const SOURCE = `
export function read(at: i32, bytes: i32): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (let end = at + bytes; at < end; at += 64) {
    a = v128.xor(a, v128.load(at));
    b = v128.xor(b, v128.load(at, 16));
    c = v128.xor(c, v128.load(at, 32));
    d = v128.xor(d, v128.load(at, 48));
  }
  return i32x4.extract_lane(v128.xor(v128.xor(a, b), v128.xor(c, d)), 0);
}`;

export async function compileReader(): Promise<Uint8Array<ArrayBuffer>> {
  const options = { runtime: "stub", enable: ["simd"], importMemory: true, optimizeLevel: 3 };
  const { error, stderr, binary } = await asc.compileString(SOURCE, options);
  if (error !== null || binary === null) throw new Error(`The reader does not compile.\n${stderr.toString()}`);
  return Uint8Array.from(binary);
}
