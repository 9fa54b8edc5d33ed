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
/** A document's `Content-Type`: a media type and its parameters. */
export const CONTENT_TYPE_BYTES_MAX = 256;
/** Text of a document in one event; a longer text becomes several. Leaves room for JSON escapes in a line. */
export const DOCUMENT_EVENT_CHARACTERS = 128 * KIB;
/** Text of a document, as JSON, that is made durable in one commit: a few such fit in one build, whatever the vectors. */
export const DOCUMENT_COMMIT_BYTES = 2 * MIB;
/** Text of a document, as JSON, up to which it is searched: all of it may wait in a tail. */
export const DOCUMENT_TEXT_BYTES_MAX = 32 * MIB;
/** An import archive, compressed: it goes to ingest in one RPC message, or to the store. */
export const IMPORT_BYTES_MAX = 31 * MIB;
/** What an archive may inflate to in all, and how many entries it may have. */
export const ARCHIVE_INFLATED_BYTES_MAX = 512 * MIB;
export const ARCHIVE_ENTRIES_MAX = 10_000;
/** Raw bytes of commits that an export gathers in one file, and of entries that an import inflates at once. */
export const ARCHIVE_BATCH_BYTES = 4 * MIB;
/** One entry of an archive, inflated: it lies in memory whole. */
export const ARCHIVE_ENTRY_BYTES_MAX = 32 * MIB;
/** A zip without its 64-bit extension counts entries in 16 bits and bytes in 32. */
export const ZIP_ENTRIES_MAX = 65_534;
export const ZIP_BYTES_MAX = 4_294_967_294;
/** Events in one append or bulk request. */
export const REQUEST_EVENTS_MAX = 10_000;
/** Events that one redaction names: its record in the log has a relation to each. */
export const REDACT_IDS_MAX = 100;
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
/**
 * A segment may still go under the day before for so long after midnight. Longer than any put can be under way
 * (PUT_DEADLINE_MS), and than the clocks of two machines are apart.
 */
export const SEGMENT_DAY_GRACE_MS = 10 * 60 * 1_000;
/**
 * Raw bytes read from one segment: a bomb is stopped here. One request whose canonical form grew may pass the gathering
 * limit.
 */
export const SEGMENT_READ_BYTES_MAX = 32 * MIB;
/**
 * A segment up to this is rolled up with its neighbours, so that a log of tiny commits is read in few requests; a larger
 * one is worth a request of its own.
 */
export const ROLLUP_SEGMENT_BYTES_MAX = 16 * KIB;
/** Lines of a commit up to which its segment is read to see how small it is. */
export const ROLLUP_LINES_MAX = 16;
/** Commits that wait before they are rolled up, the most in one rollup, and its bytes: six are in memory at once. */
export const ROLLUP_COMMITS_MIN = 64;
export const ROLLUP_COMMITS_MAX = 1_024;
export const ROLLUP_BYTES_MAX = 1 * MIB;
/** Of the list of what is in a rollup, before it is compressed. */
export const ROLLUP_DIRECTORY_BYTES_MAX = 1 * MIB;
/** Segments that a rollup, and that a listing of rollups, has to stand for to be read. */
export const ROLLUP_SPARES_MIN = 4;
export const ROLLUP_LIST_SPARES_MIN = 32;
/** Requests that may wait for the group commit of one entity before 503. */
export const APPEND_WAITING_MAX = 1_000;
/** Raw bytes of the requests that wait: they are in memory twice, compressed and as lines. */
export const APPEND_WAITING_BYTES_MAX = 32 * MIB;
/** Rows of SQLite hold at most 2 MB; blobs are cut into pages of this size. */
export const SQLITE_PAGE_BYTES = 1 * MIB;
/**
 * A copy of a shard is cut into smaller ones: SQLite reads a blob from its beginning, and a hit the few KiB that its line
 * lies in. Each is a row that is billed when it is written.
 */
export const SQLITE_SHARD_PAGE_BYTES = 16 * KIB;
/** A copy up to this lies in the row that names it. */
export const SQLITE_COPY_ROW_BYTES_MAX = 64 * KIB;
/**
 * Bytes of copies that one object holds in memory until they are written, and how long after the read: an answer would
 * wait until what was written before it is safe.
 */
