/**
 * The variables that the shell hands on to the four scripts in the local runtime. In a deployment the same names are
 * set with `[vars]` or `wrangler secret put`. README.md says what each means.
 */

const NAMES: readonly string[] = [
  "INDEX_EVENTS",
  "INDEX_BYTES",
  "INDEX_AGE_MS",
  "NUDGE_RETRY_MS",
  "PUT_DEADLINE_MS",
  "TAIL_BYTES",
  "MAINTENANCE_WINDOW_UTC",
  "BUILD_DEADLINE_MS",
  "COLLECT_AGE_MS",
  "CORS_ORIGINS",
  "JWT_ISSUER",
  "JWT_AUDIENCE",
  "JWT_JWKS_URL",
  "API_KEY_PEPPER",
  "ADMIN_TOKEN",
  "OBJECT_STORE",
];
/** The settings of the embedders and of a store that speaks S3. */
const PREFIXES: readonly string[] = ["EMBEDDER", "OPENAI_", "WORKERS_AI_", "S3_"];

export type Variables = Readonly<Record<string, string>>;

/** ENVIRONMENT is not among them: other programs use that name, and the local runtime is always "development". */
export function variablesFrom(shell: Readonly<Record<string, string | undefined>>): Variables {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(shell)) {
    const known = NAMES.includes(name) || PREFIXES.some((prefix) => name.startsWith(prefix));
    if (known && value !== undefined && value !== "") variables[name] = value;
  }
  return variables;
}
