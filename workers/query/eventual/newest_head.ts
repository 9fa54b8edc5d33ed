/**
 * The newest head of an entity as the store tells it: the one that `head.json` names, unless what it is of was erased.
 * An isolate goes by it for EVENTUAL_HEAD_CACHE_MS, which bounds how long an erasure may go unseen.
 */
import { ExpiringCache } from "../../../core/access/expiring_cache.ts";
import { type Failure, fail, ok, type Result } from "../../../core/errors.ts";
import { EVENTUAL_HEAD_CACHE_MS, EVENTUAL_HEAD_ENTRIES_MAX, UNAVAILABLE_RETRY_SECONDS } from "../../../core/limits.ts";
import { erasedKey, headHintKey, headKey } from "../../../core/log/keys.ts";
import type { Clock, ObjectStore, TenantStore } from "../../../core/ports.ts";
import { type EntityScope, entityObjectName } from "../../../core/rpc.ts";
import {
  erasedSchema,
  type Head,
  type HeadHint,
  headHintSchema,
  headSchema,
  readStored,
} from "../../../core/schema/stored.ts";

export interface NewestHead {
  readonly head: Head;
  /** All that was acknowledged before is in the head, as the entity's object said. */
  readonly confirmedMs: number;
}

export type ReadNewestHead = (scope: EntityScope) => Promise<Result<NewestHead>>;

/** Fails when nothing was indexed yet, or what was is erased. A store fault rejects. */
export function createHeadReader(store: ObjectStore, clock: Clock): ReadNewestHead {
  const cache = new ExpiringCache<NewestHead>(clock, EVENTUAL_HEAD_CACHE_MS, EVENTUAL_HEAD_ENTRIES_MAX);
  return async (scope) => {
    const name = entityObjectName(scope);
    const known = cache.get(name);
    if (known !== undefined) return ok(known);
    const newest = await readNewest(store.forTenant(scope.tenant), scope.entity);
    if (newest.ok) cache.set(name, newest.value);
    return newest;
  };
}

async function readNewest(store: TenantStore, entity: string): Promise<Result<NewestHead>> {
  const [hint, erased] = await Promise.all([readHint(store, entity), erasedIncarnation(store, entity)]);
  if (!hint.ok) return hint;
  if (!erased.ok) return erased;
  const { incarnation, version, confirmedAt } = hint.value;
  if (incarnation <= erased.value) return fail(nothingKnown());
  const key = headKey(entity, version);
  const stored = await store.get(key);
  if (stored === null) return fail(nothingKnown());
  const head = readStored(headSchema, stored.bytes, store.fullKey(key));
  if (!head.ok) return head;
  // Versions count anew in each incarnation.
  return head.value.incarnation === incarnation
    ? ok({ head: head.value, confirmedMs: confirmedAt })
    : fail(nothingKnown());
}

async function readHint(store: TenantStore, entity: string): Promise<Result<HeadHint>> {
  const key = headHintKey(entity);
  const stored = await store.get(key);
  return stored === null ? fail(nothingKnown()) : readStored(headHintSchema, stored.bytes, store.fullKey(key));
}

/** The greatest that was; 0 when none was. */
async function erasedIncarnation(store: TenantStore, entity: string): Promise<Result<number>> {
  const key = erasedKey(entity);
  const stored = await store.get(key);
  if (stored === null) return ok(0);
  const erasure = readStored(erasedSchema, stored.bytes, store.fullKey(key));
  return erasure.ok ? ok(erasure.value.incarnation) : erasure;
}

function nothingKnown(): Failure {
  const what = "Nothing that was indexed of the entity can be read.";
  return { reason: "unavailable", what, retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS };
}