export const COPIES_HELD_BYTES_MAX = 8 * MIB;
export const WRITE_AFTER_READ_MS = 20;
/** Commits that share one row of the tail, with their facts: each append writes the row anew, and pays for one. */
export const TAIL_SHARED_BYTES_MAX = 32 * KIB;
/** A larger one lies by itself: the others' appends would write its bytes again and again. */
export const TAIL_SHARED_COMMIT_BYTES_MAX = 8 * KIB;
export const IDEMPOTENCY_WINDOW_MS = 24 * 60 * 60 * 1000;
export const IDEMPOTENCY_RECORDS_MAX = 10_000;
/** Custom metadata of one object, names and values together. */
export const OBJECT_METADATA_BYTES_MAX = 8 * KIB;
/** A model's id in a key, where a byte can take three. */
export const MODEL_ID_BYTES_MAX = 96;
/** Objects listed per request to the store. */
export const STORE_LIST_MAX = 1_000;
/** Requests to the store in flight at once in one invocation. */
export const STORE_CONCURRENCY_MAX = 6;
/** One request to a store that is reached over HTTP, bodies included: as long as a put may take before it counts as unknown. */
export const STORE_REQUEST_MS_MAX = 15_000;

// --- Index ----------------------------------------------------------------------------------

/** Words in one chunk. */
export const CHUNK_TOKENS_MAX = 512;
export const CHUNKS_PER_EVENT_MAX = 4_096;
/** Neighbouring shards of one tier that merge into the next. */
export const SHARD_FANOUT = 8;
export const SHARD_BYTES_MAX = 24 * MIB;
/** What a build may hold in memory at once, by the estimates of build_load.ts: 128 MB is all there is. */
export const BUILD_MEMORY_BYTES_MAX = 96 * MIB;
/** Outside the maintenance window a shard from this size on is left as it is: rewriting it can wait for the quiet hours. */
export const MERGE_HEAVY_BYTES_MIN = 4 * MIB;
/** A shard below this is rewritten with whatever comes after it: that costs less than one more object to read. */
export const SHARD_SMALL_BYTES = 256 * KIB;
/** Entries in a shard's directory. The format has some thirty sections; more is damage. */
export const SHARD_SECTIONS_MAX = 256;
/** Bytes whose checksum is worked out in one go, through a scratch of this size. */
export const CHECKSUM_PIECE_BYTES = 64 * KIB;
/** A shard up to this is read whole: one larger request costs less than a second wave. */
export const SHARD_WHOLE_READ_BYTES = 4 * MIB;
/** Ranges that one wave reads of one shard: no more than may wait for the store at once. */
export const SHARD_RANGES_MAX = 6;
/** Ranges with less than this between them are read as one: the bytes cost less than the request. */
export const SHARD_RANGE_GAP_BYTES = 64 * KIB;
/** Attribute names of one part that get a column. Values under further names are read from the lines: slow, but right. */
export const PART_COLUMNS_MAX = 1_024;
/** Decoded columns that one opened part keeps. */
export const PART_COLUMN_BYTES_MAX = 4 * MIB;
/** Decompressed frames of stored lines that one opened part keeps: lines that were read are kept beside (LINE_CACHE_BYTES_MAX). */
export const PART_FRAMES_KEPT_MAX = 1;
/** Dimensions that the vectors of a model are taken to have until it has made some. */
export const REMOTE_DIMENSIONS_ASSUMED = 1_024;
/** Commits and raw bytes one build takes from the tail. */
export const BUILD_COMMITS_MAX = 2_000;
export const BUILD_RAW_BYTES_MAX = 12 * MIB;
/**
 * Decompressed bytes of one file of model outputs: what an indexer can hold beside a build. The runtime's zstd refuses
 * to allow 256 MiB.
 */
