/** Tenants beside the development one. */
import { expect } from "vitest";
import { DEVELOPMENT_ADMIN_TOKEN } from "../front_door/credentials.ts";
import { type Call, json } from "./plane.ts";

const ADMIN = { authorization: `Bearer ${DEVELOPMENT_ADMIN_TOKEN}` };

/** Headers of a new key of the tenant, which is made when it is not there; by default one that may do everything. */
export async function newKey(
  call: Call,
  tenant: string,
  grant: object = { scopes: ["read", "write", "admin"], tier: "T3" },
): Promise<Readonly<Record<string, string>>> {
  const created = await call("POST", "/v1/admin/tenants", { tenant }, ADMIN);
  expect([201, 409]).toContain(created.status);
  const { key } = await json<{ key: string }>(call("POST", `/v1/admin/tenants/${tenant}/keys`, grant, ADMIN), 201);
  return { authorization: `Bearer ${key}` };
}
