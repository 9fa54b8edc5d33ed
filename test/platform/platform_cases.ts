/** Cases for the compression and digest ports, as JSON, and what a platform answers to them. */
import { hex } from "../../core/log/text_encoding.ts";
import type { Compression, Digest } from "../../core/ports.ts";

export interface Case {
  readonly call: "sha256" | "zstd" | "unzstd" | "gunzip";
  readonly bytes: readonly number[];
  readonly bytesMax: number;
}

export function answersOf(cases: readonly Case[], compression: Compression, digest: Digest): string[] {
  return cases.map(({ call, bytes, bytesMax }) => {
    const input = Uint8Array.from(bytes);
    if (call === "sha256") return hex(digest.sha256(input));
    const result =
      call === "zstd" ? compression.unzstd(compression.zstd(input), bytesMax) : compression[call](input, bytesMax);
    return result.ok ? hex(digest.sha256(result.value)) : result.failure.reason;
  });
}
