/**
 * The deployment's variables, read once. What is missing or unusable is a list of sentences: with any in it, the front
 * door refuses to serve and says which. No value ever appears in one.
 */

import { DEVELOPMENT_ADMIN_TOKEN } from "../../core/access/authenticate.ts";
import { problemOf } from "../../core/errors.ts";
import { parseMaintenanceWindow } from "../../core/lifecycle/maintenance_window.ts";

/** Known to everyone who reads this file, so it protects nothing outside a developer's machine. */
const DEVELOPMENT_PEPPER = "development-pepper-not-a-secret";

export type Variables = Readonly<
  Partial<
    Record<
      | "ENVIRONMENT"
      | "API_KEY_PEPPER"
      | "ADMIN_TOKEN"
      | "CORS_ORIGINS"
      | "JWT_ISSUER"
      | "JWT_AUDIENCE"
      | "JWT_JWKS_URL"
      | "MAINTENANCE_WINDOW_UTC",
      string
    >
  >
>;

export interface TokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: URL;
}

export interface Configuration {
  readonly development: boolean;
  readonly pepper: string;
  readonly adminToken: string;
  readonly corsOrigins: readonly string[];
  readonly tokenIssuer: TokenIssuer | null;
}

export type ReadConfiguration =
  | { readonly ok: true; readonly value: Configuration }
  | { readonly ok: false; readonly missing: readonly string[] };

export function readConfiguration(variables: Variables): ReadConfiguration {
  const missing: string[] = [];
  const development = variables.ENVIRONMENT === "development";
  const secret = (name: "API_KEY_PEPPER" | "ADMIN_TOKEN", fallback: string): string => {
    const value = variables[name] ?? "";
    if (development) return value === "" ? fallback : value;
    if (value === "") missing.push(`The secret ${name} is missing.`);
    else if (value === fallback) missing.push(`The secret ${name} is the one of local development.`);
    return value;
  };
  const pepper = secret("API_KEY_PEPPER", DEVELOPMENT_PEPPER);
  const adminToken = secret("ADMIN_TOKEN", DEVELOPMENT_ADMIN_TOKEN);
  if (/^ck_|[^!-~]/.test(adminToken)) missing.push("ADMIN_TOKEN must be printable ASCII without spaces, not a key.");
  const corsOrigins = readOrigins(variables.CORS_ORIGINS ?? "", missing);
  const tokenIssuer = readIssuer(variables, development, missing);
  checkMaintenanceWindow(variables.MAINTENANCE_WINDOW_UTC ?? "", missing);
  if (missing.length > 0) return { ok: false, missing };
  return { ok: true, value: { development, pepper, adminToken, corsOrigins, tokenIssuer } };
}

/** Origins separated by commas or blanks, each as a browser sends it. `*` is not one. */
function readOrigins(text: string, missing: string[]): readonly string[] {
  const origins = text.split(/[\s,]+/).filter((origin) => origin !== "");
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      missing.push("CORS_ORIGINS must list origins such as https://app.example.com.");
    }
  }
  return origins;
}

/** The objects go by it; here it is only said before anything is served that it means nothing. */
function checkMaintenanceWindow(text: string, missing: string[]): void {
  if (text === "") return;
  const window = parseMaintenanceWindow(text);
  if (!window.ok) missing.push(`${problemOf(window.failure).detail}.`);
}

function readIssuer(variables: Variables, development: boolean, missing: string[]): TokenIssuer | null {
  const names = ["JWT_ISSUER", "JWT_AUDIENCE", "JWT_JWKS_URL"] as const;
  const [issuer = "", audience = "", url = ""] = names.map((name) => variables[name]);
  if (issuer === "" && audience === "" && url === "") return null;
  for (const name of names) {
    if ((variables[name] ?? "") === "") missing.push(`${name} is missing: tokens need all of ${names.join(", ")}.`);
  }
  if (!URL.canParse(url)) {
    if (url !== "") missing.push("JWT_JWKS_URL is not a URL.");
    return null;
  }
  const jwksUrl = new URL(url);
  if (jwksUrl.protocol !== "https:" && !development) missing.push("JWT_JWKS_URL must be https.");
  return { issuer, audience, jwksUrl };
}
