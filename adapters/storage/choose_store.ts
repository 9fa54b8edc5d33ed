/**
 * Which store a deployment's objects lie in, from its plain settings. A setting that is missing or wrong is named; its
 * value, which may be a secret, is not.
 */
import { z } from "zod";
import { fail, invalid, ok, type Result } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { invalidFields } from "../../core/schema/field_errors.ts";
import { type Bucket, r2Store } from "./r2_store.ts";
import { s3Store } from "./s3_store.ts";

/**
 * OBJECT_STORE          r2 (default): the binding BUCKET | s3
 * S3_ENDPOINT           e.g. https://s3.eu-central-1.amazonaws.com; http only in development
 * S3_BUCKET             addressed by path
 * S3_REGION             what requests are signed for, e.g. eu-central-1, auto
 * S3_ACCESS_KEY_ID
 * S3_SECRET_ACCESS_KEY
 */
export type StoreSettings = Readonly<Partial<Record<StoreSetting, string>>>;
type StoreSetting =
  | "ENVIRONMENT"
  | "OBJECT_STORE"
  | "S3_ENDPOINT"
  | "S3_BUCKET"
  | "S3_REGION"
  | "S3_ACCESS_KEY_ID"
  | "S3_SECRET_ACCESS_KEY";

const storeSchema = z.enum(["r2", "s3"]);

const needed = (pattern: RegExp, what: string) =>
  z.string({ error: "is not set; OBJECT_STORE=s3 needs it" }).regex(pattern, `must be ${what}`);
const word = (what: string) => needed(/^[!-~]+$/, what);

const s3Schema = z.object({
  S3_ENDPOINT: word("an address without a path").refine(isOrigin, "must be scheme, host and port, without a path"),
  S3_BUCKET: needed(/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/, "a bucket's name"),
  S3_REGION: needed(/^[A-Za-z0-9-]+$/, "a region's name"),
  S3_ACCESS_KEY_ID: word("printable ASCII without blanks"),
  S3_SECRET_ACCESS_KEY: word("printable ASCII without blanks"),
});

/** Once an isolate: an S3 store remembers that it has proved itself. `bucket` is null when nothing is bound. */
export function chooseStore(settings: StoreSettings, bucket: Bucket | null): Result<ObjectStore> {
  const chosen = storeSchema.safeParse(settings.OBJECT_STORE ?? "r2");
  if (!chosen.success) return fail(invalid("OBJECT_STORE", "must be r2 or s3"));
  if (chosen.data === "s3") return s3Of(settings);
  return bucket === null
    ? fail(invalid("BUCKET", "is not bound; OBJECT_STORE=r2 needs an R2 bucket"))
    : ok(r2Store(bucket));
}

function s3Of(settings: StoreSettings): Result<ObjectStore> {
  const parsed = s3Schema.safeParse(settings);
  if (!parsed.success) return fail(invalidFields(parsed.error));
  const { S3_ENDPOINT, S3_BUCKET, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = parsed.data;
  // Requests are signed, but what they carry is not hidden.
  if (!S3_ENDPOINT.startsWith("https:") && settings.ENVIRONMENT !== "development") {
    return fail(invalid("S3_ENDPOINT", "must be https"));
  }
  return ok(
    s3Store({
      endpoint: new URL(S3_ENDPOINT).origin,
      bucket: S3_BUCKET,
      region: S3_REGION,
      accessKeyId: S3_ACCESS_KEY_ID,
      secretAccessKey: S3_SECRET_ACCESS_KEY,
    }),
  );
}

/** A name or password in an address would be sent to no use, and shown in errors. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, protocol, href } = new URL(text);
  return /^https?:$/.test(protocol) && href === `${origin}/`;
}
