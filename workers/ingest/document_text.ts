/**
 * The searchable text of a document by its media type; null for types that are kept but not searched.
 */
import { Parser } from "htmlparser2";

const PLAIN = /^(text\/(plain|markdown|csv|x-markdown)|application\/(json|ld\+json|x-ndjson|csv))$/;
const HTML = /^(text\/html|application\/xhtml\+xml)$/;
/** What these hold is not prose. */
const HIDDEN = new Set(["script", "style", "template", "noscript", "head"]);
/** A line ends where one of these begins or ends. */
const BLOCK = /^(address|article|aside|blockquote|br|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|td|th|tr|ul)$/;

/** `contentType` without parameters, lower case. null also when the bytes are not UTF-8. */
export function documentText(contentType: string, bytes: Uint8Array): string | null {
  const html = HTML.test(contentType);
  if (!html && !PLAIN.test(contentType)) return null;
  const text = decode(bytes);
  return text === null || !html ? text : htmlText(text);
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
  return text.replace(/[ \t]+/g, " ").replace(/\s*\n\s*/g, "\n").trim();
}
