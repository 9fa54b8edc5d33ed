/** Peak memory of a process as the operating system counts it; never a counter of our own. */
import { readFileSync } from "node:fs";

/** VmHWM of /proc, in bytes; null where there is no /proc or the process is gone. */
export function peakMemoryBytes(pid: number | null): number | null {
  if (pid === null) return null;
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}
