/** Protobuf's binary form: varints, fixed widths, and bytes with a length. */
import { Undecodable } from "../format.ts";

export const VARINT = 0;
export const FIXED_64 = 1;
export const LENGTH = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED_32 = 5;

const INITIAL = 256;
const MORE = 0x80;
const BITS = 0x7f;

export class WireOutput {
  bytes = Buffer.allocUnsafe(INITIAL);
  at = 0;

  #reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.at + count));
    this.bytes.copy(bytes, 0, 0, this.at);
    this.bytes = bytes;
  }

  /** An integer from 0 to 2^32-1. */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest > BITS) {
      this.bytes[this.at++] = (rest & BITS) | MORE;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  /** A negative integer has 64 bits on the wire, and so ten bytes. */
  varint64(value: bigint): void {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | MORE;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
  }

  tag(number: number, wireType: number): void {
    this.varint(((number << 3) | wireType) >>> 0);
  }

  fixed32(value: number): void {
    this.#reserve(4);
    this.at = this.bytes.writeUInt32LE(value >>> 0, this.at);
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    this.at = this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.at);
  }

  float(value: number): void {
    this.#reserve(4);
    this.at = this.bytes.writeFloatLE(value, this.at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  raw(value: Buffer): void {
    this.#reserve(value.length);
    this.at += value.copy(this.bytes, this.at);
  }

  bytesWithLength(value: Buffer): void {
    this.varint(value.length);
    this.raw(value);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.#reserve(size);
    this.at += this.bytes.write(value, this.at);
  }

  /** What `write` writes, with its length in front. Most lengths take one byte. */
  withLength(write: () => void): void {
    this.#reserve(1);
    const first = ++this.at;
    write();
    const size = this.at - first;
    let extra = 0;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) extra++;
    this.#reserve(extra);
    if (extra > 0) this.bytes.copyWithin(first + extra, first, this.at);
    this.at = first - 1;
    this.varint(size);
    this.at = first + extra + size;
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.at);
  }
}

/** Limits that all parts of one payload share. */
export interface WireBudget {
  values: number;
  depth: number;
}

export class WireInput {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  readonly budget: WireBudget;

  constructor(bytes: Buffer, budget: WireBudget, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.budget = budget;
    this.at = at;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  fail(reason: string): Undecodable {
    return new Undecodable(`protobuf: ${reason} at byte ${this.at} of the payload`);
  }

  spend(): void {
    if (--this.budget.values < 0) throw this.fail("too many values");
  }

  enter(levels: number): void {
    this.budget.depth -= levels;
    if (this.budget.depth < 0) throw this.fail("nested too deep");
  }

  leave(levels: number): void {
    this.budget.depth += levels;
  }

  take(count: number): number {
    const first = this.at;
    if (count > this.end - first) throw this.fail("the payload ends too early");
    this.at = first + count;
    return first;
  }

  #byte(): number {
    return this.bytes[this.take(1)] ?? 0;
  }

  /** The low 32 bits of a varint. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      if (shift < 32) value |= (byte & BITS) << shift;
      if (byte < MORE) return value >>> 0;
    }
    throw this.fail("a varint of more than ten bytes");
  }

  varint64(): bigint {
    let low = 0;
    let factor = 1;
    for (let i = 0; i < 7; i++) {
      const byte = this.#byte();
      low += (byte & BITS) * factor;
      if (byte < MORE) return BigInt(low);
      factor *= 128;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & BITS) << shift;
      if (byte < MORE) return BigInt.asUintN(64, value);
    }
    throw this.fail("a varint of more than ten bytes");
  }

  #length(): number {
    const first = this.at;
    const length = this.varint();
    if (this.at - first > 5) throw this.fail("a length of more than 32 bits");
    return length;
  }

  /** Reads a length, and returns the part of this input that has this length. */
  part(): WireInput {
    const length = this.#length();
    const first = this.take(length);
    return new WireInput(this.bytes, this.budget, first, first + length);
  }

  /** Passes the value of an unknown field. */
  skip(number: number, wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED_64) this.take(8);
    else if (wireType === LENGTH) this.take(this.#length());
    else if (wireType === FIXED_32) this.take(4);
    else if (wireType === START_GROUP) this.#skipGroup(number);
    else throw this.fail(`the wire type ${wireType} where a field is expected`);
  }

  #skipGroup(number: number): void {
    this.enter(1);
    let tag = this.tag();
    while (tag.wireType !== END_GROUP) {
      this.spend();
      this.skip(tag.number, tag.wireType);
      tag = this.tag();
    }
    if (tag.number !== number) throw this.fail("the end of another group");
    this.leave(1);
  }

  tag(): { readonly number: number; readonly wireType: number } {
    const first = this.at;
    const tag = this.varint();
    const number = tag >>> 3;
    if (number === 0 || this.at - first > 5) throw this.fail("a field with an invalid number");
    return { number, wireType: tag & 7 };
  }
}
