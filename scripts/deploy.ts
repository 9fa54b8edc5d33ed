/**
 * `npm run deploy`: deploys the four scripts to the account wrangler is logged in to, each after those it binds to, and
 * stops at the first failure. Parameters go to every `wrangler deploy`: `npm run deploy -- --dry-run` uploads nothing.
 */
import { runNode, SCRIPTS, WRANGLER, WRANGLER_OFFLINE } from "./deployment.ts";

const KERNEL = "scripts/build_kernel.ts";

const parameters = process.argv.slice(2);
const environment = parameters.includes("--dry-run") ? WRANGLER_OFFLINE : {};
await must(KERNEL, [KERNEL]);
for (const [index, { config }] of SCRIPTS.entries()) {
  console.log(`\n${index + 1} of ${SCRIPTS.length}: ${config}`);
  await must(config, [WRANGLER, "deploy", "-c", config, ...parameters]);
}
console.log(`\nAll ${SCRIPTS.length} scripts done.`);

async function must(what: string, command: readonly string[]): Promise<void> {
  const { code } = await runNode(command, "inherit", environment);
  if (code === 0) return;
  console.error(`\n${what} failed with code ${code}; nothing after it was deployed.`);
  process.exit(code);
}
