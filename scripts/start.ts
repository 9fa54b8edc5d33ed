/**
 * `npm start`: serves the four scripts on PORT with their state in STATE_DIR until it is told to stop.
 * Standard output has one line, when requests are answered; what the scripts log goes to standard error.
 */
import { serve } from "./serve.ts";

await serve();
