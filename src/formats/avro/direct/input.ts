/** The bytes of a JSON event while they are written as Avro without objects between. */
import {
  type CLOSE_BRACE,
  type CLOSE_BRACKET,
  COMMA,
  type OPEN_BRACE,
  type OPEN_BRACKET,
  QUOTE,
} from "../../../lib/json-scan.ts";
import type { AvroOutput } from "../output.ts";

/**
 * Writes the value at `input.at`, behind white space, and moves `input.at` behind it. false: the value is not plain, and what
 * was written is worthless. The writer of parsed values then writes the event or refuses it.
 */
export type Direct = (input: JsonInput, output: AvroOutput) => boolean;

const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const COLON = 0x3a;

const NOTHING = Buffer.alloc(0);
/** Deeper events are not plain, because each level takes a few frames of the stack. */
const MAX_DEPTH = 500;
/** Bytes that may be passed again because members are in another order, as a multiple of the event. */
const AGAIN = 4;

export class JsonInput {
  bytes: Buffer = NOTHING;
  at = 0;
  /** Has something been passed whose UTF-8 is not checked? */
  isUnchecked = false;
  #depthLeft = 0;
  #againLeft = 0;

  begin(bytes: Buffer, maxDepth: number): void {
    this.bytes = bytes;
    this.at = 0;
    this.isUnchecked = false;
    this.#depthLeft = Math.min(maxDepth, MAX_DEPTH);
    this.#againLeft = AGAIN * bytes.length;
  }

  /** Frees the event. */
  end(): void {
    this.bytes = NOTHING;
  }

  /** Passes white space. Returns the next byte; 0: the text ends, or the byte can't begin a token. */
  next(): number {
    const { bytes } = this;
    let { at } = this;
    while (at < bytes.length) {
      const byte = bytes[at] ?? 0;
      if (byte > SPACE) {
        this.at = at;
        return byte;
      }
      if (byte !== SPACE && byte !== LINE_FEED && byte !== RETURN && byte !== TAB) break;
      at++;
    }
    this.at = at;
    return 0;
  }

  /** Passes the bracket or brace that opens a container. */
  open(bracket: typeof OPEN_BRACE | typeof OPEN_BRACKET): boolean {
    if (this.next() !== bracket) return false;
    this.at++;
    return this.enter();
  }

  /** One level deeper. false: too deep. */
  enter(): boolean {
    return --this.#depthLeft >= 0;
  }

  /** Passes the bracket or brace that closes an empty container. */
  isEmpty(bracket: typeof CLOSE_BRACE | typeof CLOSE_BRACKET): boolean {
    if (this.next() !== bracket) return false;
    this.#depthLeft++;
    this.at++;
    return true;
  }

  /** Passes what follows a value in a container. 1: a comma, another value follows. 0: the end. -1: neither. */
  more(bracket: typeof CLOSE_BRACE | typeof CLOSE_BRACKET): 1 | 0 | -1 {
    const byte = this.next();
    this.at++;
    if (byte === COMMA) return 1;
    if (byte !== bracket) return -1;
    this.#depthLeft++;
    return 0;
  }

  /** Passes this text of ASCII characters. */
  passes(text: string): boolean {
    const { bytes, at } = this;
    const { length } = text;
    if (at + length > bytes.length) return false;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
    this.at = at + length;
    return true;
  }

  /**
   * Passes a string that is this name, written without escapes. Names of Avro have no character that JSON must escape. A name
   * that has letters beyond ASCII is never passed.
   */
  passesName(name: string): boolean {
    const { at } = this;
    if (this.bytes[at] !== QUOTE) return false;
    this.at = at + 1;
    if (this.passes(name) && this.bytes[this.at] === QUOTE) {
      this.at++;
      return true;
    }
    this.at = at;
    return false;
  }

  colon(): boolean {
    if (this.next() !== COLON) return false;
    this.at++;
    return true;
  }

  /** Goes on at `end`, and will read the passed bytes later. false: too many bytes would be read again. */
  passAgain(end: number): boolean {
    this.#againLeft -= end - this.at;
    this.at = end;
    return this.#againLeft >= 0;
  }

  /** Levels of containers that may still be opened. */
  get depthLeft(): number {
    return this.#depthLeft;
  }
}
