import { describe, expect, it } from "vitest";
import { readConfiguration, type Variables } from "../../workers/query/configuration.ts";

const secrets = { ENVIRONMENT: "production", API_KEY_PEPPER: "a pepper of its own", ADMIN_TOKEN: "a-token-of-its-own" };
const issuer = { JWT_ISSUER: "i", JWT_AUDIENCE: "a", JWT_JWKS_URL: "https://issuer.example/jwks" };

function missing(variables: Variables): readonly string[] {
  const read = readConfiguration(variables);
  return read.ok ? [] : read.missing;
}

describe("a configuration", () => {
  it.each<[string, Variables]>([
    ["in development without anything else", { ENVIRONMENT: "development" }],
    ["with both secrets", secrets],
    ["with an issuer", { ...secrets, ...issuer }],
    ["with a maintenance window", { ...secrets, MAINTENANCE_WINDOW_UTC: "22:00-04:00" }],
    ["with origins", { ...secrets, CORS_ORIGINS: "https://a.example, http://localhost:3000" }],
    [
      "in development with an issuer on this machine",
      { ENVIRONMENT: "development", ...issuer, JWT_JWKS_URL: "http://127.0.0.1:1/" },
    ],
  ])("%s is whole", (_, variables) => expect(missing(variables)).toEqual([]));

  it.each<[string, Variables, string]>([
    ["without a pepper", { ...secrets, API_KEY_PEPPER: "" }, "API_KEY_PEPPER"],
    ["without an admin token", { ...secrets, ADMIN_TOKEN: "" }, "ADMIN_TOKEN"],
    ["with development's pepper", { ...secrets, API_KEY_PEPPER: "development-pepper-not-a-secret" }, "API_KEY_PEPPER"],
    ["with development's admin token", { ...secrets, ADMIN_TOKEN: "dev-admin-token" }, "ADMIN_TOKEN"],
    ["with an admin token that no header carries", { ...secrets, ADMIN_TOKEN: "two words" }, "ADMIN_TOKEN"],
    ["with an admin token that looks like a key", { ...secrets, ADMIN_TOKEN: "ck_0123456789abcdef_x" }, "ADMIN_TOKEN"],
    ["in an environment that is almost development", { ENVIRONMENT: "Development" }, "API_KEY_PEPPER"],
    ["with half an issuer", { ...secrets, JWT_ISSUER: "i" }, "JWT_AUDIENCE"],
    ["with a key set that is no URL", { ...secrets, ...issuer, JWT_JWKS_URL: "issuer" }, "JWT_JWKS_URL"],
    [
      "with a key set that anyone on the way could alter",
      { ...secrets, ...issuer, JWT_JWKS_URL: "http://i.example" },
      "JWT_JWKS_URL",
    ],
    ["with every origin", { ...secrets, CORS_ORIGINS: "*" }, "CORS_ORIGINS"],
    ["with a window that is no time", { ...secrets, MAINTENANCE_WINDOW_UTC: "night" }, "MAINTENANCE_WINDOW_UTC"],
    ["with a window of no length", { ...secrets, MAINTENANCE_WINDOW_UTC: "02:00-02:00" }, "MAINTENANCE_WINDOW_UTC"],
    ["with an origin that has a path", { ...secrets, CORS_ORIGINS: "https://a.example/app" }, "CORS_ORIGINS"],
  ])("%s is refused by name, and no value is repeated", (_, variables, name) => {
    const sentences = missing(variables).join(" ");
    expect(sentences).toContain(name);
    for (const secret of [variables.API_KEY_PEPPER, variables.ADMIN_TOKEN]) {
      if (secret !== undefined && secret !== "") expect(sentences).not.toContain(secret);
    }
  });
});
