/**
 * The command line of `npm run demo`.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { ROOT } from "../deployment.ts";

export const USAGE = `npm run demo                      the git history of this checkout
npm run demo -- gtm               sample data: an account's calls, messages and CRM changes
npm run demo -- <path>            another git repository, a .jsonl, .ndjson or .csv file, a Slack export .zip

  --entity <name>                 entity of records that name none (default: file:<name of the file>)
  --entity-column <column>        column that names the entity
  --time-column <column>          column that holds the time
  --text-column <column>[,…]      columns that hold the text
  --id-column <column>            column that holds the event's id (default: id)
  --limit <commits>               only the newest commits of a git history
  --once                          ends after the questions instead of serving on
  --help

PORT, HOST and STATE_DIR are those of npm start. With CONTEXT_PLANE_URL (and CONTEXT_PLANE_KEY) it uses a running
deployment and starts nothing.`;

const optionsSchema = z.object({
  help: z.boolean().default(false),
  once: z.boolean().default(false),
  entity: z.string().min(1).optional(),
  "entity-column": z.string().min(1).optional(),
  "time-column": z.string().min(1).optional(),
  "text-column": z.string().min(1).optional(),
  "id-column": z.string().min(1).optional(),
  limit: z.coerce.number("--limit must be a whole number of commits").int().min(1).optional(),
});

export interface DemoArguments {
  readonly help: boolean;
  readonly once: boolean;
  readonly input: { readonly kind: "gtm" } | { readonly kind: "path"; readonly path: string };
  readonly entity: string | undefined;
  readonly entityColumn: string | undefined;
  readonly timeColumn: string | undefined;
  readonly textColumns: readonly string[] | undefined;
  readonly idColumn: string | undefined;
  readonly commitsMax: number | undefined;
}

/** Throws a sentence on anything it does not know. `directory` is where the user stands. */
export function parseArguments(argv: readonly string[], directory: string): DemoArguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: "boolean" },
      once: { type: "boolean" },
      entity: { type: "string" },
      "entity-column": { type: "string" },
      "time-column": { type: "string" },
      "text-column": { type: "string" },
      "id-column": { type: "string" },
      limit: { type: "string" },
    },
  });
  if (positionals.length > 1) throw new Error(`one input at a time; got ${positionals.join(" and ")}`);
  const options = optionsSchema.parse(values);
  const [input] = positionals;
  return {
    help: options.help,
    once: options.once,
    input:
      input === "gtm"
        ? { kind: "gtm" }
        : { kind: "path", path: input === undefined ? ROOT : resolve(directory, input) },
    entity: options.entity,
    entityColumn: options["entity-column"],
    timeColumn: options["time-column"],
    textColumns: options["text-column"]?.split(","),
    idColumn: options["id-column"],
    commitsMax: options.limit,
  };
}
