/**
 * Bad input and the error it gets. Data, so that it can run against any deployment in development mode: `needs` says
 * whether the front door alone decides, or the scripts behind it do.
 */
import type { ErrorCode } from "../../core/errors.ts";
import {
  CONTENT_TYPE_BYTES_MAX,
  DOCUMENT_BYTES_MAX,
  ENTITY_BYTES_MAX,
  EVENT_ID_BYTES_MAX,
  FILTER_IN_VALUES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  JSON_BODY_BYTES_MAX,
  JSON_TEXT_DEPTH_MAX,
  LIST_LIMIT_MAX,
  QUERY_TEXT_BYTES_MAX,
  RECALL_SAMPLES_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_COMPRESSED_BYTES_MAX,
  STRONG_ENTITIES_MAX,
  TOP_K_MAX,
} from "../../core/limits.ts";
import { DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_KEY } from "./credentials.ts";

export interface BadInput {
  readonly name: string;
  readonly needs: "front door" | "scripts";
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
  readonly status: number;
  readonly code: ErrorCode;
}

type Expected = readonly [status: number, code: ErrorCode];

const tenant = { Authorization: `Bearer ${DEVELOPMENT_KEY}` };
const admin = { Authorization: `Bearer ${DEVELOPMENT_ADMIN_TOKEN}` };
const json = { "Content-Type": "application/json" };

const invalid: Expected = [400, "invalid_request"];
const unauthorized: Expected = [401, "unauthorized"];
const forbidden: Expected = [403, "forbidden"];
const notFound: Expected = [404, "not_found"];
const notAllowed: Expected = [405, "method_not_allowed"];
const tooLarge: Expected = [413, "too_large"];
const unsupported: Expected = [415, "unsupported_media_type"];
const unprocessable: Expected = [422, "unprocessable"];

function row(
  name: string,
  request: string,
  [status, code]: Expected,
  rest: Partial<Pick<BadInput, "headers" | "body" | "needs">> = {},
): BadInput {
  const [method = "", path = ""] = request.split(" ");
  return { name, needs: "front door", method, path, headers: tenant, body: null, ...rest, status, code };
}

/** JSON to a path, as the development tenant. */
function posted(name: string, request: string, body: unknown, expected: Expected): BadInput {
  return row(name, request, expected, { headers: { ...tenant, ...json }, body: JSON.stringify(body) });
}

function administered(name: string, request: string, body: unknown, expected: Expected): BadInput {
  return row(name, request, expected, { headers: { ...admin, ...json }, body: JSON.stringify(body) });
}

function behind(row: BadInput): BadInput {
  return { ...row, needs: "scripts" };
}

const SEARCH = "POST /v1/entities/account%3Aa/search";
const TENANT_SEARCH = "POST /v1/search";
const named = (count: number) => Array.from({ length: count }, (_, index) => `account:${index}`);
const EVENTS = "POST /v1/entities/account%3Aa/events";
const LIST = "GET /v1/entities/account%3Aa/events";
const long = (bytes: number) => "x".repeat(bytes);

