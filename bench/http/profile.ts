/**
 * Where the scripts spend their time under a load: every isolate is profiled through the runtime's inspector, and the
 * functions that took most by themselves are named.
 */

const INTERVAL_US = 200;
const SHOWN = 45;

interface Node {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface Profile {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export async function profiled<T>(port: number, work: () => Promise<T>, say: (line: string) => void): Promise<T> {
  const listed = await fetch(`http://127.0.0.1:${port}/json/list`);
  const targets = (await listed.json()) as readonly {
    readonly title?: string;
    readonly id: string;
    readonly webSocketDebuggerUrl: string;
  }[];
  const sessions = await Promise.all(
    targets.map(async (target) => ({ target, session: await open(target.webSocketDebuggerUrl) })),
  );
  for (const { session } of sessions) {
    await session.call("Profiler.enable");
    await session.call("Profiler.setSamplingInterval", { interval: INTERVAL_US });
    await session.call("Profiler.start");
  }
  const done = await work();
  for (const { target, session } of sessions) {
    const { profile } = (await session.call("Profiler.stop")) as { profile: Profile };
    session.close();
    say(`  ${target.title ?? target.id}`);
    for (const line of linesOf(profile)) say(`    ${line}`);
  }
  return done;
}

function linesOf({ nodes, samples, timeDeltas }: Profile): readonly string[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? "?";
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  });
  return [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, us]) => `${(us / 1_000).toFixed(0).padStart(8)} ms  ${name}`);
}

function nameOf({ functionName, url, lineNumber }: Node["callFrame"]): string {
  return `${functionName === "" ? "(anonymous)" : functionName} ${url.split("/").at(-1) ?? ""}:${lineNumber + 1}`;
}

interface Session {
  call(method: string, params?: object): Promise<unknown>;
  close(): void;
}

async function open(url: string): Promise<Session> {
  const socket = new WebSocket(url);
  await new Promise((opened, failed) => {
    socket.addEventListener("open", opened, { once: true });
    socket.addEventListener("error", failed, { once: true });
  });
  const waiting = new Map<number, (result: unknown) => void>();
  let id = 0;
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(String(event.data)) as { id?: number; result?: unknown };
    if (message.id !== undefined) waiting.get(message.id)?.(message.result);
  });
  return {
    call(method, params = {}) {
      id += 1;
      const answered = new Promise<unknown>((settle) => waiting.set(id, settle));
      socket.send(JSON.stringify({ id, method, params }));
      return answered;
    },
    close: () => socket.close(),
  };
}
