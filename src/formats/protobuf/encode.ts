/** Writes a message in its binary form. Fields are in the order of their numbers. */
import type { ElementValue, FieldValue, Message } from "./message.ts";
import type { ScalarValue } from "./scalars.ts";
import type { ElementType, FieldType } from "./model.ts";
import { END_GROUP, LENGTH, START_GROUP, VARINT, type WireOutput } from "./wire.ts";

export const writeMessage = (message: Message, out: WireOutput): void => {
  for (const [field, value] of message.present()) writeField(field, value, out);
};

const writeField = (field: FieldType, value: FieldValue, out: WireOutput): void => {
  const { number, element, key } = field;
  if (value instanceof Map && key !== undefined) {
    for (const [name, entry] of value) {
      out.tag(number, LENGTH);
      out.withLength(() => {
        out.tag(1, key.wireType);
        key.write(name, out);
        writeElement(2, element, entry, out);
      });
    }
  } else if (!Array.isArray(value)) {
    writeElement(number, element, value as ElementValue, out);
  } else if (field.packed) {
    out.tag(number, LENGTH);
    out.withLength(() => {
      for (const item of value) writeScalar(element, item as ScalarValue, out);
    });
  } else {
    for (const item of value) writeElement(number, element, item, out);
  }
};

/** The wire type of one value of this type. */
export const wireTypeOf = (element: ElementType): number => {
  if (element.kind === "scalar") return element.scalar.wireType;
  if (element.kind === "enum") return VARINT;
  return element.delimited ? START_GROUP : LENGTH;
};

const writeElement = (number: number, element: ElementType, value: ElementValue, out: WireOutput): void => {
  out.tag(number, wireTypeOf(element));
  if (element.kind !== "message") {
    writeScalar(element, value as ScalarValue, out);
  } else if (element.delimited) {
    writeMessage(value as Message, out);
    out.tag(number, END_GROUP);
  } else {
    out.withLength(() => {
      writeMessage(value as Message, out);
    });
  }
};

const writeScalar = (element: ElementType, value: ScalarValue, out: WireOutput): void => {
  if (element.kind === "scalar") element.scalar.write(value, out);
  else if ((value as number) < 0) out.varint64(BigInt(value as number));
  else out.varint(value as number);
};
