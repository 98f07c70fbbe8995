/** Records of a JSON text. */
import { createJsonChecker } from "../../../lib/json-check.ts";
import { CLOSE_BRACE, endOfValue, OPEN_BRACE, QUOTE } from "../../../lib/json-scan.ts";
import type { AvroOutput } from "../output.ts";
import type { Direct, JsonInput } from "./input.ts";
import { rawText } from "./text.ts";

export interface DirectField {
  readonly name: string;
  readonly write: Direct;
  /** The encoded default; undefined: the field has none. */
  readonly fallback: () => Buffer | undefined;
}

interface Fields {
  readonly list: readonly DirectField[];
  readonly indexes: ReadonlyMap<string, number>;
  /** The index of the field whose member followed the member of each field in the last event with this order. */
  readonly following: number[];
  readonly unknown: "refuse" | "drop";
}

/** `list` may be filled after the call, because a field may have the type of its own record. */
export const directRecord = (list: readonly DirectField[], unknown: "refuse" | "drop"): Direct => {
  /** Most schemas never need it. */
  let fields: Fields | undefined;
  return (input, output) => {
    if (!input.open(OPEN_BRACE)) return false;
    if (input.isEmpty(CLOSE_BRACE)) return writeFallbacks(list, 0, output);
    let written = 0;
    for (;;) {
      const field = list[written];
      input.next();
      if (field === undefined || !input.passesName(field.name))
        return inOtherOrder((fields ??= fieldsOf(list, unknown)), written, input, output);
      if (!input.colon() || !field.write(input, output)) return false;
      written++;
      const more = input.more(CLOSE_BRACE);
      if (more === 0) return writeFallbacks(list, written, output);
      if (more < 0) return false;
    }
  };
};

const fieldsOf = (list: readonly DirectField[], unknown: "refuse" | "drop"): Fields => ({
  list,
  indexes: new Map(list.map(({ name }, index) => [name, index])),
  following: [],
  unknown,
});

/** Writes the defaults of the fields from `first` on. false: one has no default. */
const writeFallbacks = (list: readonly DirectField[], first: number, output: AvroOutput): boolean => {
  for (let i = first; i < list.length; i++) if (!writeFallback(list[i], output)) return false;
  return true;
};

const writeFallback = (field: DirectField | undefined, output: AvroOutput): boolean => {
  const encoded = field?.fallback();
  if (encoded === undefined) return false;
  output.raw(encoded);
  return true;
};

const ABSENT = -1;

/** Finds the other members first, and then writes them in the order of the fields. The first `written` fields are written. */
const inOtherOrder = (fields: Fields, written: number, input: JsonInput, output: AvroOutput): boolean => {
  const { list } = fields;
  const starts = new Array<number>(list.length).fill(ABSENT);
  const ends = new Array<number>(list.length).fill(ABSENT);
  if (!findMembers(fields, written, input, { starts, ends })) return false;
  const { at: end } = input;
  for (let i = written; i < list.length; i++) {
    const field = list[i];
    const start = starts[i] ?? ABSENT;
    if (start === ABSENT) {
      if (!writeFallback(field, output)) return false;
    } else {
      input.at = start;
      if (field?.write(input, output) !== true || input.at !== ends[i]) return false;
    }
  }
  input.at = end;
  return true;
};

interface Places {
  readonly starts: number[];
  readonly ends: number[];
}

/** Passes the rest of the record. false: a member occurs twice, or is unknown. */
const findMembers = (
  fields: Fields,
  written: number,
  input: JsonInput,
  { starts, ends }: Places,
): boolean => {
  let before = written - 1;
  let more: 1 | 0 | -1;
  do {
    const index = passName(fields, before, input);
    if (index === undefined || !input.colon()) return false;
    input.next();
    if (index === UNKNOWN) {
      if (fields.unknown === "refuse" || !passUnknown(input)) return false;
    } else {
      if (index < written || starts[index] !== ABSENT) return false;
      starts[index] = input.at;
      if (!input.passAgain(endOfValue(input.bytes, input.at))) return false;
      ends[index] = input.at;
      before = index;
    }
    more = input.more(CLOSE_BRACE);
  } while (more > 0);
  return more === 0;
};

const UNKNOWN = -1;

/** Passes the name of a member. Returns the index of its field, or UNKNOWN; undefined: the name has escapes. */
const passName = ({ list, indexes, following }: Fields, before: number, input: JsonInput) => {
  if (input.next() !== QUOTE) return undefined;
  const likely = following[before + 1];
  const expected = likely === undefined ? undefined : list[likely]?.name;
  if (expected !== undefined && input.passesName(expected)) return likely;
  const name = rawText(input);
  if (name === undefined) return undefined;
  const index = indexes.get(name) ?? UNKNOWN;
  if (index !== UNKNOWN) following[before + 1] = index;
  return index;
};

const checker = createJsonChecker();

/** Passes and checks a value that is not written. */
const passUnknown = (input: JsonInput): boolean => {
  const { bytes, at } = input;
  const end = endOfValue(bytes, at);
  checker.reset();
  const checked = checker.read(bytes.subarray(0, end), at);
  checker.end();
  if (checker.state !== "complete" || checked !== end || checker.deepest > input.depthLeft) return false;
  input.at = end;
  input.isUnchecked = true;
  return true;
};
