/** The place in an event's JSON while it is read, and the texts of refusals. */
import { DataRefused } from "../format.ts";
import { Digits } from "../avro/digits.ts";

/** Maximum length of the pointer, and of a value, in an error text. */
const LONGEST_POINTER = 1_000;
const LONGEST_VALUE = 100;

export class JsonInput {
  readonly #path: (string | number)[] = [];
  /** Members of all objects so far. */
  members = 0;

  /** Steps into an item, or to the member that a refusal names. Steps are not taken back after a refusal, because the event is refused. */
  enter(step: string | number): void {
    this.#path.push(step);
  }

  /** Steps into a member of an object. */
  enterMember(name: string): void {
    this.members++;
    this.#path.push(name);
  }

  leave(): void {
    this.#path.pop();
  }

  refuse(reason: string): DataRefused {
    const pointer = this.#path
      .map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`)
      .join("");
    return new DataRefused(`protobuf: '${oneLine(pointer, LONGEST_POINTER)}': ${reason}`);
  }

  /** The value has another JSON type. */
  mismatch(expected: string, value: unknown): DataRefused {
    return this.refuse(`expected ${expected}, but got ${jsonTypeOf(value)}`);
  }

  /** The value has the right JSON type, but is no value of `expected`. */
  unfit(expected: string, value: string): DataRefused {
    return this.refuse(`expected ${expected}, but got ${oneLine(JSON.stringify(value), LONGEST_VALUE)}`);
  }
}

export const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof Digits);

const jsonTypeOf = (value: unknown): string => {
  if (value === null) return "null";
  if (value instanceof Digits) return "number";
  return Array.isArray(value) ? "array" : typeof value;
};

/** Control characters would break the line of a log or of an answer. */
const oneLine = (text: string, longest: number): string => {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return shown.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]/g, (character) =>
    JSON.stringify(character).slice(1, -1),
  );
};
