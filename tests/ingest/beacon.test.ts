import fc from "fast-check";
import { parseBeacon } from "../../src/ingest/beacon.ts";
import { asGatewayError } from "../../src/errors.ts";

const LIMITS = { maxDepth: 20 };

const parse = (text: string) => parseBeacon(Buffer.from(text), LIMITS);

const codeOf = (text: string): string => {
  try {
    parse(text);
    return "none";
  } catch (error) {
    return asGatewayError(error).code;
  }
};

describe("parseBeacon", () => {
  it("reads credential and events, each with its own source bytes", () => {
    const text =
      ' {"events" : [ {"event": {"n":1.0,"n":9007199254740993} ,"id":"a"},{"id":"\\u0062","event":{}}], "token":"t"}';
    const beacon = parse(text);
    expect(beacon).toMatchObject({ token: "t", apiKey: undefined });
    expect(beacon.events.map(({ id, value }) => [id, value.toString()])).toEqual([
      ["a", '{"n":1.0,"n":9007199254740993}'],
      ["b", "{}"],
    ]);
  });

  it("takes the last of members that come twice, as every reader of JSON does", () => {
    const { events, apiKey } = parse(
      '{"apiKey":"1","apiKey":"2","events":[],"events":[{"id":"a","event":{},"event":{"b":1}}]}',
    );
    expect([apiKey, events[0]?.value.toString()]).toEqual(["2", '{"b":1}']);
  });

  it("keeps any events apart, whatever is in them", () => {
    const event = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(fc.array(fc.record({ id: fc.uuid(), event })), fc.nat(3), (events, indent) => {
        const read = parse(JSON.stringify({ token: "t", events }, null, indent)).events;
        expect(read.map(({ id, value }) => ({ id, event: JSON.parse(value.toString()) as unknown }))).toEqual(
          JSON.parse(JSON.stringify(events)),
        );
      }),
    );
  });

  it.each([
    "",
    "null",
    "[]",
    "{}",
    "{",
    '{"events":{}}',
    '{"events":[1]}',
    '{"events":[{"id":"a"}]}',
    '{"events":[{"id":"a","event":[]}]}',
    '{"events":[{"id":"a","event":null}]}',
    '{"events":[{"id":"","event":{}}]}',
    '{"events":[{"id":1,"event":{}}]}',
    '{"events":[{"event":{}}]}',
    '{"token":1,"events":[]}',
    `{"events":[{"id":"${"x".repeat(201)}","event":{}}]}`,
  ])("refuses %s", (text) => {
    expect(codeOf(text)).toBe("REQUEST_UNSUPPORTED");
  });

  it("refuses JSON that nests too deep, and bytes that are no UTF-8", () => {
    expect(codeOf(`{"events":[{"id":"a","event":{"a":${"[".repeat(30)}${"]".repeat(30)}}}]}`)).toBe(
      "JSON_TOO_DEEP",
    );
    expect(() => parseBeacon(Buffer.from([0x7b, 0xff, 0x7d]), LIMITS)).toThrow("unsupported request");
  });
});
