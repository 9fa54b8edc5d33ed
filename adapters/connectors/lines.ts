/**
 * Cuts a stream of UTF-8 bytes at a separator byte. A piece never spans more memory than `pieceBytesMax`: a longer one
 * is handed on as null, so that its place can be named, and reading goes on after it.
 */

export async function* pieces(
  chunks: AsyncIterable<Uint8Array>,
  separator: number,
  pieceBytesMax: number,
): AsyncGenerator<string | null> {
  const decoder = new TextDecoder();
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const hold = (bytes: Uint8Array): void => {
    heldBytes += bytes.length;
    if (heldBytes > pieceBytesMax) held = [];
    else held.push(bytes);
  };
  const release = (): string | null => {
    const text = heldBytes > pieceBytesMax ? null : decoder.decode(Buffer.concat(held));
    held = [];
    heldBytes = 0;
    return text;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(separator); end !== -1; end = chunk.indexOf(separator, start)) {
      hold(chunk.subarray(start, end));
      yield release();
      start = end + 1;
    }
    if (start < chunk.length) hold(chunk.subarray(start));
  }
  if (heldBytes > 0) yield release();
}