export const OUTPUT_RAW_BYTES_MAX = 64 * MIB;
/** Lines of the log that one file of model outputs covers, unless a single commit has more. */
export const OUTPUT_LINES_MAX = 4_096;
/** Entities one batch of nudges is worked for at once: their requests to the store take turns with their builds. */
export const INDEX_CONCURRENCY_MAX = 4;
/** Wait before the queue delivers a failed nudge again. */
export const RETRY_DELAY_S = 2;
/** Builds that one nudge may lead to; what is left is nudged again. */
export const BUILDS_PER_NUDGE_MAX = 64;
/** Attempts at one piece of index work before it is sealed. */
export const WORK_ATTEMPTS_MAX = 5;
/** Attempts that ended without a word, of memory perhaps, before less is tried. */
export const WORK_SILENT_ATTEMPTS_MAX = 2;
/** Attempts that a restart cut short and that do not count: a machine that is killed again and again seals nothing. */
export const WORK_FORGIVEN_MAX = 200;
export const HEAD_HINT_INTERVAL_MS = 1_000;
/** Objects that one pass of collection marks; the next pass takes the rest. */
export const COLLECT_OBJECTS_MAX = 10_000;
/** Keys of such objects in one row: those of entities with long names are below 1 MB. */
export const GARBAGE_PAGE_KEYS_MAX = 1_000;
/** Heads that are adopted between two passes of collection, unless COLLECT_AGE_MS is over sooner. */
export const COLLECT_HEADS_MIN = 16;
export const DEAD_LETTERS_MAX = 1_000;
/** Dirty entities that one sweep nudges; the next one goes on where it ended. */
export const SWEEP_ENTITIES_MAX = 1_000;
/** Tenants that one sweep visits: an invocation may make 10,000 requests. The next one goes on where it ended. */
export const SWEEP_TENANTS_MAX = 5_000;
/** Waiting entities whose counters a status request asks for anew. */
export const STATUS_ENTITIES_MAX = 100;

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
/** Terms that one look-up by prefix answers: they pass through a slab's scratch. */
export const PREFIX_TERMS_MAX = 512;
/** A leg of a hybrid search hands at least this many candidates to the fusion, or 5·top_k if more. */
export const LEG_CANDIDATES_MIN = 100;
/** Vectors of a shard from which on it may have a graph, where a walk costs less than a scan (core/retrieval/plan.ts). */
export const HNSW_VECTORS_MIN = 10_000;
/**
 * Candidates that a search by a graph keeps unless it needs more for its limit (ef): recall@10 of .99 and more at 100,000
 * clustered vectors of 100 and 384 dimensions.
 */
export const HNSW_BEAM_DEFAULT = 100;
/** What a graph adds to a shard for each of its vectors, in bytes. */
export const GRAPH_BYTES_PER_VECTOR_MAX = 140;
/** The widest beam that the kernel walks a graph with; for more it scans. */
export const HNSW_BEAM_MAX = 4_096;
/**
 * A graph is kept when, of its own vectors, GRAPH_TRIALS asked for their GRAPH_TRIAL_NEAREST nearest with the default beam
 * find at least this share of them: the goal of .95, and what so few questions may be off. Else the vectors are scanned.
 */
export const GRAPH_RECALL_MIN = 0.96;
export const GRAPH_TRIALS = 100;
export const GRAPH_TRIAL_NEAREST = 10;
/**
 * Vectors inserted into a graph before its state (some 136 bytes a vector of the shard) is put: what a lost indexer
 * costs.
 */
export const GRAPH_SLICE_VECTORS = 8_192;

/**
 * Vectors that may be among the best, as far as their codes tell, before they are told apart by their residuals: these are
 * read one by one.
 */
export const BOUNDS_MAX = 2_048;
/** Bytes of residuals that are scored in one go: they pass through a slab's scratch. */
export const RESIDUALS_BATCH_BYTES = 64 * KIB;

/**
 * Bytes of parts from which on a scope that has no slab is searched by the piece, and brought into one when it is asked
 * again: reading that much from SQLite takes longer than the search.
 */
export const BY_THE_PIECE_BYTES_MIN = 4 * MIB;
/** Room in a slab for the excerpts of text, and scratch, of a part whose scope is larger than a slab. */
export const PAGED_TEXT_BYTES = 4 * MIB;

// --- Tenant-wide scope ----------------------------------------------------------------------

