/**
 * The container of a shard: one immutable file of sections.
 *
 *   header (128 bytes) · directory (32 bytes a section) · hot sections · cold sections
 *
 * Everything is little-endian; offsets count from the start of the file; the directory and every section begin at a
 * multiple of 64 and are followed by zeros up to the next. Hot sections come first, so a reader that knows `hotBytes`
 * gets all it needs to plan in one range.
 *
 * A reader refuses an unknown major version and a required section it does not know, skips an optional one, and
 * notices every changed or missing byte: header and directory share a checksum, each section has its own, and what
 * lies between must be zero. It never throws on bytes, whatever they are.
 */
import { type Failure, fail, ok, type Result } from "../errors.ts";
import { SHARD_SECTIONS_MAX } from "../limits.ts";
import { xxhash32 } from "./xxhash32.ts";

const SHARD_FORMAT_MAJOR = 1;
const SHARD_FORMAT_MINOR = 0;
/** A cache line, and enough for any typed array or 128-bit load. */
const SECTION_ALIGNMENT_BYTES = 64;
/** Hexadecimal digits of a revision. */
export const REVISION_DIGITS = 16;

const MAGIC = [0x43, 0x50, 0x53, 0x48]; // "CPSH"
const HEADER_BYTES = 128;
const ENTRY_BYTES = 32;
const CODEC_RAW = 0;
const FLAG_REQUIRED = 1;

const HEADER = {
  major: 4,
  minor: 6,
  incarnation: 8,
  from: 16,
  to: 24,
  revision: 32,
  fileBytes: 48,
  hotBytes: 56,
  sections: 64,
  checksum: 68,
} as const;

const ENTRY = { type: 0, codec: 4, flags: 6, offset: 8, length: 16, alignment: 24, checksum: 28 } as const;

/** Which part of which log the file is a view of. */
export interface ShardIdentity {
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
  /** REVISION_DIGITS hexadecimal digits. */
  readonly revision: string;
}

export interface ShardSection {
  readonly type: number;
  /** Read before any search; must stand before the cold ones. */
  readonly hot: boolean;
  /** A reader that does not know the type must refuse the file. */
  readonly required: boolean;
  readonly bytes: Uint8Array;
}

interface ShardFile {
  readonly identity: ShardIdentity;
  readonly hotBytes: number;
  /** Views into the file, by type. */
  readonly sections: ReadonlyMap<number, Uint8Array>;
}

/** The damage, named: `what` says which object, or which section of it. */
export function corrupt(what: string): Failure {
  return { reason: "corrupt", what };
}

// --- Writing --------------------------------------------------------------------------------