const paths: readonly BadInput[] = [
  row("an unknown path", "GET /nope", notFound),
  row("a version alone", "GET /v1", notFound),
  row("a trailing slash", "GET /v1/entities/", notFound),
  row("an unknown part of an entity", "GET /v1/entities/account%3Aa/nope", notFound),
  row("a method that the timeline does not know", "PATCH /v1/entities/account%3Aa/events", notAllowed),
  row("deleting a whole timeline", "DELETE /v1/entities/account%3Aa/events", notAllowed),
  row("reading the bulk path", "GET /v1/events", notAllowed),
  row("searching with GET", "GET /v1/entities/account%3Aa/search", notAllowed),
  row("posting to health", "POST /healthz", notAllowed),
  row("posting to the document", "POST /openapi.json", notAllowed),
  row("a percent sequence that is not hexadecimal", "GET /v1/entities/%zz/events", invalid),
  row("a percent sign at the end", "GET /v1/entities/a%/events", invalid),
  row("percent sequences that are not UTF-8", "GET /v1/entities/%ff%fe/events", invalid),
  row("an encoded surrogate", "GET /v1/entities/%ED%A0%80/events", invalid),
  row("an overlong encoding", "GET /v1/entities/%C0%AF/events", invalid),
  row("a control character in an entity", "GET /v1/entities/a%00b/events", invalid),
  row("a newline in an entity", "GET /v1/entities/a%0Ab/events", invalid),
  row("an entity that is too long", `GET /v1/entities/${long(ENTITY_BYTES_MAX + 1)}/events`, invalid),
  row(
    "an entity that is too long in bytes only",
    `GET /v1/entities/${"%E2%82%AC".repeat(ENTITY_BYTES_MAX / 3 + 1)}`,
    invalid,
  ),
  row("an event id that is too long", `GET /v1/entities/a/events/${long(EVENT_ID_BYTES_MAX + 1)}`, invalid),
  row("a control character in an event id", "DELETE /v1/entities/a/events/x%07", invalid),
];

const credentials: readonly BadInput[] = [
  row("no credential", "GET /v1/entities", unauthorized, { headers: {} }),
  row("another scheme", "GET /v1/entities", unauthorized, { headers: { Authorization: "Basic Y2s6Y2s=" } }),
  row("a bearer without a token", "GET /v1/entities", unauthorized, { headers: { Authorization: "Bearer" } }),
  row("a key without its scheme", "GET /v1/entities", unauthorized, { headers: { Authorization: DEVELOPMENT_KEY } }),
  row("an opaque token that nobody issued", "GET /v1/entities", unauthorized, {
    headers: { Authorization: "Bearer abc" },
  }),
  row("a well-formed key that nobody issued", "GET /v1/entities", unauthorized, {
    headers: { Authorization: `Bearer ck_0123456789abcdef_${long(43)}` },
  }),
  row("a key whose id leaves its folder", "GET /v1/entities", unauthorized, {
    headers: { Authorization: `Bearer ck_../../tenants_${long(43)}` },
  }),
  row("a token where no issuer is configured", "GET /v1/entities", unauthorized, {
    headers: { Authorization: "Bearer eyJhbGciOiJub25lIn0.e30.x" },
  }),
  row("a header that is too long", "GET /v1/entities", unauthorized, {
    headers: { Authorization: `Bearer ${long(9_000)}` },
  }),
  row("a tenant's key for making tenants", "GET /v1/admin/tenants", forbidden),
  row("the deployment's token for a tenant's data", "GET /v1/entities", forbidden, { headers: admin }),
];

const parameters: readonly BadInput[] = [
  row("an unknown parameter", `${LIST}?limti=1`, invalid),
  row("a parameter where none is taken", "GET /v1/entities/account%3Aa?verbose=1", invalid),
  row("a parameter given twice", `${LIST}?limit=1&limit=2`, invalid),
  row("a limit of nothing", `${LIST}?limit=0`, invalid),
  row("a limit above the most", `${LIST}?limit=${LIST_LIMIT_MAX + 1}`, invalid),
  row("a limit that is no number", `${LIST}?limit=ten`, invalid),
  row("a limit in parts", `${LIST}?limit=1.5`, invalid),
  row("a negative limit", "GET /v1/entities?limit=-1", invalid),
  row("an order that is none", `${LIST}?order=up`, invalid),
  row("a time that is none", `${LIST}?from=yesterday`, invalid),
  row("a day that does not exist", `${LIST}?to=2026-02-30`, invalid),
  row("a time beyond RFC 3339", `${LIST}?to=9999999999999999`, invalid),
  row("a kind that can not be", `${LIST}?kind=Not%20A%20Kind`, invalid),
  row("an empty session", `${LIST}?session=`, invalid),
  row("an empty cursor", `${LIST}?cursor=`, invalid),
  row("a parameter on a search", `${SEARCH}?top_k=3`, invalid, {
    headers: { ...tenant, ...json },
    body: '{"text":"x"}',
  }),
];

