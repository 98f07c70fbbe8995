/** The place in an event's JSON while it is read, and the texts of refusals. */
import type { DataRefused } from "../format.ts";
import { oneLine, refusalAt } from "../refusal.ts";
import { Digits } from "../digits.ts";

/** Maximum length of a value in an error text. */
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
    return refusalAt("protobuf", this.#path, reason);
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