export function writeShardFile(identity: ShardIdentity, sections: readonly ShardSection[]): Uint8Array {
  assertWritable(identity, sections);
  const directoryEnd = aligned(HEADER_BYTES + sections.length * ENTRY_BYTES);
  const offsets: number[] = [];
  let end = directoryEnd;
  let hotBytes = directoryEnd;
  for (const section of sections) {
    offsets.push(end);
    end = aligned(end + section.bytes.length);
    if (section.hot) hotBytes = end;
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  sections.forEach((section, index) => {
    const offset = offsets[index] ?? 0;
    file.set(section.bytes, offset);
    writeEntry(view, HEADER_BYTES + index * ENTRY_BYTES, section, offset);
  });
  writeHeader(view, identity, sections.length, hotBytes);
  view.setUint32(HEADER.checksum, xxhash32(file.subarray(0, directoryEnd)), true);
  return file;
}

function assertWritable(identity: ShardIdentity, sections: readonly ShardSection[]): void {
  const { incarnation, from, to, revision } = identity;
  const numbers =
    Number.isSafeInteger(incarnation) && incarnation >= 0 && Number.isSafeInteger(to) && from >= 1 && from <= to;
  if (!numbers || !isRevision(revision)) throw new Error(`no such shard: ${JSON.stringify(identity)}`);
  if (sections.length > SHARD_SECTIONS_MAX) throw new Error(`a shard of ${sections.length} sections`);
  if (new Set(sections.map((section) => section.type)).size !== sections.length)
    throw new Error("two sections of one type");
  const firstCold = sections.findIndex((section) => !section.hot);
  if (firstCold !== -1 && sections.slice(firstCold).some((section) => section.hot))
    throw new Error("a hot section after a cold one");
}

function writeHeader(view: DataView, identity: ShardIdentity, sections: number, hotBytes: number): void {
  MAGIC.forEach((byte, index) => {
    view.setUint8(index, byte);
  });
  view.setUint16(HEADER.major, SHARD_FORMAT_MAJOR, true);
  view.setUint16(HEADER.minor, SHARD_FORMAT_MINOR, true);
  view.setBigUint64(HEADER.incarnation, BigInt(identity.incarnation), true);
  view.setBigUint64(HEADER.from, BigInt(identity.from), true);
  view.setBigUint64(HEADER.to, BigInt(identity.to), true);
  for (let index = 0; index < REVISION_DIGITS; index++) {
    view.setUint8(HEADER.revision + index, identity.revision.charCodeAt(index));
  }
  view.setBigUint64(HEADER.fileBytes, BigInt(view.byteLength), true);
  view.setBigUint64(HEADER.hotBytes, BigInt(hotBytes), true);
  view.setUint32(HEADER.sections, sections, true);
}

function writeEntry(view: DataView, at: number, section: ShardSection, offset: number): void {
  view.setUint32(at + ENTRY.type, section.type, true);
  view.setUint16(at + ENTRY.codec, CODEC_RAW, true);
  view.setUint16(at + ENTRY.flags, section.required ? FLAG_REQUIRED : 0, true);
  view.setBigUint64(at + ENTRY.offset, BigInt(offset), true);
  view.setBigUint64(at + ENTRY.length, BigInt(section.bytes.length), true);
  view.setUint32(at + ENTRY.alignment, SECTION_ALIGNMENT_BYTES, true);
  view.setUint32(at + ENTRY.checksum, xxhash32(section.bytes), true);
}

// --- Reading --------------------------------------------------------------------------------

/**
 * Checks the whole file and gives views of its sections.
 * @param names what each known type is called, for the failure that names it
 */
export function readShardFile(bytes: Uint8Array, names: ReadonlyMap<number, string>): Result<ShardFile> {
  if (bytes.length < HEADER_BYTES) return fail(corrupt("shard header (truncated)"));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (MAGIC.some((byte, index) => view.getUint8(index) !== byte)) return fail(corrupt("shard header (magic)"));
  const major = view.getUint16(HEADER.major, true);
  if (major !== SHARD_FORMAT_MAJOR) return fail(corrupt(`shard header (unknown format version ${major})`));
  if (number64(view, HEADER.fileBytes) !== bytes.length) return fail(corrupt("shard file (length)"));
  const count = view.getUint32(HEADER.sections, true);
  const directoryEnd = aligned(HEADER_BYTES + count * ENTRY_BYTES);
  if (count > SHARD_SECTIONS_MAX || directoryEnd > bytes.length) return fail(corrupt("shard directory (size)"));
  if (headerChecksum(bytes, directoryEnd) !== view.getUint32(HEADER.checksum, true)) {
    return fail(corrupt("shard header and directory (checksum)"));
  }
  const identity = readIdentity(view);
  if (identity === null) return fail(corrupt("shard header (identity)"));
  const sections = readSections(view, bytes, count, directoryEnd, names);
  if (!sections.ok) return sections;
  return ok({ identity, hotBytes: number64(view, HEADER.hotBytes), sections: sections.value });
}

function headerChecksum(bytes: Uint8Array, end: number): number {
  const copy = bytes.slice(0, end);
  copy.fill(0, HEADER.checksum, HEADER.checksum + 4);
  return xxhash32(copy);
}

function readIdentity(view: DataView): ShardIdentity | null {
  const incarnation = number64(view, HEADER.incarnation);
  const from = number64(view, HEADER.from);
  const to = number64(view, HEADER.to);
  let revision = "";
  for (let index = 0; index < REVISION_DIGITS; index++)
    revision += String.fromCharCode(view.getUint8(HEADER.revision + index));
  const sound =
    Number.isSafeInteger(incarnation) && Number.isSafeInteger(to) && from >= 1 && from <= to && isRevision(revision);
  return sound ? { incarnation, from, to, revision } : null;
}

/** Sections lie end to end in the order of the directory, so nothing can overlap or hide between them. */
function readSections(
  view: DataView,
  bytes: Uint8Array,
  count: number,
  directoryEnd: number,
  names: ReadonlyMap<number, string>,
): Result<ReadonlyMap<number, Uint8Array>> {
  const sections = new Map<number, Uint8Array>();
  let end = directoryEnd;
  for (let index = 0; index < count; index++) {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const type = view.getUint32(at + ENTRY.type, true);
    const name = names.get(type) ?? `section ${type}`;
    const length = number64(view, at + ENTRY.length);
    if (number64(view, at + ENTRY.offset) !== end || length > bytes.length - end)
      return fail(corrupt(`${name} (range)`));
    const content = bytes.subarray(end, end + length);
    const next = aligned(end + length);
    if (next > bytes.length) return fail(corrupt(`${name} (truncated)`));
    if (xxhash32(content) !== view.getUint32(at + ENTRY.checksum, true)) return fail(corrupt(`${name} (checksum)`));
    for (let pad = end + length; pad < next; pad++) if (bytes[pad] !== 0) return fail(corrupt(`${name} (padding)`));
    end = next;
    const readable = names.has(type) && view.getUint16(at + ENTRY.codec, true) === CODEC_RAW;
    const required = (view.getUint16(at + ENTRY.flags, true) & FLAG_REQUIRED) !== 0;
    if (!readable && required) return fail(corrupt(`${name} (unknown to this version)`));
    if (sections.has(type)) return fail(corrupt(`${name} (twice)`));
    if (readable) sections.set(type, content);
  }
  return end === bytes.length ? ok(sections) : fail(corrupt("shard file (trailing bytes)"));
}

function number64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function aligned(offset: number): number {
  return Math.ceil(offset / SECTION_ALIGNMENT_BYTES) * SECTION_ALIGNMENT_BYTES;
}

function isRevision(text: string): boolean {
  return new RegExp(`^[0-9a-f]{${REVISION_DIGITS}}$`).test(text);
}