/** Entities that one strong search asks, each by its own object. */
export const STRONG_ENTITIES_MAX = 32;
/** Calls of entities' objects that one search over several keeps in flight. */
export const FAN_OUT_CONCURRENCY_MAX = 8;
/** Commits of entities that one shard of a tenant's index newly takes: each is a segment to read. */
export const SCOPE_BUILD_COMMITS_MAX = 1_000;
/** Commits that one entity hands over in one message when they are taken in. */
export const SCOPE_TAKEN_COMMITS_MAX = 2_000;
/** Entities that are asked for their commits at one look of a tenant's index. */
export const SCOPE_TAKEN_ENTITIES_MAX = 200;
/** Entities in one page of what the registry says was indexed. */
export const INDEXED_PAGE_MAX = 1_000;
/** What was indexed is taken in together, at most this often; a head of a tenant's index follows each time. */
export const SCOPE_COMMIT_INTERVAL_MS = 2_000;
/** The registry tells of news at most this often: less than SCOPE_COMMIT_INTERVAL_MS, so that none comes too late. */
export const SCOPE_NOTICE_INTERVAL_MS = 500;
/** How long a registry's count of its entities may be old when a tenant's index asks: it looks at every one. */
export const REGISTRY_COUNT_MS = 5_000;
/** A search looks for news when the last look is older than this. */
export const SCOPE_LOOK_MS = 1_000;
/** Work on a tenant's index that nobody reports back on is handed out again after this long. */
export const SCOPE_WORK_LEASE_MS = 60_000;
/** An unanswered nudge of a tenant's index is repeated after this long. */
export const SCOPE_NUDGE_RETRY_MS = 10_000;
/** Text that comes to an entity before its summaries are made anew; sessions and documents with less have none. */
export const SUMMARY_REFRESH_BYTES = 16 * KIB;
/** Entities that a search of summaries hands on to the search of their events. */
export const PREFILTER_ENTITIES_MAX = 64;
/** Text of an entity, newest first, that its summaries are made of. */
export const SUMMARY_SOURCE_BYTES_MAX = 1 * MIB;
/** Characters of one summary. */
export const SUMMARY_CHARACTERS_MAX = 1_200;
/** Sessions and documents of one entity that have a summary of their own: those with the most text. */
export const SUMMARIES_PER_ENTITY_MAX = 64;
/** A build ends by then, one way or the other: what a consumer of a queue may take. */
export const SCOPE_BUILD_DEADLINE_MS = 15 * 60 * 1000;
/** Shards that one nudge of a tenant's index may lead to; what is left is nudged again. */
export const SCOPE_BUILDS_PER_NUDGE_MAX = 32;
/** Segments that could not be read which a status names. */
export const SCOPE_UNREADABLE_MAX = 100;

// --- Memory ---------------------------------------------------------------------------------

/**
 * Kernel instances of one isolate: bytes of each class and how many. Their sum, with headroom, fits in 128 MB. The largest
 * holds the codes of 100,000 vectors of 384 dimensions, with room for one part at a time beside them.
 */
export const SLAB_CLASSES: readonly { readonly bytes: number; readonly count: number }[] = [
  { bytes: 1 * MIB, count: 8 },
  { bytes: 4 * MIB, count: 2 },
  { bytes: 48 * MIB, count: 1 },
];

/** Sections of parts that are read once, to be sized and then loaded; those of more are read twice. */
export const SECTIONS_HELD_BYTES_MAX = 8 * MIB;

/** Memory of the kernel instance that builds sections. Beside the slabs it must fit in an isolate. */
export const BUILDER_BYTES_MAX = 48 * MIB;
/** A leg of the widest search: 5·TOP_K_MAX. Every slab keeps scratch for it. */
export const LEG_CANDIDATES_MAX = 5 * TOP_K_MAX;
/** Keys of all legs of one fusion. */
export const FUSION_KEYS_MAX = 2 * LEG_CANDIDATES_MAX;

// --- Eventual reads of the front door ---------------------------------------------------------

