/**
 * `npm start`: serves the four scripts on PORT with their state in STATE_DIR until it is told to stop.
 * Standard output has one line, when requests are answered; what the scripts log goes to standard error.
 */
import { bootRuntime, PortInUseError } from "./runtime.ts";
import { endWithNpm, SettingError, serveOptions, stopOnSignals } from "./serve.ts";

endWithNpm();
try {
  const runtime = await bootRuntime(serveOptions(process.env));
  stopOnSignals(runtime);
  console.log(`ready on ${runtime.url}`);
} catch (error) {
  console.error(error instanceof PortInUseError || error instanceof SettingError ? error.message : error);
  process.exit(1);
}
