/**
 * Avro: compiles a schema to a writer (JSON to binary) and a reader (binary to JSON). Both are own code; docs/decisions/0005
 * says why the library avsc is not used.
 */
import {
  type CompiledSchema,
  type CompileSchema,
  type FormatLimits,
  type JsonForm,
  SchemaUnusable,
  Undecodable,
} from "../format.ts";
import { FRAME_BYTES } from "../frame.ts";
import { parseJson } from "../json.ts";
import { needsDigits, parseWithDigits } from "../digits.ts";
import { compileDirect, writeDirect } from "./direct/direct.ts";
import type { Direct } from "./direct/input.ts";
import { AvroInput } from "./input.ts";
import { JsonOutput } from "./json-output.ts";
import { refusalAt } from "../refusal.ts";
import { AvroOutput } from "./output.ts";
import { parseSchema } from "./parse.ts";
import { compileReader, type Read } from "./reader.ts";
import { nameOf } from "./types.ts";
import type { Write } from "./write.ts";
import { compileWriter } from "./writer.ts";

/** The JSON of a payload may have this many times the payload's maximum size. */
const JSON_FACTOR = 8;

export const compileAvro: CompileSchema = (source, limits): CompiledSchema => {
  const { unknownFields } = limits;
  const { name, writers, read } = guarded(
    () => {
      const type = parseSchema(source);
      const { write, fieldsOf } = compileWriter(type, unknownFields);
      const direct = compileDirect(type, { unknownFields, fieldsOf });
      return { name: nameOf(type), writers: { write, direct }, read: compileReader(type) };
    },
    () => new SchemaUnusable("avro: the schema is nested too deeply"),
  );
  return {
    type: "AVRO",
    name,
    encode: (json, id) =>
      guarded(
        () => encode(writers, json, id, limits),
        () => refusalAt("avro", [], "the event is nested too deeply"),
      ),
    decode: (payload, form) =>
      guarded(
        () => decode(read, payload, form, limits),
        () => new Undecodable("avro: the payload is nested too deeply"),
      ),
  };
};

/** Throws the given error instead of a stack overflow. The limits of depth come first, unless they are set very high. */
const guarded = <T>(run: () => T, tooDeep: () => Error): T => {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError && error.message.includes("call stack")) throw tooDeep();
    throw error;
  }
};

/** One output for all events, because their encoding never overlaps. */
const output = new AvroOutput();

interface Writers {
  /** Writes any parsed event, or refuses it. */
  readonly write: Write;
  /** Writes a plain event from its bytes, in a fifth of the time. */
  readonly direct: Direct;
}

const encode = ({ write, direct }: Writers, json: Buffer, id: number, limits: FormatLimits): Buffer => {
  output.begin(FRAME_BYTES, limits.maxBytes);
  const isWritten = isFew(json, limits) && writeDirect(direct, json, output, limits.maxDepth);
  if (!isWritten || !isSmall(limits)) writeParsed(write, json, limits);
  output.bytes[0] = 0;
  output.bytes.writeUInt32BE(id, 1);
  const framed = Buffer.allocUnsafe(output.at);
  output.bytes.copy(framed, 0, 0, output.at);
  return framed;
};

/** The largest event whose values and members need not be counted, if the limits are higher. */
const LARGEST_DIRECT = 100_000;

/** Are the values and members few enough, because each one takes at least one byte? */
const isFew = (
  { length }: Buffer,
  { maxValues = LARGEST_DIRECT, maxMembers = LARGEST_DIRECT }: FormatLimits,
): boolean => length <= LARGEST_DIRECT && length <= maxValues && length <= maxMembers;

const isSmall = ({ maxBytes }: FormatLimits): boolean => output.at <= FRAME_BYTES + maxBytes;

/** Throws the refusal of the event. */
const writeParsed = (write: Write, json: Buffer, limits: FormatLimits): void => {
  const parsed = parseJson(json, limits);
  const value = needsDigits(json) ? parseWithDigits(json.toString()) : parsed;
  output.begin(FRAME_BYTES, limits.maxBytes);
  if (!write(value, output)) throw output.refusal();
  if (!isSmall(limits)) throw output.tooLarge();
};

const json = new JsonOutput();

const decode = (read: Read, payload: Buffer, form: JsonForm, limits: FormatLimits): Buffer => {
  const input = new AvroInput(payload, form === "avro-json", limits.maxDepth);
  if (payload.length > limits.maxBytes) throw input.fail(`more than ${limits.maxBytes} bytes`);
  json.begin(JSON_FACTOR * limits.maxBytes);
  read(input, json);
  if (input.at !== payload.length) throw input.fail("bytes are left over");
  return json.text();
};
