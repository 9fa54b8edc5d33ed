import type { ScaleReport } from "./report.ts";

export function chartOf(_report: ScaleReport): string {
  return "";
}
