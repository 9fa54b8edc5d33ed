/**
 * The log line of a thrown error. It says where something happened and never what was in the request: messages of
 * parsers quote their input, so only the error's name and the stack's frames are written.
 */

/** `facts` are names and numbers of ours, never content. */
export function logFault(event: string, cause: unknown, facts: Readonly<Record<string, string | number>> = {}): void {
  const error = cause instanceof Error ? cause.name : typeof cause;
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  const frames = stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
  console.error(JSON.stringify({ level: "error", event, ...facts, error, frames }));
}
