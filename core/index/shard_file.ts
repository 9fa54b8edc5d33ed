/**
 * The container of a shard: one immutable file of sections.
 *
 *   header (128 bytes) · directory (32 bytes a section) · hot sections · cold sections
 *                                                                       ╰ in pages of SHARD_PAGE_BYTES ╯
 *
 * Everything is little-endian; offsets count from the start of the file; the directory and every section begin at a
 * multiple of 64 and are followed by zeros up to the next. Hot sections come first, and the header says where they end
 * (`hotBytes`), so a reader that knows it gets all it needs to plan in one range.
 *
 * One checksum (section_checksum.ts), at three places: over header and directory; over each section with its padding;
 * and over each page of the cold area, in the hot section `pageChecksums`, for readers that fetch ranges of it.
 *
 *   whole read    header, directory and sections are verified; pages need not be
 *   ranged read   header, directory and hot sections are verified, then each page that was fetched
 *
 * A section that its own reader proves whole before it is used (the kernel's) may be left to it in a whole read.
 * A reader refuses another major version and a required section it does not know, and skips an optional one. It never
 * throws on bytes, whatever they are.
 */
import { type Failure, fail, ok, type Result } from "../errors.ts";
import { SHARD_SECTIONS_MAX } from "../limits.ts";
import type { Checksum } from "../ports.ts";
import { checksumOf } from "./section_checksum.ts";

const SHARD_FORMAT_MAJOR = 2;
const SHARD_FORMAT_MINOR = 0;
/** A cache line, and enough for any typed array or 128-bit load. */
const SECTION_ALIGNMENT_BYTES = 64;
/** Of the cold area, counted from its start: what a ranged read fetches and verifies at least. */
export const SHARD_PAGE_BYTES = 16 * 1024;
/** Hexadecimal digits of a revision. */
export const REVISION_DIGITS = 16;
/** The container's own section: u64 a page of the cold area. */
export const PAGE_CHECKSUMS = 2;

const MAGIC = [0x43, 0x50, 0x53, 0x48]; // "CPSH"
const HEADER_BYTES = 128;
const ENTRY_BYTES = 32;
const CHECKSUM_BYTES = 8;
const CODEC_RAW = 0;
const FLAG_REQUIRED = 1;
const FLAG_HOT = 2;

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
  checksum: 72,
  end: 80,
} as const;

const ENTRY = { type: 0, codec: 4, flags: 5, alignment: 6, offset: 8, length: 16, checksum: 24 } as const;

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

/** Where the bytes of a section lie in the file, padding apart. */
export interface SectionPlace {
  readonly offset: number;
  readonly length: number;
}

/** What header and directory say. */
export interface ShardDirectory {
  readonly identity: ShardIdentity;
  readonly fileBytes: number;
  readonly hotBytes: number;
  /** Of the sections that this version can read, by type. */
  readonly places: ReadonlyMap<number, SectionPlace>;
}

/** The start of a file, up to its cold area. */
export interface HotShard extends ShardDirectory {
  /** Whether `bytes`, which begin at a page of the cold area, are what was written. */
  verifyPages(offset: number, bytes: Uint8Array): Result<null>;
}

/** How a reader knows sections. */
export interface SectionKinds {
  /** What each known type is called, for the failure that names it. */
  readonly names: ReadonlyMap<number, string>;
  /** Types whose own reader proves them whole before any use: a whole read leaves them to it. */
  readonly provedLater: ReadonlySet<number>;
}

/** The damage, named: `what` says which object, or which section of it. */
export function corrupt(what: string): Failure {
  return { reason: "corrupt", what };
}

// --- Writing --------------------------------------------------------------------------------

