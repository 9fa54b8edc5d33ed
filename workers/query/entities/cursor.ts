/** The cursor of the list of entities: the last name of a page, as text that is safe in URLs and says it is ours. */
import { fail, invalid, ok, type Result } from "../../../core/errors.ts";
import { base64url, fromBase64url } from "../../../core/log/text_encoding.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";

const MARK = "e";

export function writeEntityCursor(last: string): string {
  return MARK + base64url(new TextEncoder().encode(last));
}

export function parseEntityCursor(text: string): Result<string> {
  const bytes = text.startsWith(MARK) ? fromBase64url(text.slice(MARK.length)) : null;
  const last = bytes === null ? null : entitySchema.safeParse(new TextDecoder().decode(bytes));
  return last?.success ? ok(last.data) : fail(invalid("cursor", "is not a cursor of this list"));
}
