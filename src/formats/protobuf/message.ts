/** The value of a message, between its JSON and its binary form. */
import type { FieldType, MessageType } from "./model.ts";
import type { ScalarValue } from "./scalars.ts";

export type ElementValue = ScalarValue | Message;
export type FieldValue = ElementValue | ElementValue[] | Map<ScalarValue, ElementValue>;

export class Message {
  readonly type: MessageType;
  readonly #values = new Map<FieldType, FieldValue>();
  /** The field of each oneof that has a value. */
  #chosen: Map<object, FieldType> | undefined;

  constructor(type: MessageType, values: Readonly<Record<number, FieldValue>> = {}) {
    this.type = type;
    for (const [number, value] of Object.entries(values)) {
      const field = type.byNumber.get(Number(number));
      if (field !== undefined) this.set(field, value);
    }
  }

  get(field: FieldType): FieldValue | undefined {
    return this.#values.get(field);
  }

  /** The value of a field, by its number. */
  at(number: number): FieldValue | undefined {
    const field = this.type.byNumber.get(number);
    return field === undefined ? undefined : this.#values.get(field);
  }

  /** Replaces the value. The last field of a oneof counts. */
  set(field: FieldType, value: FieldValue): void {
    const other = this.chosen(field);
    if (other !== undefined && other !== field) this.#values.delete(other);
    if (field.oneof !== undefined) (this.#chosen ??= new Map<object, FieldType>()).set(field.oneof, field);
    this.#values.set(field, value);
  }

  /** The field of the same oneof that has a value. */
  chosen({ oneof }: FieldType): FieldType | undefined {
    return oneof === undefined ? undefined : this.#chosen?.get(oneof);
  }

  /** The fields that are present, in the order of their numbers. The work does not depend on the number of fields declared. */
  present(): readonly (readonly [FieldType, FieldValue])[] {
    return [...this.#values]
      .filter(([field, value]) => field.hasPresence || !isDefault(value))
      .sort(([a], [b]) => a.number - b.number);
  }

  /** The name of a required field that is absent. */
  missing(): string | undefined {
    return this.type.required.find((field) => !this.#values.has(field))?.name;
  }
}

/** True if the value is the default of its type. -0 is not a default. */
const isDefault = (value: FieldValue): boolean => {
  if (Buffer.isBuffer(value) || Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  return value === false || value === "" || value === 0n || Object.is(value, 0);
};
