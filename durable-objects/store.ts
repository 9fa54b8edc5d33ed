/**
 * The deployment's object store, chosen once an isolate and shared by its objects. A setting that is wrong stops the
 * object and is named.
 */
import { chooseStore } from "../adapters/storage/choose_store.ts";
import { problemOf } from "../core/errors.ts";
import type { ObjectStore } from "../core/ports.ts";
import type { Env } from "./env.ts";
import { Misconfiguration } from "./settings.ts";

let store: ObjectStore | null = null;

export function storeOf(env: Env): ObjectStore {
  if (store !== null) return store;
  const chosen = chooseStore(env, env.BUCKET ?? null);
  if (!chosen.ok) throw new Misconfiguration(problemOf(chosen.failure).detail);
  store = chosen.value;
  return store;
}