const bodies: readonly BadInput[] = [
  row("events as plain text", EVENTS, unsupported, {
    headers: { ...tenant, "Content-Type": "text/plain" },
    body: "{}",
  }),
  row("events without a content type", EVENTS, unsupported, { body: new Uint8Array([123, 125]) }),
  row("events in an encoding that we do not read", EVENTS, unsupported, {
    headers: { ...tenant, ...json, "Content-Encoding": "br" },
    body: "{}",
  }),
  row("a search as a form", SEARCH, unsupported, {
    headers: { ...tenant, "Content-Type": "application/x-www-form-urlencoded" },
    body: "text=x",
  }),
  row("a compressed search", SEARCH, unsupported, {
    headers: { ...tenant, ...json, "Content-Encoding": "gzip" },
    body: "{}",
  }),
  row("a search that is not JSON", SEARCH, invalid, { headers: { ...tenant, ...json }, body: '{"text":' }),
  row("a search that is not UTF-8", SEARCH, invalid, {
    headers: { ...tenant, ...json },
    body: new Uint8Array([...new TextEncoder().encode('{"text":"'), 0xff, ...new TextEncoder().encode('"}')]),
  }),
  row("a search without a body", SEARCH, invalid, { headers: { ...tenant, ...json }, body: "" }),
  row("a search nested without end", SEARCH, invalid, {
    headers: { ...tenant, ...json },
    body: `{"text":"x","filter":${"[".repeat(1_000_000)}`,
  }),
  row("a filter nested too deep", SEARCH, invalid, {
    headers: { ...tenant, ...json },
    body: `{"text":"x","filter":${"[".repeat(JSON_TEXT_DEPTH_MAX)}${"]".repeat(JSON_TEXT_DEPTH_MAX)}}`,
  }),
  row("a prototype in a body", SEARCH, invalid, {
    headers: { ...tenant, ...json },
    body: '{"text":"x","__proto__":{"top_k":3}}',
  }),
  row("a search body that is too large", SEARCH, tooLarge, {
    headers: { ...tenant, ...json },
    body: long(JSON_BODY_BYTES_MAX + 1),
  }),
  row("events that are too large", EVENTS, tooLarge, {
    headers: { ...tenant, ...json },
    body: long(REQUEST_BYTES_MAX + 1),
  }),
  row("compressed events that are too large", EVENTS, tooLarge, {
    headers: { ...tenant, ...json, "Content-Encoding": "gzip" },
    body: long(REQUEST_COMPRESSED_BYTES_MAX + 1),
  }),
  row("a document that is too large", "PUT /v1/entities/a/documents/d", tooLarge, {
    body: new Uint8Array(DOCUMENT_BYTES_MAX + 1),
  }),
  row("a compressed document", "PUT /v1/entities/a/documents/d", unsupported, {
    headers: { ...tenant, "Content-Encoding": "gzip" },
    body: "x",
  }),
  row("a document of a type that no header can carry back", "PUT /v1/entities/a/documents/d", invalid, {
    headers: { ...tenant, "Content-Type": "text/plain; name=\u00e9" },
    body: "x",
  }),
  row("a document of a type that is too long", "PUT /v1/entities/a/documents/d", invalid, {
    headers: { ...tenant, "Content-Type": `text/plain; name=${long(CONTENT_TYPE_BYTES_MAX)}` },
    body: "x",
  }),
  row("an idempotency key that is too long", EVENTS, invalid, {
    headers: { ...tenant, ...json, "Idempotency-Key": long(IDEMPOTENCY_KEY_BYTES_MAX + 1) },
    body: '{"events":[{"text":"x"}]}',
  }),
  row("an idempotency key that is not printable", EVENTS, invalid, {
    headers: { ...tenant, ...json, "Idempotency-Key": "caf\u00e9" },
    body: '{"events":[{"text":"x"}]}',
  }),
  posted("a body where none is taken", "POST /v1/entities/a/warm", { now: true }, invalid),
];

