/** Copies of shards answer the same bytes wherever they lie, and never another's. */
import { beforeEach, describe, expect, test } from "vitest";
import { randomNumbers } from "../../bench/kernel/random.ts";
import { SQLITE_COPY_ROW_BYTES_MAX, SQLITE_PAGE_BYTES, SQLITE_SHARD_PAGE_BYTES } from "../../core/limits.ts";
import { COPY_SCHEMA, CopyTables } from "../../durable-objects/copy_tables.ts";
import { embeddedSql } from "./embedded_sql.ts";

const PIECE = 8 * SQLITE_SHARD_PAGE_BYTES;
const SHARD = "a".repeat(64);
/** Its number would be the same. */
const LIKE_IT = `${"a".repeat(9)}${"b".repeat(55)}`;
const OTHER = "c".repeat(64);

let sql = embeddedSql();
let copies = new CopyTables(sql);
beforeEach(() => {
  sql = embeddedSql();
  for (const statement of COPY_SCHEMA) sql.run(statement);
  copies = new CopyTables(sql);
});

function bytesOf(seed: number, length: number): Uint8Array {
  const random = randomNumbers(seed);
  return Uint8Array.from({ length }, () => random.below(256));
}

function piecesOf(bytes: Uint8Array): { offset: number; piece: Uint8Array }[] {
  return Array.from({ length: Math.ceil(bytes.length / PIECE) }, (_, n) => ({
    offset: n * PIECE,
    piece: bytes.subarray(n * PIECE, (n + 1) * PIECE),
  }));
}

function expectAnswers(sha256: string, bytes: Uint8Array, ids: Uint8Array): void {
  const random = randomNumbers(bytes.length);
  const ranges = Array.from({ length: 40 }, () => {
    const offset = random.below(bytes.length);
    return { offset, length: 1 + random.below(Math.min(bytes.length - offset, 3 * SQLITE_SHARD_PAGE_BYTES)) };
  });
  const wanted = ranges.map(({ offset, length }) => bytes.slice(offset, offset + length));
  expect(ranges.map(({ offset, length }) => copies.range(sha256, offset, length))).toEqual(wanted);
  expect(copies.ranges(sha256, ranges)).toEqual(wanted);
  for (const [index, { offset, length }] of ranges.entries())
    expect(Buffer.concat(copies.pieces(sha256, offset, length)).equals(wanted[index] ?? new Uint8Array())).toBe(true);
  expect(copies.range(sha256, 0, bytes.length)).toEqual(bytes);
  expect(copies.ids(sha256)).toEqual(ids);
}

describe.each([
  ["fits in a row", SQLITE_COPY_ROW_BYTES_MAX],
  ["is a byte larger", SQLITE_COPY_ROW_BYTES_MAX + 1],
  ["has several pieces", 2 * PIECE + 77],
])("a copy that %s", (_, length) => {
  const bytes = bytesOf(1, length);
  const ids = bytesOf(2, 64);

  test("answers the same while it is held and when it was written, and then lies there once", () => {
    for (const { offset, piece } of piecesOf(bytes).reverse()) copies.holdPiece(SHARD, offset, piece);
    expect([copies.has(SHARD), copies.heldBytes]).toEqual([false, length]);
    copies.name(SHARD, ids, 3);
    expectAnswers(SHARD, bytes, ids);
    copies.writeHeld();
    copies.letGo((sha256) => copies.has(sha256));
    expect(copies.heldBytes).toBe(0);
    expectAnswers(SHARD, bytes, ids);
    expect(copies.dimensions(SHARD)).toBe(3);
    copies = new CopyTables(sql);
    expectAnswers(SHARD, bytes, ids);
  });

  test("counts once it is named, and is gone when it is not kept", () => {
    for (const { offset, piece } of piecesOf(bytes)) copies.putPiece(SHARD, offset, piece);
    expect(copies.has(SHARD)).toBe(false);
    copies.name(SHARD, ids, 0);
    expectAnswers(SHARD, bytes, ids);
    copies.keep([SHARD]);
    expect(copies.has(SHARD)).toBe(true);
    copies.keep([]);
    expect([copies.has(SHARD), copies.hasAny()]).toEqual([false, false]);
    expect(sql.run("SELECT place FROM shard_bytes")).toEqual([]);
  });

  test("is not another's whose digest begins alike, nor goes with it", () => {
    const others = bytesOf(3, length);
    const many = bytesOf(4, SQLITE_PAGE_BYTES + 8);
    copies.name(SHARD, ids, 0, bytes);
    copies.name(LIKE_IT, many, 0, others);
    copies.name(OTHER, ids, 0, bytes);
    expectAnswers(SHARD, bytes, ids);
    expectAnswers(LIKE_IT, others, many);
    copies.keep([LIKE_IT]);
    expectAnswers(LIKE_IT, others, many);
    expect(copies.has(SHARD)).toBe(false);
  });
});

test("what is taken of a copy that is held keeps no more of it in memory than that", () => {
  copies.holdPiece(SHARD, 0, bytesOf(5, PIECE));
  copies.name(SHARD, new Uint8Array(8), 0);
  expect(copies.range(SHARD, 100, 50).buffer.byteLength).toBe(50);
});

test("what came of a copy that was never named goes with the next that is kept", () => {
  copies.putPiece(SHARD, 0, bytesOf(6, PIECE));
  copies = new CopyTables(sql);
  expect([copies.has(SHARD), copies.hasAny()]).toEqual([false, true]);
  copies.keep([SHARD]);
  expect([copies.hasAny(), sql.run("SELECT place FROM shard_bytes").length]).toEqual([false, 0]);
});
