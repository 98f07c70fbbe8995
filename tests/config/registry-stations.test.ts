import { faultsOf, settingsOf } from "./support.ts";

const station = (schema: string, registry = "{ url: http://r }"): string =>
  `registry: ${registry}\nstations: [{ name: a, schema: { type: registry, ${schema} } }]`;

describe("the schema of a registry station", () => {
  it("has defaults", () => {
    const { schema } = settingsOf({ yaml: station("") }).stations[0] ?? {};
    expect(schema).toEqual({ type: "registry", version: "latest", autoRegister: false });
  });

  it("takes every key", () => {
    const yaml = station("subject: s, format: protobuf, message: a.B, file: a.proto, autoRegister: true");
    const { schema } = settingsOf({ yaml, files: { "a.proto": "x" } }).stations[0] ?? {};
    expect(schema).toMatchObject({ subject: "s", format: "protobuf", message: "a.B", autoRegister: true });
    expect(settingsOf({ yaml: station("version: 3") }).stations[0]?.schema).toMatchObject({ version: 3 });
  });

  it("needs a registry", () => {
    expect(faultsOf({ yaml: station("", "{}") })).toEqual([
      "stations[0].schema.type: got registry, allowed: another type, because registry.url is not set",
    ]);
  });

  it.each([
    [
      "file: a.avsc",
      "stations[0].schema.format: is required because file is set: one of avro, json, protobuf",
    ],
    ["autoRegister: true", "stations[0].schema.file: is required because autoRegister is true"],
    [
      "format: avro, file: a.avsc, version: 2",
      "stations[0].schema.version: and file are both set: set only one of them",
    ],
    [
      "format: avro, message: a.B",
      "stations[0].schema.message: is set, but only Protobuf schemas have messages: set format to protobuf or leave message out",
    ],
    ["format: xml", 'stations[0].schema.format: got "xml", allowed: one of avro, json, protobuf'],
    [
      "version: 0",
      "stations[0].schema.version: got 0, allowed: latest, or a whole number from 1 to 2147483647",
    ],
    [
      'version: "2"',
      'stations[0].schema.version: got "2", allowed: latest, or a whole number from 1 to 2147483647',
    ],
  ])("refuses { %s }", (schema, fault) => {
    expect(faultsOf({ yaml: station(schema), files: { "a.avsc": "x" } })).toEqual([fault]);
  });
});
