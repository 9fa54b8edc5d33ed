/**
 * Bytes as text that is safe in keys, headers and URLs. Base64url is without padding (RFC 4648 §5).
 */
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

export function base64url(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const digits = Math.min(bytes.length - i, 3) + 1;
    for (let digit = 0; digit < digits; digit++) text += BASE64URL.charAt((word >> (18 - 6 * digit)) & 63);
  }
  return text;
}

/** null unless `text` is exactly what `base64url` writes for some bytes: no padding, no stray bits at the end. */
export function fromBase64url(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let written = 0;
  let word = 0;
  let bits = 0;
  for (const character of text) {
    const digit = BASE64URL.indexOf(character);
    if (digit < 0) return null;
    word = (word << 6) | digit;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[written++] = word >> bits;
    word &= (1 << bits) - 1;
  }
  return word === 0 && bits < 6 ? bytes : null;
}
