import fc, { type Arbitrary } from "fast-check";
import { compileDirect, writeDirect } from "../../../src/formats/avro/direct/direct.ts";
import { AvroOutput } from "../../../src/formats/avro/output.ts";
import { parseSchema } from "../../../src/formats/avro/parse.ts";
import { compileWriter } from "../../../src/formats/avro/writer.ts";
import { needsDigits, parseWithDigits } from "../../../src/formats/digits.ts";
import { parseJson } from "../../../src/formats/json.ts";
import { cases } from "./arbitrary.ts";
import { recordOf } from "./compile.ts";

const MAX_DEPTH = 100;
const MAX_BYTES = 1024 * 1024;

interface Both {
  /** The payload in hex; undefined: the event is not plain. */
  readonly direct: (json: string | Buffer) => string | undefined;
  /** The payload in hex; undefined: the event is refused. */
  readonly parsed: (json: string | Buffer) => string | undefined;
}

const both = (schema: unknown, unknownFields: "refuse" | "drop" = "refuse"): Both => {
  const type = parseSchema({ type: "AVRO", text: JSON.stringify(schema), references: [] });
  const { write, fieldsOf } = compileWriter(type, unknownFields);
  const direct = compileDirect(type, { unknownFields, fieldsOf });
  const output = new AvroOutput();
  const written = (): string => output.bytes.toString("hex", 0, output.at);
  return {
    direct: (json) => {
      output.begin(0, MAX_BYTES);
      return writeDirect(direct, Buffer.from(json), output, MAX_DEPTH) ? written() : undefined;
    },
    parsed: (json) => {
      const body = Buffer.from(json);
      try {
        const value = parseJson(body, { maxDepth: MAX_DEPTH });
        output.begin(0, MAX_BYTES);
        return write(needsDigits(body) ? parseWithDigits(body.toString()) : value, output)
          ? written()
          : undefined;
      } catch {
        return undefined;
      }
    },
  };
};

/** The event again with white space, other orders of members, bare unions, or an escape. */
const respelled = (
  json: string,
  how: { space: boolean; reverse: boolean; bare: boolean; escape: boolean },
): string => {
  const value = JSON.parse(json, (_, inner: unknown): unknown => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    const members = Object.entries(inner);
    const [only] = members;
    if (how.bare && members.length === 1 && only !== undefined) return only[1];
    return Object.fromEntries(how.reverse ? members.toReversed() : members);
  }) as unknown;
  const text = JSON.stringify(value, undefined, how.space ? "\t" : undefined);
  return how.escape ? text.replaceAll("a", "\\u0061") : text;
};

