/**
 * Numbers of a JSON text with all their digits. A double keeps every number of at most 15 digits (DBL_DIG of C), so
 * `JSON.parse` is exact for most texts. The exceptions are longer numbers, and numbers that are so small that a double
 * is 0.
 */
/** A number of a JSON text that a double may change. */
export class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The first length at which a number may have more digits than a double keeps. The decimal point counts too. */
const RUN = 16;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const SMALL_E = 0x65;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;

const isDigitOrPoint = (byte: number | undefined): boolean => isDigit(byte) || byte === POINT;

const isE = (byte: number | undefined): boolean => byte !== undefined && (byte | 0x20) === SMALL_E;

/**
 * True if a double may change a number of the text. Looks at every 16th byte, because a run of 16 digits contains one of these
 * bytes.
 */
export const needsDigits = (body: Buffer): boolean => {
  let at = RUN - 1;
  while (at < body.length) {
    if (isDigitOrPoint(body[at])) {
      const end = endOfRun(body, at);
      if (isLongRun(body, at, end)) return true;
      at = end;
    }
    at += RUN;
  }
  return hasTiny(body);
};

const endOfRun = (body: Buffer, at: number): number => {
  let end = at + 1;
  while (isDigitOrPoint(body[end])) end++;
  return end;
};

/** 16 digits below 9 * 10^15 are an integer that a double keeps, such as the microseconds of a time. */
const isLongRun = (body: Buffer, at: number, end: number): boolean => {
  let first = at;
  while (isDigitOrPoint(body[first - 1])) first--;
  if (end - first !== RUN) return end - first > RUN;
  return body[first] === NINE || isE(body[end]) || body.subarray(first, end).includes(POINT);
};

/** True if the text has an exponent below -99. An identifier may look like such an exponent, which costs time only. */
const hasTiny = (body: Buffer): boolean => {
  for (let at = body.indexOf(MINUS); at >= 0; at = body.indexOf(MINUS, at + 1)) {
    const isTiny =
      isE(body[at - 1]) && isDigit(body[at + 1]) && isDigit(body[at + 2]) && isDigit(body[at + 3]);
    if (isTiny && isDigitOrPoint(body[at - 2])) return true;
  }
  return false;
};

/** Parses a text that is known to be JSON. Numbers that a double may change become Digits. */
export const parseWithDigits = (text: string): unknown => new ExactParser(text).value();

const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const TINY = /e-\d{3}/i;

class ExactParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    const first = this.#peek();
    if (first === OPEN_BRACE) return this.#object();
    if (first === OPEN_BRACKET) return this.#array();
    return first === QUOTE ? this.#string() : this.#literal(first);
  }

  /** The next character after white space. */
  #peek(): number {
    while (this.#text.charCodeAt(this.#at) <= SPACE) this.#at++;
    return this.#text.charCodeAt(this.#at);
  }

  #next(): number {
    const character = this.#peek();
    this.#at++;
    return character;
  }

  #object(): unknown {
    const object: Record<string, unknown> = {};
    this.#at++;
    if (this.#peek() === CLOSE_BRACE) this.#at++;
    else {
      do {
        this.#peek();
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

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    this.#at = end + 1;
    const inner = this.#text.slice(start + 1, end);
    return inner.includes("\\") ? (JSON.parse(this.#text.slice(start, end + 1)) as string) : inner;
  }

  /** True if the number of backslashes in front of the quote is odd. */
  #isEscaped(quote: number): boolean {
    let first = quote;
    while (this.#text.charCodeAt(first - 1) === BACKSLASH) first--;
    return (quote - first) % 2 === 1;
  }

  #literal(first: number): unknown {
    const start = this.#at;
    while (isOfLiteral(this.#text.charCodeAt(this.#at))) this.#at++;
    const text = this.#text.slice(start, this.#at);
    if (first !== MINUS && !isDigit(first)) return JSON.parse(text) as unknown;
    return text.length >= RUN || TINY.test(text) ? new Digits(text) : Number(text);
  }
}

const BACKSLASH = 0x5c;

/** True for letters, digits, point, plus and minus. False for NaN, which stands for the end of the text. */
const isOfLiteral = (character: number): boolean =>
  character >= PLUS && character !== COMMA && character !== CLOSE_BRACKET && character !== CLOSE_BRACE;

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