const tenantSearches: readonly BadInput[] = [
  posted("a search of a tenant for nothing", TENANT_SEARCH, {}, invalid),
  posted("a search of a tenant that is misspelled", TENANT_SEARCH, { text: "x", entity: "a" }, invalid),
  posted("a search of no entities", TENANT_SEARCH, { text: "x", entities: [] }, invalid),
  posted("a search of an entity without a name", TENANT_SEARCH, { text: "x", entities: [""] }, invalid),
  posted(
    "a search of too many entities",
    TENANT_SEARCH,
    { text: "x", entities: named(FILTER_IN_VALUES_MAX + 1) },
    invalid,
  ),
  posted("a strong search of a tenant", TENANT_SEARCH, { text: "x", consistency: "strong" }, invalid),
  posted(
    "a strong search of too many entities",
    TENANT_SEARCH,
    { text: "x", consistency: "strong", entities: named(STRONG_ENTITIES_MAX + 1) },
    invalid,
  ),
  posted(
    "a strong search of summaries",
    TENANT_SEARCH,
    { text: "x", consistency: "strong", entities: ["a"], prefilter: "l0" },
    invalid,
  ),
  posted("a search grouped by what is no group", TENANT_SEARCH, { text: "x", group_by: "kind" }, invalid),
  posted("a search filtered first by what is no layer", TENANT_SEARCH, { text: "x", prefilter: "l2" }, invalid),
];

const searches: readonly BadInput[] = [
  posted("a search for nothing", SEARCH, {}, invalid),
  posted("a search that is a list", SEARCH, ["x"], invalid),
  posted("a misspelled field", SEARCH, { text: "x", topk: 3 }, invalid),
  posted("no hits at all", SEARCH, { text: "x", top_k: 0 }, invalid),
  posted("too many hits", SEARCH, { text: "x", top_k: TOP_K_MAX + 1 }, invalid),
  posted("half a hit", SEARCH, { text: "x", top_k: 1.5 }, invalid),
  posted("both names of one option", SEARCH, { text: "x", top_k: 1, limit: 1 }, invalid),
  posted("an unknown mode", SEARCH, { text: "x", mode: "fuzzy" }, invalid),
  posted("a query that is too long", SEARCH, { text: long(QUERY_TEXT_BYTES_MAX + 1) }, invalid),
  posted("a query with half a character", SEARCH, { text: "\ud800" }, invalid),
  posted("a vector of text", SEARCH, { vector: ["1"] }, invalid),
  posted("a vector without numbers", SEARCH, { vector: [] }, invalid),
  posted("a vector without direction", SEARCH, { vector: [0, 0] }, invalid),
  posted("a vector too large for its floats", SEARCH, { vector: [1e300] }, invalid),
  posted("a time that is none", SEARCH, { text: "x", from: "soon" }, invalid),
  posted("an unknown consistency", SEARCH, { text: "x", consistency: "perfect" }, invalid),
  posted("an unknown fusion", SEARCH, { text: "x", fusion: { method: "sum" } }, invalid),
  posted("a fusion with k 0", SEARCH, { text: "x", fusion: { k: 0 } }, invalid),
  posted("a negative weight", SEARCH, { text: "x", fusion: { weights: { text: -1 } } }, invalid),
  posted("an unknown field to include", SEARCH, { text: "x", include: ["secrets"] }, invalid),
  posted("no samples", "POST /v1/entities/a/recall", { samples: 0 }, invalid),
  posted("too many samples", "POST /v1/entities/a/recall", { samples: RECALL_SAMPLES_MAX + 1 }, invalid),
];