/** Adds the section `pageChecksums` behind the hot ones. */
export function writeShardFile(
  identity: ShardIdentity,
  sections: readonly ShardSection[],
  checksum: Checksum,
): Uint8Array {
  const { all, directoryEnd, offsets, end, hotBytes } = layOut(sections);
  assertWritable(identity, all);
  const file = new Uint8Array(end);
  all.forEach((section, index) => {
    file.set(section.bytes, offsets[index]);
  });
  const pages = all.findIndex(({ type }) => type === PAGE_CHECKSUMS);
  writePageChecksums(file, hotBytes, offsets[pages] ?? 0, checksum);
  const view = new DataView(file.buffer);
  all.forEach((section, index) => {
    writeEntry(view, HEADER_BYTES + index * ENTRY_BYTES, section, offsets[index] ?? 0, checksum);
  });
  writeHeader(view, identity, all.length, hotBytes);
  view.setBigUint64(HEADER.checksum, checksumOf(file.subarray(0, directoryEnd), checksum), true);
  return file;
}

/** Bytes of the file that `writeShardFile` writes of these sections. */
export function shardFileBytes(sections: readonly ShardSection[]): number {
  return layOut(sections).end;
}

/** Room for the checksums: how many there are follows from the lengths of the cold sections alone. */
function withPageChecksums(sections: readonly ShardSection[]): readonly ShardSection[] {
  const hot = sections.filter((section) => section.hot);
  const cold = sections.slice(hot.length);
  const coldBytes = cold.reduce((sum, { bytes }) => sum + aligned(bytes.length), 0);
  const bytes = new Uint8Array(pagesOf(coldBytes) * CHECKSUM_BYTES);
  return [...sections.slice(0, hot.length), { type: PAGE_CHECKSUMS, hot: true, required: true, bytes }, ...cold];
}

function pagesOf(coldBytes: number): number {
  return Math.ceil(coldBytes / SHARD_PAGE_BYTES);
}

interface ShardLayout {
  /** The sections, and their pages' checksums behind the hot ones. */
  readonly all: readonly ShardSection[];
  readonly directoryEnd: number;
  readonly offsets: readonly number[];
  readonly end: number;
  readonly hotBytes: number;
}

function layOut(sections: readonly ShardSection[]): ShardLayout {
  const all = withPageChecksums(sections);
  const directoryEnd = aligned(HEADER_BYTES + all.length * ENTRY_BYTES);
  const offsets: number[] = [];
  let end = directoryEnd;
  let hotBytes = directoryEnd;
  for (const section of all) {
    offsets.push(end);
    end = aligned(end + section.bytes.length);
    if (section.hot) hotBytes = end;
  }
  return { all, directoryEnd, offsets, end, hotBytes };
}

