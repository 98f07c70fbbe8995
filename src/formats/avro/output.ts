/** Avro's binary form of one value while it is written, and the reason if the value is refused. */
import type { DataRefused } from "../format.ts";
import { refusalAt } from "../refusal.ts";
import { bytesOf, writeInteger } from "./decimal.ts";

/** Maximum bytes that stay allocated between two events. */
const KEPT = 1024 * 1024;
const INITIAL = 4 * 1024;
/** Bytes that `reserve` may ask for beyond the need. */
const SLACK = 128;
/** Longest string whose length is one byte. A loop copies it faster than a call of Buffer.write. */
const SHORT = 63;
/** Up to here doubling a number is exact. */
export const EXACT = 2 ** 52;
/** Half a surrogate pair. With the flag `u`, whole pairs don't match. */
const HALF_PAIR = /\p{Surrogate}/u;

/** Bytes of a count as zigzag varint. */
const bytesOfCount = (count: number): number => {
  let bytes = 1;
  for (let rest = count; rest > 0x3f; rest >>>= 7) bytes++;
  return bytes;
};

export class AvroOutput {
  bytes = Buffer.allocUnsafeSlow(INITIAL);
  at = 0;
  /** Values visited so far, also those of attempts that failed. It bounds the work for ambiguous unions. */
  visited = 0;
  /**
   * The value is a default of the schema: its unions have no branch names, and the first branch that accepts the value is
   * taken.
   */
  readonly isDefault: boolean;
  readonly #path: (string | number)[] = [];
  #view = new DataView(this.bytes.buffer);
  #reason = "";
  #limit = 0;

  constructor(isDefault = false) {
    this.isDefault = isDefault;
  }

  /** Begins a value behind `skip` bytes. Throws DataRefused when it has clearly more than `limit` bytes. */
  begin(skip: number, limit: number): void {
    if (this.bytes.length > KEPT) this.#allocate(INITIAL);
    this.at = skip;
    this.visited = 0;
    this.#limit = skip + limit + SLACK;
  }

  /** Refuses the value that is being written. The containers around it add their steps with `within`. */
  refuse(reason: string): false {
    this.#path.length = 0;
    this.#reason = reason;
    return false;
  }

  within(step: string | number): false {
    this.#path.push(step);
    return false;
  }

  refusal(): DataRefused {
    return refusalAt("avro", this.#path.reverse(), this.#reason);
  }

  reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count);
  }

  #grow(count: number): void {
    if (this.at + count > this.#limit) throw this.tooLarge();
    const { bytes, at } = this;
    this.#allocate(Math.max(2 * bytes.length, at + count));
    bytes.copy(this.bytes, 0, 0, at);
  }

  #allocate(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  tooLarge(): DataRefused {
    return refusalAt("avro", [], "the encoded value is too large");
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  /** A 32-bit integer as zigzag varint. */
  int(value: number): void {
    this.reserve(5);
    const { bytes } = this;
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
  }

  /** An integer between -EXACT and EXACT as zigzag varint. */
  long(value: number): void {
    if ((value | 0) === value) {
      this.int(value);
      return;
    }
    this.reserve(10);
    const { bytes } = this;
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    while (rest > 0x7fffffff) {
      bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
  }

  /**
   * A 64-bit integer as zigzag varint, in two halves of 32 bits. `low` and `high` are the bits of the integer, or, if it is
   * negative, of its size less one.
   */
  halves(low: number, high: number, isNegative: boolean): void {
    this.reserve(10);
    const { bytes } = this;
    let lower = ((low << 1) | (isNegative ? 1 : 0)) >>> 0;
    let upper = ((high << 1) | (low >>> 31)) >>> 0;
    while (upper > 0 || lower > 0x7f) {
      bytes[this.at++] = (lower & 0x7f) | 0x80;
      lower = ((lower >>> 7) | (upper << 25)) >>> 0;
      upper >>>= 7;
    }
    bytes[this.at++] = lower;
  }

  /** A 64-bit integer as zigzag varint. */
  bigLong(value: bigint): void {
    this.reserve(10);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (rest > 0x7fn) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
  }

  float(value: number): void {
    this.reserve(4);
    this.#view.setFloat32(this.at, value, true);
    this.at += 4;
  }

  double(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  /** Length and UTF-8. false: the string has half a surrogate pair. */
  string(value: string): boolean {
    const { length } = value;
    if (length > SHORT) return this.#anyString(value);
    this.reserve(1 + SHORT);
    const { bytes, at } = this;
    const first = at + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return this.#anyString(value);
      bytes[first + i] = code;
    }
    bytes[at] = length << 1;
    this.at = first + length;
    return true;
  }

  #anyString(value: string): boolean {
    const size = Buffer.byteLength(value);
    if (size !== value.length && HALF_PAIR.test(value)) return false;
    this.int(size);
    this.reserve(size);
    this.at += this.bytes.write(value, this.at);
    return true;
  }

  /** Each character is one byte. false: a character is beyond U+00FF. */
  latin1(value: string): boolean {
    const { length } = value;
    this.reserve(length);
    const { bytes, at } = this;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0xff) return false;
      bytes[at + i] = code;
    }
    this.at = at + length;
    return true;
  }

  /** An integer in two's complement. `size`: the bytes of a fixed. undefined: as few bytes as possible, after their count. */
  integer(value: bigint, size?: number): void {
    const count = size ?? bytesOf(value);
    if (size === undefined) this.int(count);
    this.reserve(count);
    writeInteger(value, this.bytes, this.at, count);
    this.at += count;
  }

  /** Ends the block of an array or a map that begins at `start`. Its count replaces the one byte that was left for it there. */
  endBlock(start: number, count: number): void {
    const more = bytesOfCount(count) - 1;
    if (more > 0) {
      this.reserve(more);
      this.bytes.copyWithin(start + 1 + more, start + 1, this.at);
    }
    const end = this.at + more;
    this.at = start;
    this.int(count);
    this.at = end;
    this.byte(0);
  }

  /** Bytes that are encoded already. */
  raw(encoded: Buffer): void {
    this.reserve(encoded.length);
    encoded.copy(this.bytes, this.at);
    this.at += encoded.length;
  }
}
