/** The bytes of an Avro payload while they are read. */
import { Undecodable } from "../format.ts";

/** Maximum number of values of a payload. An array of nulls takes no bytes for its items. */
const MAX_VALUES = 1_000_000;
/** Bytes of a varint that a double keeps exactly: 49 bits. */
const EXACT_BYTES = 7;
const MORE = 0x80;
const BITS = 0x7f;

export class AvroInput {
  readonly bytes: Buffer;
  at = 0;
  /** True if values of unions are written with the name of their branch. */
  readonly isTagged: boolean;
  #valuesLeft = MAX_VALUES;
  #depthLeft: number;

  constructor(bytes: Buffer, isTagged: boolean, maxDepth: number) {
    this.bytes = bytes;
    this.isTagged = isTagged;
    this.#depthLeft = maxDepth;
  }

  fail(reason: string): Undecodable {
    return new Undecodable(`avro: ${reason} at byte ${this.at} of the payload`);
  }

  /** Counts the values that follow, before they are read. */
  spend(values: number): void {
    this.#valuesLeft -= values;
    if (this.#valuesLeft < 0) throw this.fail(`more than ${MAX_VALUES} values`);
  }

  enter(): void {
    if (--this.#depthLeft < 0) throw this.fail("nested too deeply");
  }

  leave(): void {
    this.#depthLeft++;
  }

  /** Passes `count` bytes, and returns the offset of the first. */
  take(count: number): number {
    const first = this.at;
    if (count > this.bytes.length - first) throw this.fail("the payload ends too early");
    this.at = first + count;
    return first;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw this.fail("the payload ends too early");
    this.at++;
    return byte;
  }

  long(): number | bigint {
    let zigzag = 0;
    let factor = 1;
    for (let i = 0; i < EXACT_BYTES; i++) {
      const byte = this.byte();
      zigzag += (byte & BITS) * factor;
      if (byte < MORE) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
      factor *= 128;
    }
    return this.#long64(zigzag);
  }

  /** Reads the bytes after the first seven. The tenth byte has the last bit. */
  #long64(low: number): bigint {
    let zigzag = BigInt(low);
    for (let shift = 49n; shift <= 63n; shift += 7n) {
      const byte = this.byte();
      if (shift === 63n && byte > 1) throw this.fail("an integer of more than 64 bits");
      zigzag |= BigInt(byte & BITS) << shift;
      if (byte < MORE) break;
    }
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  }

  int(): number {
    const value = this.long();
    if (typeof value === "bigint" || (value | 0) !== value) throw this.fail("an int of more than 32 bits");
    return value;
  }

  /** The length of a string or of bytes that follow. */
  length(): number {
    const length = Number(this.long());
    if (length < 0) throw this.fail("a negative length");
    return length;
  }

  /** The number of items of a block. Behind a negative number stands the block's size in bytes, which is passed. */
  blockCount(): number {
    const count = Number(this.long());
    if (count < 0) this.length();
    this.spend(Math.abs(count));
    return Math.abs(count);
  }
}