const operations: readonly BadInput[] = [
  posted("warming nothing", "POST /v1/warm", {}, invalid),
  posted("warming by name and prefix", "POST /v1/warm", { entities: ["a"], prefix: "a" }, invalid),
  posted("warming a list without members", "POST /v1/warm", { entities: [] }, invalid),
  posted("rebuilding with a misspelled option", "POST /v1/admin/rebuild", { entitiy: "a" }, invalid),
  posted("compacting what can not be an entity", "POST /v1/admin/compact", { entity: "" }, invalid),
  posted("an unknown setting", "PUT /v1/settings", { bm26: {} }, invalid),
  posted("a setting out of range", "PUT /v1/settings", { bm25: { k1: 0.9, b: 2 } }, invalid),
  posted("a setting of the deployment", "PUT /v1/settings", { embedder: "none" }, unprocessable),
  posted("an index of no kind", "PUT /v1/settings", { tenant_index: "some" }, invalid),
  posted("an entity's unknown setting", "PUT /v1/entities/account%3Aa/settings", { bm26: {} }, invalid),
  posted("half a setting", "PUT /v1/entities/account%3Aa/settings", { bm25: { k1: 1 } }, invalid),
  posted(
    "an entity's setting out of range",
    "PUT /v1/entities/account%3Aa/settings",
    { bm25: { k1: -1, b: 0 } },
    invalid,
  ),
  posted("an entity's analyzer", "PUT /v1/entities/account%3Aa/settings", { analyzer: "other" }, unprocessable),
  posted("an entity's metric", "PUT /v1/entities/account%3Aa/settings", { metric: "dot" }, unprocessable),
  posted("warming what no path can name", "POST /v1/warm", { entities: [".."] }, invalid),
  posted("rebuilding what no path can name", "POST /v1/admin/rebuild", { entity: "." }, invalid),
  administered("a tenant's name with a slash", "POST /v1/admin/tenants", { tenant: "a/b" }, invalid),
  administered("a tenant's name that climbs", "POST /v1/admin/tenants", { tenant: ".." }, invalid),
  administered("a tenant with more than a name", "POST /v1/admin/tenants", { tenant: "a", plan: "gold" }, invalid),
  administered("a key without scopes", "POST /v1/admin/tenants/a/keys", { scopes: [], tier: "T1" }, invalid),
  administered(
    "a key with an unknown scope",
    "POST /v1/admin/tenants/a/keys",
    { scopes: ["root"], tier: "T1" },
    invalid,
  ),
  administered(
    "a key with a scope twice",
    "POST /v1/admin/tenants/a/keys",
    { scopes: ["read", "read"], tier: "T1" },
    invalid,
  ),
  administered("a key without a tier", "POST /v1/admin/tenants/a/keys", { scopes: ["read"] }, invalid),
  administered("a key of an unknown tier", "POST /v1/admin/tenants/a/keys", { scopes: ["read"], tier: "T4" }, invalid),
  administered(
    "a key that ends some day",
    "POST /v1/admin/tenants/a/keys",
    { scopes: ["read"], tier: "T1", expires_at: "later" },
    invalid,
  ),
  administered("a key of no tenant", "POST /v1/admin/tenants/nobody/keys", { scopes: ["read"], tier: "T1" }, notFound),
  row("the keys of no tenant", "GET /v1/admin/tenants/nobody/keys", notFound, { headers: admin }),
  row("a key that is not there", "DELETE /v1/admin/tenants/nobody/keys/0123456789abcdef", notFound, { headers: admin }),
  row("a key id that climbs", "GET /v1/admin/tenants/nobody/keys/..%2F..%2Fx", notFound, { headers: admin }),
];

const appended = (name: string, events: unknown, expected: Expected) =>
  behind(posted(name, EVENTS, { events }, expected));
const ndjson = { ...tenant, "Content-Type": "application/x-ndjson" };

