/** Memory of a process as the operating system counts it; never a counter of our own. */
import { readFileSync } from "node:fs";

/** null where there is no /proc or the process is gone. */
export interface Memory {
  /** VmRSS: now. */
  readonly residentBytes: number | null;
  /** VmHWM: the most since it began. */
  readonly peakBytes: number | null;
}

export function memoryOf(pid: number | null): Memory {
  const status = statusOf(pid);
  return { residentBytes: bytesIn(status, "VmRSS"), peakBytes: bytesIn(status, "VmHWM") };
}

export function peakMemoryBytes(pid: number | null): number | null {
  return memoryOf(pid).peakBytes;
}

function statusOf(pid: number | null): string {
  if (pid === null) return "";
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

function bytesIn(status: string, name: string): number | null {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}
