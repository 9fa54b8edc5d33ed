/**
 * The route table and `/openapi.json` say the same, and what the table asks of credentials is what is documented.
 */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Requirement } from "../../core/access/principal.ts";
import { allowedMethods } from "../../workers/query/app.ts";
import { routes } from "../../workers/query/routes.ts";
import { documentOf } from "./openapi_document.ts";

const operations = routes.map(({ description }) => description);
const nameOf = ({ method, path }: { readonly method: string; readonly path: string }) => `${method} ${path}`;

describe("the route table", () => {
  it("names no route and no operation twice", () => {
    expect(new Set(operations.map(nameOf)).size).toBe(operations.length);
    expect(new Set(operations.map(({ operation }) => operation)).size).toBe(operations.length);
  });

  it("has a schema for each name in a path, and no others", () => {
    for (const { path, params } of operations) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(params)).toEqual(names);
    }
  });

  it("refuses unknown query parameters everywhere", () => {
    for (const { query } of operations) expect(query.safeParse({ misspelled: "x" }).success).toBe(false);
  });

  it("answers HEAD wherever it answers GET", () => {
    for (const methods of allowedMethods(routes).values())
      expect(methods.includes("HEAD")).toBe(methods.includes("GET"));
  });

  it("lets nobody without a credential but to health and its own description", () => {
    const open = operations.filter(({ access }) => access.credential === "none").map(nameOf);
    expect(open).toEqual(["GET /healthz", "GET /openapi.json"]);
  });
});

describe("what a route asks of a credential", () => {
  const level = (access: Requirement) =>
    access.credential === "tenant" ? `${access.scope} ${access.tier}` : access.credential;
  const levels = Object.fromEntries(operations.map((operation) => [nameOf(operation), level(operation.access)]));

  it.each([
    ["POST /v1/entities/{entity}/events", "write T1"],
    ["POST /v1/events", "write T1"],
    ["GET /v1/entities/{entity}/events", "read T1"],
    ["DELETE /v1/entities/{entity}/events/{id}", "write T1"],
    ["POST /v1/entities/{entity}/search", "read T1"],
    ["POST /v1/search", "read T1"],
    ["DELETE /v1/entities/{entity}", "admin T3"],
    ["POST /v1/entities/{entity}/redact", "admin T3"],
    ["GET /v1/entities/{entity}/export", "read T1"],
    ["POST /v1/entities/{entity}/import", "admin T1"],
    ["PUT /v1/settings", "admin T1"],
    ["GET /v1/entities/{entity}/settings", "read T1"],
    ["PUT /v1/entities/{entity}/settings", "admin T1"],
    ["POST /v1/admin/rebuild", "admin T1"],
    ["GET /v1/status", "admin T1"],
    ["GET /metrics", "admin T1"],
    ["POST /v1/admin/tenants", "deployment"],
    ["POST /v1/admin/tenants/{tenant}/keys", "deployment"],
  ])("%s: %s", (route, needed) => expect(levels[route]).toBe(needed));

  it("is the deployment's token for tenants and keys only", () => {
    for (const { path, access } of operations) {
      expect(access.credential === "deployment").toBe(path.startsWith("/v1/admin/tenants"));
    }
  });

  it("is the whole tenant wherever a path names nothing that a prefix could narrow", () => {
    const listed = operations.filter(({ access }) => access.credential === "tenant" && access.reach === "listed");
    expect(listed.map(nameOf).toSorted()).toEqual([
      "GET /v1/admin/dead-letters",
      "GET /v1/entities",
      "GET /v1/jobs/{id}",
      "GET /v1/settings",
      "POST /v1/admin/compact",
      "POST /v1/admin/rebuild",
      "POST /v1/events",
      "POST /v1/search",
      "POST /v1/warm",
    ]);
    for (const { path, access } of operations) {
      const names = access.credential === "tenant" && access.reach === "entity";
      expect(names).toBe(path.includes("{entity}"));
    }
  });
});

describe("the document", () => {
  const document = documentOf(routes);

  it("has exactly the operations of the table", () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) => {
      return Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`);
    });
    expect(described.toSorted()).toEqual(operations.map(nameOf).toSorted());
  });

  it("refers to nothing that it does not hold", () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? "");
    expect(references.length).toBeGreaterThan(operations.length);
    const resolve = (value: unknown, name: string) =>
      typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
    for (const reference of references) expect(reference.split("/").reduce<unknown>(resolve, document)).toBeDefined();
  });

  it("describes every field of a search, and that there are no others", () => {
    const search =
      document.paths["/v1/entities/{entity}/search"]?.post?.requestBody?.content["application/json"]?.schema;
    const schema = z
      .looseObject({ properties: z.record(z.string(), z.unknown()), additionalProperties: z.boolean() })
      .parse(search);
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining(["text", "vector", "top_k", "filter", "fusion", "at_least"]),
    );
    expect(schema.additionalProperties).toBe(false);
  });
});
