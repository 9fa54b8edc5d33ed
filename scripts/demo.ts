/**
 * `npm run demo`: boots the four scripts, imports a real timeline, asks it some questions and keeps serving.
 */
import { type DemoArguments, parseArguments, USAGE } from "./demo/arguments.ts";
import { gtmWalk } from "./demo/gtm.ts";
import { connect, type Plane } from "./demo/plane.ts";
import { curlLine } from "./demo/print.ts";
import { observer, type Question } from "./demo/questions.ts";
import { openSource, SourceError } from "./demo/source.ts";
import { type Walk, walk } from "./demo/walk.ts";
import type { Runtime } from "./runtime.ts";
import { endWithNpm, SettingError, serveOptions, stopOnSignals } from "./serve.ts";

const DEVELOPMENT_KEY = "ck_dev_contextplane";

endWithNpm();
const demoArguments = readArguments();
if (demoArguments.help) {
  console.log(USAGE);
} else {
  await demo(demoArguments).catch((error: unknown) => {
    console.error(explained(error));
    process.exit(1);
  });
}

function readArguments(): DemoArguments {
  try {
    // npm stands in the root; INIT_CWD is where the user stands.
    return parseArguments(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd());
  } catch (error) {
    console.error(`${explained(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function demo(options: DemoArguments): Promise<void> {
  // Before anything boots: what cannot be read is said at once.
  const { title, prepared } = await prepare(options);
  const remote = process.env.CONTEXT_PLANE_URL;
  const runtime = remote === undefined ? await boot() : null;
  const plane = connect(
    (remote ?? runtime?.url ?? "").replace(/\/$/, ""),
    process.env.CONTEXT_PLANE_KEY ?? DEVELOPMENT_KEY,
  );
  console.log(`importing ${title}`);
  const asked = await walk(plane, prepared);
  sayWhatNext(plane, asked);
  if (runtime === null) return;
  if (options.once) return runtime.stop();
  console.log("\nServing until Ctrl-C.");
}

async function prepare(options: DemoArguments): Promise<{ readonly title: string; readonly prepared: Walk }> {
  if (options.input.kind === "gtm") return { title: "the sample account", prepared: await gtmWalk() };
  const source = await openSource(options.input.path, options);
  const { observe, questions } = observer(source.kind);
  return { title: source.title, prepared: { items: source.items, fraction: source.fraction, observe, questions } };
}

async function boot(): Promise<Runtime> {
  // Only now: the local runtime takes a second to load, and a running deployment does without it.
  const { bootRuntime } = await import("./runtime.ts");
  const runtime = await bootRuntime({ ...serveOptions(process.env), quiet: true });
  stopOnSignals(runtime);
  console.log(`ready on ${runtime.url}`);
  return runtime;
}

function sayWhatNext(plane: Plane, asked: readonly Question[]): void {
  console.log(`\nURL  ${plane.url}\nkey  ${plane.key}`);
  const [question] = asked;
  if (question !== undefined) console.log(`\nAsk yourself:\n${curlLine(plane, question)}`);
}

function explained(error: unknown): string {
  if (error instanceof SourceError) {
    return `${error.message}\nTry npm run demo -- gtm, or give a git repository, a .jsonl or .csv file, or a Slack export .zip.`;
  }
  if (!(error instanceof Error)) return String(error);
  const expected = error instanceof SettingError || error.name === "PortInUseError";
  return expected ? error.message : (error.stack ?? error.message);
}
