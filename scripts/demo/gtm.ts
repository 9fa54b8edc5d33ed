/**
 * The sample account: its calls, messages and CRM changes, and the questions an agent would ask before the next call.
 */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ConnectorItem } from "../../adapters/connectors/item.ts";
import { jsonlItems } from "../../adapters/connectors/jsonl.ts";
import { ROOT } from "../deployment.ts";
import type { Question } from "./questions.ts";
import type { Walk } from "./walk.ts";

const FOLDER = join(ROOT, "scripts/demo_data/gtm");
const ACCOUNT = "account:lumen-orchard";

const QUESTIONS: readonly Question[] = [
  { about: "before the next call", entity: ACCOUNT, body: { text: "what did we promise them?", top_k: 3 } },
  { about: "is the contract safe", entity: ACCOUNT, body: { text: "renewal risk", top_k: 3 } },
  { about: "a ticket, verbatim", entity: ACCOUNT, body: { text: "TCK-4417", top_k: 3 } },
  { about: "an order, verbatim", entity: ACCOUNT, body: { text: "ORD-2026-00318", top_k: 3 } },
  {
    about: "only what the CRM says",
    entity: ACCOUNT,
    body: { text: "stage negotiation discount", top_k: 3, filter: { kind: "state", "attributes.system": "crm" } },
  },
  {
    about: "only since September",
    entity: ACCOUNT,
    body: { text: "who decides about the budget", top_k: 3, from: "2026-09-01T00:00:00Z" },
  },
];

export async function gtmWalk(): Promise<Walk> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith(".jsonl")).sort();
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(FOLDER, name))).size));
  const bytes = sizes.reduce((total, size) => total + size, 0);
  let bytesRead = 0;
  async function* items(): AsyncGenerator<ConnectorItem> {
    for (const [index, name] of files.entries()) {
      yield* jsonlItems(createReadStream(join(FOLDER, name)), { defaultEntity: ACCOUNT });
      bytesRead += sizes[index] ?? 0;
    }
  }
  return { items: items(), fraction: () => bytesRead / bytes, observe: () => {}, questions: () => QUESTIONS };
}