function writePageChecksums(file: Uint8Array, hotBytes: number, at: number, checksum: Checksum): void {
  const view = new DataView(file.buffer);
  for (let page = 0, from = hotBytes; from < file.length; page++, from += SHARD_PAGE_BYTES) {
    const bytes = file.subarray(from, Math.min(from + SHARD_PAGE_BYTES, file.length));
    view.setBigUint64(at + page * CHECKSUM_BYTES, checksumOf(bytes, checksum), true);
  }
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

function writeEntry(view: DataView, at: number, section: ShardSection, offset: number, checksum: Checksum): void {
  const { type, hot, required, bytes } = section;
  const stored = new Uint8Array(view.buffer, offset, aligned(bytes.length));
  view.setUint32(at + ENTRY.type, type, true);
  view.setUint8(at + ENTRY.codec, CODEC_RAW);
  view.setUint8(at + ENTRY.flags, (required ? FLAG_REQUIRED : 0) | (hot ? FLAG_HOT : 0));
  view.setUint16(at + ENTRY.alignment, SECTION_ALIGNMENT_BYTES, true);
  view.setBigUint64(at + ENTRY.offset, BigInt(offset), true);
  view.setBigUint64(at + ENTRY.length, BigInt(bytes.length), true);
  view.setBigUint64(at + ENTRY.checksum, checksumOf(stored, checksum), true);
}

// --- Reading --------------------------------------------------------------------------------

/** Checks the whole file but for the sections that are proved later. */
export function readShardFile(bytes: Uint8Array, kinds: SectionKinds, checksum: Checksum): Result<ShardDirectory> {
  const listed = readDirectory(bytes, kinds, checksum);
  if (!listed.ok) return listed;
  const { directory, entries } = listed.value;
  if (directory.fileBytes !== bytes.length) return fail(corrupt("shard file (length)"));
  for (const entry of entries) {
    const damage = damageOf(entry, bytes, kinds.provedLater.has(entry.type) ? null : checksum);
    if (damage !== null) return fail(damage);
  }
  return ok(directory);
}

/** Checks the start of a file: exactly its header, directory and hot sections. */
export function readHotShard(bytes: Uint8Array, kinds: SectionKinds, checksum: Checksum): Result<HotShard> {
  const listed = readDirectory(bytes, kinds, checksum);
  if (!listed.ok) return listed;
  const { directory, entries } = listed.value;
  if (directory.hotBytes !== bytes.length) return fail(corrupt("shard file (length of its hot area)"));
  for (const entry of entries) {
    const damage = entry.hot ? damageOf(entry, bytes, checksum) : null;
    if (damage !== null) return fail(damage);
  }
  const place = directory.places.get(PAGE_CHECKSUMS);
  if (place === undefined || place.length !== pagesOf(directory.fileBytes - bytes.length) * CHECKSUM_BYTES)
    return fail(corrupt("pageChecksums (length)"));
  const sums = new DataView(bytes.buffer, bytes.byteOffset + place.offset, place.length);
  return ok({
    ...directory,
    verifyPages(offset, cold) {
      const first = (offset - bytes.length) / SHARD_PAGE_BYTES;
      for (let page = 0, from = 0; from < cold.length; page++, from += SHARD_PAGE_BYTES) {
        const sum = checksumOf(cold.subarray(from, from + SHARD_PAGE_BYTES), checksum);
        if (sums.getBigUint64((first + page) * CHECKSUM_BYTES, true) === sum) continue;
        return fail(corrupt(`${sectionAt(entries, offset + from)} (page checksum)`));
      }
      return ok(null);
    },
  });
}

/** A section as the directory lists it. */
interface Entry extends SectionPlace {
  readonly type: number;
  readonly name: string;
  readonly hot: boolean;
  readonly checksum: bigint;
}

/** The first section of the page that begins at `offset`. */
function sectionAt(entries: readonly Entry[], offset: number): string {
  return entries.findLast((entry) => entry.offset <= offset)?.name ?? "shard file";
}

/** @param checksum null when the content is proved later; its padding is not */
function damageOf({ name, offset, length, checksum: sum }: Entry, bytes: Uint8Array, checksum: Checksum | null) {
  const end = aligned(offset + length);
  for (let pad = offset + length; pad < end; pad++) if (bytes[pad] !== 0) return corrupt(`${name} (padding)`);
  if (checksum === null || checksumOf(bytes.subarray(offset, end), checksum) === sum) return null;
  return corrupt(`${name} (checksum)`);
}

interface ListedSections {
  readonly directory: ShardDirectory;
  /** All of them, in file order: those of unknown types too. */
  readonly entries: readonly Entry[];
}

/** Reads and checks header and directory. `bytes` are the start of a file, or all of it. */
function readDirectory(bytes: Uint8Array, kinds: SectionKinds, checksum: Checksum): Result<ListedSections> {
  if (bytes.length < HEADER_BYTES) return fail(corrupt("shard header (truncated)"));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (MAGIC.some((byte, index) => view.getUint8(index) !== byte)) return fail(corrupt("shard header (magic)"));
  const major = view.getUint16(HEADER.major, true);
  if (major !== SHARD_FORMAT_MAJOR) return fail(corrupt(`shard header (unknown format version ${major})`));
  const count = view.getUint32(HEADER.sections, true);
  const directoryEnd = aligned(HEADER_BYTES + count * ENTRY_BYTES);
  if (count > SHARD_SECTIONS_MAX || directoryEnd > bytes.length) return fail(corrupt("shard directory (size)"));
  if (headerChecksum(bytes, directoryEnd, checksum) !== view.getBigUint64(HEADER.checksum, true))
    return fail(corrupt("shard header and directory (checksum)"));
  const identity = readIdentity(view);
  if (identity === null) return fail(corrupt("shard header (identity)"));
  const entries = Array.from({ length: count }, (_, index) => readEntry(view, index, kinds.names));
  const fileBytes = number64(view, HEADER.fileBytes);
  const hotBytes = number64(view, HEADER.hotBytes);
  const misplaced = misplacedIn(entries, directoryEnd, hotBytes, fileBytes);
  if (misplaced !== null) return fail(corrupt(misplaced));
  const places = placesOf(view, entries, kinds.names);
  return places.ok ? ok({ directory: { identity, fileBytes, hotBytes, places: places.value }, entries }) : places;
}

function headerChecksum(bytes: Uint8Array, end: number, checksum: Checksum): bigint {
  const copy = bytes.slice(0, end);
  copy.fill(0, HEADER.checksum, HEADER.end);
  return checksumOf(copy, checksum);
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

function readEntry(view: DataView, index: number, names: ReadonlyMap<number, string>): Entry {
  const at = HEADER_BYTES + index * ENTRY_BYTES;
  const type = view.getUint32(at + ENTRY.type, true);
  return {
    type,
    name: names.get(type) ?? `section ${type}`,
    hot: (view.getUint8(at + ENTRY.flags) & FLAG_HOT) !== 0,
    offset: number64(view, at + ENTRY.offset),
    length: number64(view, at + ENTRY.length),
    checksum: view.getBigUint64(at + ENTRY.checksum, true),
  };
}

/** Sections lie end to end in the order of the directory, so nothing can overlap or hide between them. */
function misplacedIn(
  entries: readonly Entry[],
  directoryEnd: number,
  hotBytes: number,
  fileBytes: number,
): string | null {
  let end = directoryEnd;
  let hotEnd = directoryEnd;
  for (const { name, hot, offset, length } of entries) {
    if (offset !== end || length > fileBytes - end) return `${name} (range)`;
    if (hot && hotEnd !== end) return `${name} (hot after cold)`;
    end = aligned(end + length);
    if (hot) hotEnd = end;
  }
  if (end !== fileBytes) return "shard file (length)";
  return hotEnd === hotBytes ? null : "shard header (length of the hot area)";
}

function placesOf(
  view: DataView,
  entries: readonly Entry[],
  names: ReadonlyMap<number, string>,
): Result<ReadonlyMap<number, SectionPlace>> {
  const places = new Map<number, SectionPlace>();
  for (const [index, { type, name, offset, length }] of entries.entries()) {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const readable = names.has(type) && view.getUint8(at + ENTRY.codec) === CODEC_RAW;
    const required = (view.getUint8(at + ENTRY.flags) & FLAG_REQUIRED) !== 0;
    if (!readable && required) return fail(corrupt(`${name} (unknown to this version)`));
    if (places.has(type)) return fail(corrupt(`${name} (twice)`));
    if (readable) places.set(type, { offset, length });
  }
  return ok(places);
}

/** Beyond what a double holds exactly no length is true, and none compares equal to one that is. */
function number64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function aligned(offset: number): number {
  return Math.ceil(offset / SECTION_ALIGNMENT_BYTES) * SECTION_ALIGNMENT_BYTES;
}

function isRevision(text: string): boolean {
  return REVISION.test(text);
}

const REVISION = new RegExp(`^[0-9a-f]{${REVISION_DIGITS}}$`);
