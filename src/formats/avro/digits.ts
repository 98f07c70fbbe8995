/**
 * Numbers of a JSON text with all their digits. A double keeps every number of at most 15 digits (DBL_DIG of C), so
 * `JSON.parse` is exact for most texts. The exceptions are longer numbers, and numbers that are so small that a double
 * is 0.
 */
import { skipSpace } from "../../lib/json-scan.ts";

/** A number of a JSON text that a double may change. */
export class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The first length at which a number may have more digits than a double keeps. The decimal point counts too. */
const RUN = 16;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

const isDigitOrPoint = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= ZERO && byte <= NINE) || byte === POINT);

/** An exponent below -99. Digits and letters of an identifier match too, which costs time only. */
const TINY = /\de-\d{3}/i;

/** May a double change a number of the text? Looks at every 16th byte, because no run of 16 digits avoids all of them. */
export const needsDigits = (body: Buffer): boolean => {
  for (let at = RUN - 1; at < body.length; at += RUN) {
    if (isDigitOrPoint(body[at]) && runAround(body, at) >= RUN) return true;
  }
  return (body.includes("e-") || body.includes("E-")) && TINY.test(body.toString("latin1"));
};

const runAround = (body: Buffer, at: number): number => {
  let first = at;
  let end = at + 1;
  while (end - first < RUN && isDigitOrPoint(body[first - 1])) first--;
  while (end - first < RUN && isDigitOrPoint(body[end])) end++;
  return end - first;
};

/** Parses a text that is known to be JSON. Numbers that a double may change become Digits. */
export const parseWithDigits = (body: Buffer): unknown => new ExactParser(body).value();

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;

class ExactParser {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  value(): unknown {
    this.#at = skipSpace(this.#body, this.#at);
    const first = this.#body[this.#at];
    if (first === OPEN_BRACE) return this.#object();
    if (first === OPEN_BRACKET) return this.#array();
    return first === QUOTE ? this.#string() : this.#literal();
  }

  /** The byte behind white space, which is passed. */
  #next(): number | undefined {
    this.#at = skipSpace(this.#body, this.#at);
    return this.#body[this.#at++];
  }

  #object(): unknown {
    const object: Record<string, unknown> = {};
    this.#at++;
    if (this.#peek() === CLOSE_BRACE) this.#at++;
    else {
      do {
        this.#at = skipSpace(this.#body, this.#at);
        const name = this.#string();
        this.#next();
        setOwn(object, name, this.value());
      } while (this.#next() === COMMA);
    }
    return object;
  }

  #array(): unknown {
    const array: unknown[] = [];
    this.#at++;
    if (this.#peek() === CLOSE_BRACKET) this.#at++;
    else {
      do array.push(this.value());
      while (this.#next() === COMMA);
    }
    return array;
  }

  #peek(): number | undefined {
    this.#at = skipSpace(this.#body, this.#at);
    return this.#body[this.#at];
  }

  #string(): string {
    const first = this.#at + 1;
    let end = first;
    let escaped = false;
    while (this.#body[end] !== QUOTE) {
      if (this.#body[end] === BACKSLASH) {
        escaped = true;
        end++;
      }
      end++;
    }
    this.#at = end + 1;
    if (!escaped) return this.#body.toString("utf8", first, end);
    return JSON.parse(this.#body.toString("utf8", first - 1, end + 1)) as string;
  }

  #literal(): unknown {
    const first = this.#at;
    while (isLiteral(this.#body[this.#at])) this.#at++;
    const text = this.#body.toString("latin1", first, this.#at);
    const isNumber = text.startsWith("-") || isDigitOrPoint(this.#body[first]);
    if (isNumber && (text.length >= RUN || TINY.test(text))) return new Digits(text);
    return JSON.parse(text) as unknown;
  }
}

/** Letters, digits, point, plus and minus. */
const isLiteral = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= PLUS && byte !== COMMA && byte !== CLOSE_BRACKET && byte !== CLOSE_BRACE;

/** An assignment to `__proto__` would set the prototype. */
const setOwn = (object: Record<string, unknown>, name: string, value: unknown): void => {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[name] = value;
  }
};

/** The exact value `digits * 10 ** exponent`. `digits` begins and ends with another digit than 0; 0 is "". */
export interface ExactNumber {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

/** Splits a JSON number. Uses no regular expression, because the number may have millions of digits. */
export const exactNumber = (text: string): ExactNumber => {
  const negative = text.startsWith("-");
  const mark = Math.max(text.indexOf("e"), text.indexOf("E"));
  const mantissa = text.slice(negative ? 1 : 0, mark < 0 ? text.length : mark);
  const point = mantissa.indexOf(".");
  const all = point < 0 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1);
  let first = 0;
  let end = all.length;
  while (end > 0 && all.charCodeAt(end - 1) === ZERO) end--;
  while (first < end && all.charCodeAt(first) === ZERO) first++;
  const behindPoint = point < 0 ? 0 : mantissa.length - point - 1;
  const exponent = (mark < 0 ? 0 : Number(text.slice(mark + 1))) - behindPoint + (all.length - end);
  return { negative, digits: all.slice(first, end), exponent };
};

/** The number without its exponent. The caller bounds the length of the result beforehand. */
export const integerOf = ({ negative, digits }: ExactNumber, zeros: number): bigint => {
  const size = digits === "" ? 0n : BigInt(digits + "0".repeat(zeros));
  return negative ? -size : size;
};
