/**
 * The searchable text of a document by its media type; null for types that are kept but not searched.
 */
import { Parser } from "htmlparser2";

const PLAIN = /^(text\/(plain|markdown|csv|x-markdown)|application\/(json|ld\+json|x-ndjson|csv))$/;
const HTML = /^(text\/html|application\/xhtml\+xml)$/;
/** What these hold is not prose. */
const HIDDEN = new Set(["script", "style", "template", "noscript", "head"]);
/** A line ends where one of these begins or ends. */
const BLOCK =
  /^(address|article|aside|blockquote|br|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|td|th|tr|ul)$/;

/** Bytes in another charset are kept, and not read. */
const READ_CHARSETS: readonly string[] = ["utf-8", "utf8", "us-ascii"];

/** `contentType` as it was sent. null also for another charset than UTF-8, and when the bytes are not UTF-8. */
export function documentText(contentType: string, bytes: Uint8Array): string | null {
  const mediaType = mediaTypeOf(contentType);
  const html = HTML.test(mediaType);
  if (!html && !PLAIN.test(mediaType)) return null;
  if (!READ_CHARSETS.includes(charsetOf(contentType) ?? "utf-8")) return null;
  const text = decode(bytes);
  return text === null || !html ? text : htmlText(text);
}

/** In lower case and without parameters. */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(";")[0]?.trim().toLowerCase() ?? "";
}

/** In lower case; null when none is named. */
function charsetOf(contentType: string): string | null {
  const [, quoted, bare] = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]*))/i.exec(contentType) ?? [];
  return (quoted ?? bare)?.toLowerCase() ?? null;
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

function htmlText(html: string): string {
  let text = "";
  let hidden = 0;
  const parser = new Parser({
    onopentagname(name) {
      if (HIDDEN.has(name)) hidden += 1;
      if (BLOCK.test(name)) text += "\n";
    },
    onclosetag(name) {
      if (HIDDEN.has(name)) hidden -= 1;
      if (BLOCK.test(name)) text += "\n";
    },
    ontext(data) {
      if (hidden === 0) text += data;
    },
  });
  parser.end(html);
  return text
    .replace(/[ \t]+/g, " ")
    .replace(/\s*\n\s*/g, "\n")
    .trim();
}
