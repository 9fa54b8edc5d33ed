/** Feeds text to a connector in chunks of any size and sorts what comes out. */
import type { ConnectorItem } from "../../adapters/connectors/item.ts";

type Accepted = Extract<ConnectorItem, { ok: true }>;
type Refused = Extract<ConnectorItem, { ok: false }>;

export async function* chunksOf(text: string, chunkBytes = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes);
}

export async function collected(
  items: AsyncIterable<ConnectorItem> | Iterable<ConnectorItem>,
): Promise<{ accepted: Accepted[]; refused: Refused[] }> {
  const accepted: Accepted[] = [];
  const refused: Refused[] = [];
  for await (const item of items) {
    if (item.ok) accepted.push(item);
    else refused.push(item);
  }
  return { accepted, refused };
}
