/**
 * Every limit of the system, with its unit in its name and the reason behind it.
 * Nothing else in the project may spell one of these numbers.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

// --- Requests -------------------------------------------------------------------------------

/** Decoded request body. Below the 32 MiB that one RPC message may carry, with room for its envelope. */
export const REQUEST_BYTES_MAX = 16 * MIB;
/** Compressed request body, before it is decoded. */
export const REQUEST_COMPRESSED_BYTES_MAX = 8 * MIB;
/** A document put through `PUT …/documents/{id}`. */
export const DOCUMENT_BYTES_MAX = 16 * MIB;
/** An import archive, compressed. */
export const IMPORT_BYTES_MAX = 64 * MIB;
/** Events in one append or bulk request. */
export const REQUEST_EVENTS_MAX = 10_000;
/** Distinct entities in one bulk request: each costs an object call. */
export const REQUEST_ENTITIES_MAX = 1_000;
/** Object calls a bulk request keeps in flight: six connections may wait at once in one invocation. */
export const BULK_CONCURRENCY_MAX = 6;
/** One event as canonical JSON. Keeps a line, its chunks and its vector within one stored row. */
export const EVENT_BYTES_MAX = 1 * MIB;
export const ENTITY_BYTES_MAX = 200;
/** An R2 key holds 1,024 bytes; a percent-encoded 200-byte name can triple. */
export const OBJECT_KEY_BYTES_MAX = 1_024;
export const TENANT_BYTES_MAX = 64;
export const EVENT_ID_BYTES_MAX = 256;
export const NAME_BYTES_MAX = 256;
export const ATTRIBUTES_MAX = 100;
export const ATTRIBUTE_NAME_BYTES_MAX = 128;
export const ATTRIBUTE_VALUE_BYTES_MAX = 8 * KIB;
export const ATTRIBUTE_LIST_VALUES_MAX = 1_000;
export const RELATIONS_MAX = 100;
export const VECTOR_DIMENSIONS_MAX = 4_096;
export const IDEMPOTENCY_KEY_BYTES_MAX = 256;
/** RFC 3339 writes years 0000 to 9999: the first and the last millisecond it can say. */
export const TIMESTAMP_MS_MIN = -62_167_219_200_000;
export const TIMESTAMP_MS_MAX = 253_402_300_799_999;
export const JSON_DEPTH_MAX = 64;

// --- Log ------------------------------------------------------------------------------------

/** Raw bytes of one zstd frame: larger ones fail to compress in some runtimes, and small frames are range-readable. */
export const FRAME_RAW_BYTES_MAX = 32 * KIB;
/** Raw bytes that one group commit gathers into a segment. */
export const SEGMENT_RAW_BYTES_MAX = 16 * MIB;
/** Requests that may wait for the group commit of one entity before 503. */
export const APPEND_WAITING_MAX = 1_000;
/** Rows of SQLite hold at most 2 MB; blobs are cut into pages of this size. */
export const SQLITE_PAGE_BYTES = 1 * MIB;
export const IDEMPOTENCY_WINDOW_MS = 24 * 60 * 60 * 1000;
export const IDEMPOTENCY_RECORDS_MAX = 10_000;
/** Objects listed per request to the store. */
export const STORE_LIST_MAX = 1_000;
/** Requests to the store in flight at once in one invocation. */
export const STORE_CONCURRENCY_MAX = 6;

// --- Index ----------------------------------------------------------------------------------

/** Words in one chunk. */
export const CHUNK_TOKENS_MAX = 512;
export const CHUNKS_PER_EVENT_MAX = 4_096;
/** Neighbouring shards of one tier that merge into the next. */
export const SHARD_FANOUT = 8;
export const SHARD_BYTES_MAX = 24 * MIB;
/** Commits and raw bytes one build takes from the tail. */
export const BUILD_COMMITS_MAX = 2_000;
export const BUILD_RAW_BYTES_MAX = 12 * MIB;
/** Attempts at one piece of index work before it is sealed. */
export const WORK_ATTEMPTS_MAX = 5;
export const HEAD_HINT_INTERVAL_MS = 1_000;
export const DEAD_LETTERS_MAX = 1_000;
export const SWEEP_ENTITIES_MAX = 1_000;

// --- Search ---------------------------------------------------------------------------------

export const TOP_K_MAX = 1_000;
export const TOP_K_DEFAULT = 10;
export const QUERY_TEXT_BYTES_MAX = 16 * KIB;
/** Distinct terms of one query that are scored; a longer query is refused, never cut. */
export const QUERY_TERMS_MAX = 1_024;
export const FILTER_DEPTH_MAX = 8;
export const FILTER_CONDITIONS_MAX = 200;
export const FILTER_IN_VALUES_MAX = 10_000;
export const FUSION_K_MAX = 10_000;
export const FUSION_WEIGHT_MAX = 1_000;
export const LIST_LIMIT_DEFAULT = 100;
export const LIST_LIMIT_MAX = 1_000;
/** A leg of a hybrid search hands at least this many candidates to the fusion, or 5·top_k if more. */
export const LEG_CANDIDATES_MIN = 100;

// --- Memory ---------------------------------------------------------------------------------

/** Kernel instances of one isolate: bytes of each class and how many. Their sum, with headroom, fits in 128 MB. */
export const SLAB_CLASSES: readonly { readonly bytes: number; readonly count: number }[] = [
  { bytes: 1 * MIB, count: 12 },
  { bytes: 4 * MIB, count: 4 },
  { bytes: 32 * MIB, count: 1 },
];

// --- Access ---------------------------------------------------------------------------------

export const KEY_CACHE_MS = 60_000;
export const KEY_CACHE_ENTRIES_MAX = 10_000;
export const KEYS_PER_TENANT_MAX = 1_000;

// --- Models ---------------------------------------------------------------------------------

export const EMBED_BATCH_MAX = 100;
export const EMBED_TIMEOUT_MS = 15_000;
export const EMBED_RETRIES_MAX = 3;
