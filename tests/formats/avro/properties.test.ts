import fc from "fast-check";
import { DataRefused, Undecodable } from "../../../src/formats/format.ts";
import { GatewayError } from "../../../src/errors.ts";
import { cases } from "./arbitrary.ts";
import { avro } from "./compile.ts";

/** Runs the call. Errors of the given classes are results too. */
const attempt = <T>(
  call: () => T,
  ...allowed: readonly (new (...args: never[]) => Error)[]
): T | undefined => {
  try {
    return call();
  } catch (error) {
    if (allowed.some((type) => error instanceof type)) return undefined;
    throw error;
  }
};

describe("any schema of Avro", () => {
  it("reads what it has written", () => {
    fc.assert(
      fc.property(cases, ({ schema, json }) => {
        const compiled = avro(schema);
        const payload = compiled.encode(Buffer.from(json), 1).subarray(5);
        expect(compiled.decode(payload, "avro-json").toString()).toBe(json);
      }),
      { numRuns: 500 },
    );
  });

  it("writes the same bytes from bare values, or names the branches that accept the value", () => {
    fc.assert(
      fc.property(cases, ({ schema, json }) => {
        const compiled = avro(schema);
        const framed = compiled.encode(Buffer.from(json), 1);
        const bare = compiled.decode(framed.subarray(5), "json");
        // An object with one member may look like a tagged value, so an event may also be refused or mean another branch.
        const again = attempt(() => compiled.encode(bare, 1), DataRefused);
        const isCertain = again !== undefined && !json.includes('"n.') && !json.includes('"map"');
        expect((isCertain ? again : framed).toString("hex")).toBe(framed.toString("hex"));
      }),
      { numRuns: 500 },
    );
  });

  it("refuses other values with DataRefused only", () => {
    fc.assert(
      fc.property(cases, fc.json(), ({ schema }, json) => {
        attempt(() => avro(schema).encode(Buffer.from(json), 1), DataRefused);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses other bytes with Undecodable only, and writes JSON of the rest", () => {
    fc.assert(
      fc.property(cases, fc.uint8Array({ maxLength: 200 }), ({ schema }, bytes) => {
        const json = attempt(() => avro(schema).decode(Buffer.from(bytes), "json"), Undecodable);
        if (json !== undefined) JSON.parse(json.toString());
      }),
      { numRuns: 500 },
    );
  });

  it("reads no payload that lacks its last byte or has one more", () => {
    fc.assert(
      fc.property(cases, ({ schema, json }) => {
        const compiled = avro(schema);
        const payload = compiled.encode(Buffer.from(json), 1).subarray(5);
        expect(() => compiled.decode(Buffer.concat([payload, Buffer.of(0)]), "json")).toThrow(Undecodable);
        const shorter = payload.subarray(0, -1);
        const read =
          payload.length === 0 ? undefined : attempt(() => compiled.decode(shorter, "json"), Undecodable);
        expect(read).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it("refuses bytes that are no JSON as a gateway error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        attempt(() => avro(["null", "int"]).encode(Buffer.from(bytes), 1), DataRefused, GatewayError);
      }),
    );
  });
});