/** A change of a few bytes, which may make anything of the event. */
const edits: Arbitrary<readonly { at: number; remove: number; insert: string }[]> = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.integer({ min: 0, max: 3 }),
    insert: fc.oneof(
      fc.constantFrom(
        "",
        ",",
        ":",
        '"',
        "{",
        "}",
        "[",
        "]",
        "0",
        "-",
        ".5",
        "e3",
        "\\",
        "\\u0041",
        " ",
        "null",
        '"a":1,',
        "\u0001",
        "é",
      ),
      fc.string({ maxLength: 3 }),
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

const edited = (json: string, changes: readonly { at: number; remove: number; insert: string }[]): string =>
  changes.reduce((text, { at, remove, insert }) => {
    const start = Math.floor(at * text.length);
    return text.slice(0, start) + insert + text.slice(start + remove);
  }, json);

describe("writing plain events from their bytes", () => {
  it("writes most events of any schema, with the bytes that the writer of parsed values writes", () => {
    let all = 0;
    let plain = 0;
    fc.assert(
      fc.property(cases, ({ schema, json }) => {
        const { direct, parsed } = both(schema);
        const written = direct(json);
        all += 1;
        if (written !== undefined) plain += 1;
        expect(written ?? parsed(json)).toBe(parsed(json));
      }),
      { numRuns: 1000 },
    );
    expect(plain / all).toBeGreaterThan(0.8);
  });

  it("writes the same bytes for other spellings, or leaves the event to the other writer", () => {
    const spellings = fc.record({
      space: fc.boolean(),
      reverse: fc.boolean(),
      bare: fc.boolean(),
      escape: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, spellings, fc.constantFrom("refuse", "drop"), ({ schema, json }, how, unknown) => {
        const { direct, parsed } = both(schema, unknown);
        const text = respelled(json, how);
        expect(direct(text) ?? parsed(text)).toBe(parsed(text));
      }),
      { numRuns: 1000 },
    );
  });

  it("writes no event that the other writer refuses or writes in another way", () => {
    fc.assert(
      fc.property(cases, edits, fc.constantFrom("refuse", "drop"), ({ schema, json }, changes, unknown) => {
        const { direct, parsed } = both(schema, unknown);
        const text = edited(json, changes);
        expect(direct(text) ?? parsed(text)).toBe(parsed(text));
      }),
      { numRuns: 3000 },
    );
  });

  it("writes any number as the other writer does", () => {
    const digits = fc.string({
      unit: fc.integer({ min: 0, max: 9 }).map(String),
      minLength: 1,
      maxLength: 20,
    });
    const numbers = fc
      .tuple(
        fc.constantFrom("", "-"),
        digits,
        fc.option(digits),
        fc.constantFrom("", "e5", "E-7", "e+300", "e-400"),
      )
      .map(
        ([sign, whole, fraction, exponent]) =>
          `${sign}${whole}${fraction === null ? "" : `.${fraction}`}${exponent}`,
      );
    const decimal = { type: "bytes", logicalType: "decimal", precision: 12, scale: 3 };
    const schemas = ["int", "long", "float", "double", decimal].map((type) => both(type));
    fc.assert(
      fc.property(numbers, (text) => {
        for (const { direct, parsed } of schemas) {
          expect(direct(text) ?? parsed(text)).toBe(parsed(text));
        }
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    "9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775807",
    "9007199254740991",
    "1000000000000000",
    "-4294967296000000000",
    "-1000000000000000",
    "4611686018427387904",
    "281474976710656000",
  ])("writes the integer %s directly", (text) => {
    const { direct, parsed } = both("long");
    expect(direct(text)).toBe(parsed(text));
    expect(direct(text)).toBeDefined();
  });

  it.each(["9223372036854775808", "-9223372036854775809", "9999999999999999999", "01", "1.0", "1e3", "-"])(
    "leaves %s as a long to the other writer",
    (text) => {
      expect(both("long").direct(text)).toBeUndefined();
    },
  );

  it("writes members in any order, and defaults", () => {
    const schema = {
      type: "record",
      name: "R",
      fields: [
        { name: "a", type: "int" },
        { name: "b", type: "string", default: "x" },
        { name: "c", type: "int" },
      ],
    };
    const { direct, parsed } = both(schema);
    for (const json of [
      '{"c":3,"a":1}',
      '{"c":3,"a":1,"b":"y"}',
      '{"a":1,"c":3}',
      ' { "c" : 3 , "a" : 1 } ',
    ]) {
      expect(direct(json)).toBeDefined();
      expect(direct(json)).toBe(parsed(json));
    }
    for (const json of [
      '{"c":3}',
      '{"a":1,"c":3,"c":4}',
      '{"c":3,"a":1,"c":4}',
      '{"c":3,"a":1,"d":4}',
      '{"\\u0061":1,"c":3}',
    ])
      expect(direct(json)).toBeUndefined();
  });

  it("writes members and branches whose names have letters beyond ASCII", () => {
    const { direct, parsed } = both(recordOf([{ ...recordOf("int"), name: "Größe" }, "string"]));
    const named = both({ type: "record", name: "R", fields: [{ name: "größe", type: "int" }] });
    expect(named.direct('{"größe":1}')).toBe("02");
    for (const json of ['{"a":{"Größe":{"a":1}}}', '{"a":{"a":1}}', '{"a":{"string":"é"}}'])
      expect(direct(json) ?? parsed(json)).toBe(parsed(json));
  });

  it("checks the members that it drops", () => {
    const { direct } = both(recordOf("int"), "drop");
    expect(direct('{"x":{"y":[1,2.5e3,"z"]},"a":1}')).toBe("02");
    expect(direct('{"a":1,"x":null}')).toBe("02");
    for (const json of ['{"a":1,"x":nul}', '{"a":1,"x":[1,}', '{"a":1,"x":01}', '{"a":1,"x":"\t"}'])
      expect(direct(json)).toBeUndefined();
    expect(
      direct(Buffer.concat([Buffer.from('{"a":1,"x":"'), Buffer.of(0xff), Buffer.from('"}')])),
    ).toBeUndefined();
  });

  it("leaves bytes that are not UTF-8, and maps with equal keys, to the other writer", () => {
    expect(both("string").direct(Buffer.of(0x22, 0xc3, 0x22))).toBeUndefined();
    const { direct } = both({ type: "map", values: "int" });
    expect(direct('{"k":1,"l":2,"k":3}')).toBeUndefined();
    expect(direct('{"l":1,"1":2}')).toBeUndefined();
  });

  it("writes the count of a block in front of it", () => {
    const { direct, parsed } = both({ type: "array", items: "int" });
    for (const count of [0, 1, 63, 64, 8191, 8192]) {
      const json = JSON.stringify(new Array(count).fill(7));
      expect(direct(json)).toBe(parsed(json));
    }
  });

  it("leaves an event that is deeper than the limit to the other writer", () => {
    const schema = { type: "record", name: "R", fields: [{ name: "n", type: ["null", "R"] }] };
    const nested = (levels: number): string => '{"n":'.repeat(levels) + "null" + "}".repeat(levels);
    const { direct, parsed } = both(schema);
    expect(direct(nested(MAX_DEPTH))).toBe(parsed(nested(MAX_DEPTH)));
    expect(direct(nested(MAX_DEPTH + 1))).toBeUndefined();
  });

  it("reads members in another order a limited number of times", () => {
    const schema = {
      type: "record",
      name: "R",
      fields: [
        { name: "n", type: ["null", "R"] },
        { name: "v", type: "int" },
      ],
    };
    const nested = (levels: number): string => '{"v":1,"n":'.repeat(levels) + "null" + "}".repeat(levels);
    const { direct, parsed } = both(schema);
    expect(direct(nested(3))).toBe(parsed(nested(3)));
    expect(direct(nested(90))).toBeUndefined();
  });
});