const decidedBehind: readonly BadInput[] = [
  appended("no events", [], invalid),
  appended("events that are no list", "x", invalid),
  appended("an event with a misspelled field", [{ txt: "x" }], invalid),
  appended("an event at a time that is none", [{ text: "x", ts: "soon" }], invalid),
  appended("an event on a day that does not exist", [{ text: "x", ts: "2026-02-30T00:00:00Z" }], invalid),
  appended("an event of a kind that can not be", [{ text: "x", kind: "Bad Kind" }], invalid),
  appended("an event of a reserved kind", [{ text: "x", kind: "tombstone" }], unprocessable),
  appended("an event with a nested attribute", [{ text: "x", attributes: { a: { b: 1 } } }], invalid),
  appended("an event with half a character", [{ text: "\udc00" }], invalid),
  appended("an event whose id is a dot", [{ id: ".", text: "x" }], invalid),
  appended("an event whose id is two dots", [{ id: "..", text: "x" }], invalid),
  appended("an event with a control character in its id", [{ id: "a\u0000", text: "x" }], invalid),
  behind(
    row("an attribute that no map can have", EVENTS, invalid, {
      headers: { ...tenant, ...json },
      body: '{"events":[{"text":"x","attributes":{"__proto__":"y"}}]}',
    }),
  ),
  behind(
    row("an event nested without end", EVENTS, invalid, {
      headers: { ...tenant, ...json },
      body: `{"events":[{"text":"x","body":${"[".repeat(200_000)}${"]".repeat(200_000)}}]}`,
    }),
  ),
  behind(row("a line that is not JSON", EVENTS, invalid, { headers: ndjson, body: '{"text":"x"}\n{"text":\n' })),
  behind(
    row("a body that only claims to be compressed", EVENTS, invalid, {
      headers: { ...tenant, ...json, "Content-Encoding": "gzip" },
      body: '{"events":[{"text":"x"}]}',
    }),
  ),
  behind(posted("a bulk event without an entity", "POST /v1/events", { events: [{ text: "x" }] }, invalid)),
  behind(
    posted(
      "a bulk event of an entity of two dots",
      "POST /v1/events",
      { events: [{ entity: "..", text: "x" }] },
      invalid,
    ),
  ),
  behind(
    posted(
      "a bulk event of an entity of one dot",
      "POST /v1/events",
      { events: [{ entity: ".", text: "x" }] },
      invalid,
    ),
  ),
  behind(posted("a filter on an unknown field", SEARCH, { text: "x", filter: { colour: "red" } }, invalid)),
  behind(posted("a filter with an unknown operator", SEARCH, { text: "x", filter: { kind: { $like: "n" } } }, invalid)),
  behind(posted("a snapshot that can not be", SEARCH, { text: "x", snapshot: "!!" }, invalid)),
  behind(posted("a token that can not be", SEARCH, { text: "x", at_least: "!!" }, invalid)),
  behind(row("a cursor that can not be", `${LIST}?cursor=!!`, invalid)),
  behind(row("the state of an entity without events", "GET /v1/entities/nobody%3Ahere", notFound)),
  behind(row("an event that is not there", "GET /v1/entities/nobody%3Ahere/events/x", notFound)),
  behind(row("withdrawing what is not there", "DELETE /v1/entities/nobody%3Ahere/events/x", notFound)),
  behind(row("a document that is not there", "GET /v1/entities/nobody%3Ahere/documents/x", notFound)),
  behind(row("warming an entity without events", "POST /v1/entities/nobody%3Ahere/warm", notFound)),
  behind(row("settings of an entity without any or events", "GET /v1/entities/nobody%3Ahere/settings", notFound)),
  behind(row("the export of an entity without events", "GET /v1/entities/nobody%3Ahere/export", notFound)),
  behind(posted("the recall of an entity without events", "POST /v1/entities/nobody%3Ahere/recall", {}, notFound)),
  behind(row("cancelling a job that is not there", "DELETE /v1/jobs/unknown", notFound)),
  behind(row("a job that is not there", "GET /v1/jobs/unknown", notFound)),
  behind(row("replaying what is not there", "POST /v1/admin/dead-letters/unknown/replay", notFound)),
];

export const badInputCases: readonly BadInput[] = [
  ...paths,
  ...credentials,
  ...parameters,
  ...bodies,
  ...searches,
  ...tenantSearches,
  ...operations,
  ...decidedBehind,
];