/** An eventual read waits so long for the object. Twice what a cold one takes with the store far away. */
export const EVENTUAL_OBJECT_MS = 800;
/** How long an isolate goes by a head, and by there being no erasure, before it asks the store again. */
export const EVENTUAL_HEAD_CACHE_MS = 5_000;
export const EVENTUAL_HEAD_ENTRIES_MAX = 1_000;
/** Shards of one entity that a front door reads, and what all requests of its isolate may load at once. */
export const EVENTUAL_SCOPE_BYTES_MAX = 24 * MIB;
/** Opened shards that a front door keeps: whole ones. With its slabs and a load they fit in an isolate. */
export const EVENTUAL_PARTS_BYTES_MAX = 16 * MIB;
export const EVENTUAL_SLAB_CLASSES: typeof SLAB_CLASSES = [
  { bytes: 1 * MIB, count: 2 },
  { bytes: 4 * MIB, count: 1 },
  { bytes: 32 * MIB, count: 1 },
];
/** How long a data centre keeps a copy of a shard, which never changes: what an erasure leaves there goes by then. */
export const COLO_CACHE_SECONDS = 3_600;

// --- Access ---------------------------------------------------------------------------------

export const KEY_CACHE_MS = 60_000;
export const KEY_CACHE_ENTRIES_MAX = 10_000;
export const KEYS_PER_TENANT_MAX = 1_000;
/** Enough that an id never repeats in a deployment; it is not secret. */
export const KEY_ID_BYTES = 8;
/** As many bits as the HMAC that is kept of it. */
export const KEY_SECRET_BYTES = 32;
/** An `Authorization` header: tokens with many claims run to a few KiB. */
export const CREDENTIAL_BYTES_MAX = 8 * KIB;

// --- Front door -----------------------------------------------------------------------------

/** A decoded JSON body other than events: the longest is a filter with FILTER_IN_VALUES_MAX values. */
export const JSON_BODY_BYTES_MAX = 4 * MIB;
/** Nesting of a request body, counted before anything recursive looks at it. Above JSON_DEPTH_MAX and its envelope. */
export const JSON_TEXT_DEPTH_MAX = 2 * JSON_DEPTH_MAX;
/** Text and attributes of one answer: two bytes a character, and room below what an RPC message carries. */
export const ANSWER_CHARACTERS_MAX = 12 * MIB;
/** Segments that one page of events is read from for the digits of vectors: some waves of requests to the store. */
export const EVENT_SEGMENTS_MAX = 96;
/** An unread rest of a refused body that is read and dropped, so that the caller gets to see the answer. */
export const REFUSED_BODY_BYTES_MAX = 64 * MIB;
/** The period of the rate-limit binding: after it a caller has its whole allowance again. */
export const RATE_LIMIT_PERIOD_SECONDS = 10;
/** Tenants that went over their allowance, as an isolate remembers them. */
export const RATE_LIMITED_NAMES_MAX = 10_000;
/** How long one isolate may answer by settings that another has replaced. */
export const SETTINGS_CACHE_MS = 10_000;
export const SETTINGS_CACHE_ENTRIES_MAX = 10_000;
export const UNAVAILABLE_RETRY_SECONDS = 1;
/** A deployment that lacks a secret lacks it until someone sets it. */
export const MISCONFIGURED_RETRY_SECONDS = 60;
/** Wrong fields named in one problem; the rest are counted in its detail. */
export const FIELD_ERRORS_MAX = 100;
export const CORS_MAX_AGE_SECONDS = 600;
/** Queries that one recall measurement runs, each twice. */
export const RECALL_SAMPLES_MAX = 50;
export const RECALL_SAMPLES_DEFAULT = 10;

// --- Models ---------------------------------------------------------------------------------

export const EMBED_BATCH_MAX = 100;
export const EMBED_TIMEOUT_MS = 15_000;
export const EMBED_RETRIES_MAX = 3;
/** The first wait before a retry; it doubles each time. */
export const EMBED_BACKOFF_MS = 250;
/** A model that asks for a longer pause is given up for now; whoever asked tries later. */
export const EMBED_RETRY_WAIT_MS_MAX = 10_000;
/** One answer: EMBED_BATCH_MAX vectors of VECTOR_DIMENSIONS_MAX numbers written out in JSON. */
export const EMBED_RESPONSE_BYTES_MAX = 16 * MIB;

// --- Objects --------------------------------------------------------------------------------

/** Raw bytes that may wait in an entity's tail. Beyond it appends answer 429 until indexing has caught up. */
export const TAIL_RAW_BYTES_MAX = 64 * MIB;
/** What a 429 for a full tail says in Retry-After: about what one build takes. */
export const TAIL_RETRY_SECONDS = 2;
/**
 * Raw bytes of the commits of shards that are damaged or gone: up to this they are answered from their segments, read
 * into memory, until the shards are built again.
 */
