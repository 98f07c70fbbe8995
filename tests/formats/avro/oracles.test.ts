import fc from "fast-check";
import { askOracle, describeWithOracles } from "../../support/oracles/oracles.ts";
import { cases, type Schema } from "./arbitrary.ts";
import { avro } from "./compile.ts";

interface Answer {
  readonly magic: number;
  readonly id: number;
  readonly written: string;
  readonly read: string;
  readonly confluent: string;
  readonly decoded: string;
}

/** Many values in one call, because a start of Python takes a second. */
const COUNT = 2_000;

/** What Python does not keep apart: it chooses the branch of a union by the value. */
const ALIKE = [
  ["int", "long", "float", "double"],
  ["string", "enum"],
  ["bytes", "fixed", "array"],
  ["map", "record"],
];

const kindOf = (schema: Schema): string =>
  typeof schema === "string" ? schema : (schema as { readonly type: string }).type;

const isClear = (schema: Schema): boolean => {
  if (typeof schema === "string") return true;
  if (Array.isArray(schema)) {
    const kinds = (schema as readonly Schema[]).map(kindOf);
    const isMixed = ALIKE.some((alike) => kinds.filter((kind) => alike.includes(kind)).length > 1);
    return !isMixed && (schema as readonly Schema[]).every(isClear);
  }
  const { items, values, fields } = schema as Readonly<Record<string, Schema>>;
  const types = ((fields ?? []) as readonly { readonly type: Schema }[]).map(({ type }) => type);
  return [items ?? "null", values ?? "null", ...types].every(isClear);
};

/**
 * Python's JSON has no strings for numbers that are not finite. Confluent's client makes a tombstone of null, and leaves the
 * length out where the whole value is bytes.
 */
const clear = cases.filter(
  ({ schema, json }) =>
    isClear(schema) && json !== "null" && schema !== "bytes" && !/"(NaN|-?Infinity)"/.test(json),
);

describeWithOracles("fastavro and Confluent's client", () => {
  it("write the bytes that the gateway writes, and read them", async () => {
    const given = fc.sample(clear, { numRuns: COUNT, seed: 27 }).map(({ schema, json }, i) => {
      const framed = avro(schema).encode(Buffer.from(json), i + 1);
      return { schema: JSON.stringify(schema), json, framed: framed.toString("hex") };
    });
    const answers = (await askOracle("avro_oracle.py", given)) as readonly Answer[];
    const payloads = given.map(({ framed }) => framed.slice(10));
    const expected = payloads.map((payload, i): Answer => {
      return { magic: 0, id: i + 1, written: payload, read: payload, confluent: payload, decoded: payload };
    });
    expect(answers).toEqual(expected);
  }, 300_000);
});
