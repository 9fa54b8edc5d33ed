/** What callers saw: requests, replies and when, and when objects were killed. The checker knows nothing else. */
import type { Failure } from "../../core/errors.ts";
import type {
  AppendResult,
  CitedEvent,
  EntityStatus,
  Job,
  RedactResult,
  SearchAnswer,
  TenantStatus,
} from "../../core/rpc.ts";
import type { AttributeValue, StoredEvent } from "../../core/schema/event.ts";
import type { Json } from "../../core/schema/scalar.ts";
import type { ScopeSearchAnswer } from "../../core/scope/scope_rpc.ts";

/** An event as it is sent. `by` in its attributes says whose it is: no two requests but repeated ones send the same. */
export interface SentEvent {
  readonly id?: string;
  readonly ts?: number;
  readonly kind?: string;
  readonly text?: string;
  readonly vector?: readonly number[];
  readonly attributes: Readonly<Record<string, AttributeValue>> & { readonly by: string };
}

export interface ExportedCommit {
  readonly commit: number;
  readonly segment: string;
  readonly lines: readonly string[];
}

export type SearchBody = { readonly [key: string]: Json };

export type Request =
  | {
      readonly type: "append";
      readonly events: readonly SentEvent[];
      readonly body: string;
      readonly key: string | null;
    }
  | {
      readonly type: "search";
      readonly body: SearchBody;
      readonly foreign: boolean;
      /** Asked of the front door alone. */
      readonly atDoor: boolean;
    }
  | { readonly type: "tenant_search"; readonly body: SearchBody }
  | { readonly type: "tenant_index"; readonly mode: "off" | "summaries" | "full" }
  | { readonly type: "withdraw"; readonly id: string }
  | { readonly type: "redact"; readonly ids: readonly string[] }
  | { readonly type: "event"; readonly id: string }
  | { readonly type: "timeline"; readonly kind: string | null }
  | { readonly type: "status" }
  | { readonly type: "export" }
  | { readonly type: "job"; readonly job: "erase" | "rebuild" | "compact" | "reconcile" }
  | { readonly type: "entities" }
  | { readonly type: "tenant_status" }
  | { readonly type: "jobs" }
  | { readonly type: "bucket" };

/** What a request of each type is answered. */
export interface Replies {
  append: AppendResult;
  search: SearchAnswer;
  tenant_search: ScopeSearchAnswer;
  tenant_index: { readonly mode: "off" | "summaries" | "full" };
  withdraw: { readonly token: string };
  redact: RedactResult;
  event: CitedEvent;
  timeline: readonly StoredEvent[];
  status: EntityStatus;
  export: readonly ExportedCommit[];
  job: { readonly job: string };
  entities: readonly { readonly entity: string; readonly events: number }[];
  tenant_status: TenantStatus;
  jobs: readonly Job[];
  /** Keys of the entity, as the owner of the bucket sees them. */
  bucket: readonly string[];
}

export type Reply<Type extends Request["type"]> =
  | { readonly kind: "ok"; readonly value: Replies[Type] }
  | { readonly kind: "failed"; readonly failure: Failure }
  /** Nothing, or an error of the way there: it may have happened or not, or may still. */
  | { readonly kind: "unknown" };

interface CallBase {
  readonly id: number;
  readonly tenant: string;
  readonly entity: string;
  /** Order of all moments of the history. */
  readonly invoked: number;
  readonly invokedMs: number;
  /** Infinity while there is no reply. */
  replied: number;
  repliedMs: number;
  /** After all faults have ended: it has to succeed. */
  readonly isFinal: boolean;
}

export type CallOf<Type extends Request["type"]> = CallBase & {
  readonly request: Extract<Request, { readonly type: Type }>;
  reply: Reply<Type>;
};

export type Call = { [Type in Request["type"]]: CallOf<Type> }[Request["type"]];

export interface Kill {
  /** An object's name. */
  readonly object: string;
  readonly at: number;
  readonly lost: boolean;
}

export class History {
  readonly calls: Call[] = [];
  readonly kills: Kill[] = [];
  #moments = 0;

  moment(): number {
    this.#moments += 1;
    return this.#moments;
  }
}

/** Calls of a kind. */
export function callsOf<Type extends Request["type"]>({ calls }: { readonly calls: readonly Call[] }, type: Type) {
  return calls.filter((call) => call.request.type === type) as unknown as CallOf<Type>[];
}
