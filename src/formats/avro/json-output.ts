/** JSON text in UTF-8 while it is written. */
import { isUtf8 } from "node:buffer";
import { Undecodable } from "../format.ts";

const INITIAL = 4 * 1024;
/** Maximum bytes that stay allocated between two texts. */
const KEPT = 1024 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const LAST_ASCII = 0x7f;

export class JsonOutput {
  #bytes = Buffer.allocUnsafeSlow(INITIAL);
  #at = 0;
  #limit = 0;

  /** Begins a text. More than `limit` bytes throw Undecodable. */
  begin(limit: number): void {
    if (this.#bytes.length > KEPT) this.#bytes = Buffer.allocUnsafeSlow(INITIAL);
    this.#at = 0;
    this.#limit = limit;
  }

  /** A copy of the text. */
  text(): Buffer {
    if (this.#at > this.#limit) throw this.#tooLarge();
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    if (needed > this.#limit) throw this.#tooLarge();
    const bytes = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, needed));
    this.#bytes.copy(bytes, 0, 0, this.#at);
    this.#bytes = bytes;
  }

  #tooLarge(): Undecodable {
    return new Undecodable(`avro: the JSON has more than ${this.#limit} bytes`);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  /** Text in ASCII, such as a number. */
  ascii(text: string): void {
    const { length } = text;
    this.#reserve(length);
    for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = text.charCodeAt(i);
    this.#at += length;
  }

  raw(json: Buffer): void {
    const { length } = json;
    this.#reserve(length);
    const at = this.#at;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = json[i] ?? 0;
    this.#at = at + length;
  }

  /** A string whose UTF-8 is at `first`. false: it is not UTF-8. */
  utf8(bytes: Buffer, first: number, end: number): boolean {
    if (this.#plain(bytes, first, end)) return true;
    const text = bytes.subarray(first, end);
    if (!isUtf8(text)) return false;
    this.#any(JSON.stringify(text.toString()));
    return true;
  }

  /** A string whose characters are the bytes. */
  latin1(bytes: Buffer, first: number, end: number): void {
    if (!this.#plain(bytes, first, end)) this.#any(JSON.stringify(bytes.toString("latin1", first, end)));
  }

  /** Copies a string of ASCII that needs no escape. */
  #plain(bytes: Buffer, first: number, end: number): boolean {
    this.#reserve(end - first + 2);
    const target = this.#bytes;
    let at = this.#at;
    target[at++] = QUOTE;
    for (let i = first; i < end; i++) {
      const byte = bytes[i] ?? 0;
      if (byte < SPACE || byte > LAST_ASCII || byte === QUOTE || byte === BACKSLASH) return false;
      target[at++] = byte;
    }
    target[at++] = QUOTE;
    this.#at = at;
    return true;
  }

  #any(text: string): void {
    this.#reserve(Buffer.byteLength(text));
    this.#at += this.#bytes.write(text, this.#at);
  }
}