export const LOST_RAW_BYTES_MAX = 16 * MIB;
/** Wait that a caller is told of while an index is built from the log that is too large to be answered without. */
export const REBUILDING_RETRY_SECONDS = 10;
/** Raw bytes of neighbouring tail parts that are built into one: it has to fit in a slab. */
export const TAIL_PART_RAW_BYTES_MAX = 4 * MIB;
/** Opened parts an isolate keeps outside the slabs, for look-ups by id and for hydration. */
export const PART_CACHE_BYTES_MAX = 8 * MIB;
/** Tables of those parts that only some reads ask for: of some 200,000 rows times and where lines lie, and more of fewer. */
export const PART_TABLES_BYTES_MAX = 8 * MIB;
/** Lines of hits that an isolate keeps, over all parts: some ten thousand of a few hundred bytes. */
export const LINE_CACHE_BYTES_MAX = 8 * MIB;
/** Lines with the digits of their vectors, which a page of events was made of. */
export const WHOLE_LINES_BYTES_MAX = 4 * MIB;

// --- Jobs -----------------------------------------------------------------------------------

/** Jobs that have ended and that a tenant's object remembers. */
export const JOBS_MAX = 1_000;
/** Jobs of a tenant that are not done; further ones answer 429 until one is. */
export const JOBS_OPEN_MAX = 1_000;
/** Entities that a job over many deals with side by side. */
export const JOB_ENTITIES_AT_ONCE = 32;
/** Batches of entities that one look at a job may deal with: a look is one bounded step of its driver. */
export const JOB_BATCHES_PER_LOOK_MAX = 16;
/** Rest between two looks at entities that are not finished: short at first, longer the longer they take. */
export const JOB_REST_MS_MIN = 250;
export const JOB_REST_MS_MAX = 30_000;
/** Rest between two looks at a job that waits for the maintenance window. */
export const JOB_WINDOW_REST_MS_MAX = 30 * 60 * 1000;
/** How long a new job waits for its driver before the alarm of the tenant's object drives it. */
export const JOB_TAKEOVER_MS = 2_000;
/** How long a driver that is called anew has to look at its job, before the alarm drives it. */
export const JOB_CALL_MS = 10_000;
/** How long after its last look, and the rest it was told to take, a driver is taken to be alive. */
export const JOB_LEASE_MS = 15_000;
/** The same while it imports a stretch of an archive, which nobody else can do for it. */
export const IMPORT_LEASE_MS = 20_000;
/** Entities that a job names as those it could not finish; the rest are counted. */
export const JOB_FAILURES_NAMED_MAX = 100;
/** A job gives up entities that have come no further for this long. */
export const JOB_STALLED_MS_MAX = 15 * 60 * 1000;
/** Entities that one reconcile looks at; the next one goes on with the rest. */
export const RECONCILE_ENTITIES_MAX = 10_000;
/** Steps of one instance of a workflow. The platform allows 1,024. */
export const WORKFLOW_STEPS_MAX = 1_000;
/** An import archive from this size on is imported by a job: its events may fill a tail, and a request cannot wait. */
export const IMPORT_JOB_BYTES_MIN = 4 * MIB;
/** Inflated bytes of an archive that one step of an import deals with, or one file. */
export const IMPORT_STRETCH_BYTES = 8 * MIB;
/** An import whose archive has not arrived by then was cut short by a fault, and fails. */
export const IMPORT_ARRIVAL_MS_MAX = 5 * 60 * 1000;

/** How exactly an object remembers when its copies of shards were used last: a read an hour writes that down. */
export const COPIES_USED_EXACT_MS = 3_600_000;

// --- Connectors -----------------------------------------------------------------------------

/** One line or record of an imported file: an event of EVENT_BYTES_MAX with its JSON escapes. */
export const CONNECTOR_LINE_BYTES_MAX = 4 * MIB;
/** Unpacked bytes of one file of a Slack export, which is a day of one channel. */
export const SLACK_FILE_BYTES_MAX = 64 * MIB;
/** Paths that the text of a commit names; a commit that moves a tree can touch a hundred thousand. */
export const COMMIT_PATHS_MAX = 200;
