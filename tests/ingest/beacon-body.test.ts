import fc from "fast-check";
import { openBeacon } from "../../src/ingest/beacon-body.ts";
import { asGatewayError } from "../../src/errors.ts";

const LIMITS = { maxDepth: 20, maxEvents: 100 };

const parse = async (text: string) => {
  const beacon = openBeacon(Buffer.from(text), LIMITS);
  return { ...beacon, events: await beacon.findEvents().read() };
};

const codeOf = async (text: string): Promise<string> => {
  try {
    await parse(text);
    return "none";
  } catch (error) {
    return asGatewayError(error).code;
  }
};

describe("openBeacon", () => {
  it("reads the credential and the events with their source bytes", async () => {
    const text =
      ' {"events" : [ {"event": {"n":1.0,"n":9007199254740993} ,"id":"a"},{"id":"\\u0062","event":{}}], "token":"t"}';
    const beacon = await parse(text);
    expect(beacon).toMatchObject({ token: "t", apiKey: undefined });
    expect(beacon.events.map(({ id, value }) => [id, value.toString()])).toEqual([
      ["a", '{"n":1.0,"n":9007199254740993}'],
      ["b", "{}"],
    ]);
  });

  it("uses the last of repeated members, as JSON.parse does", async () => {
    const { events, apiKey } = await parse(
      '{"apiKey":"1","apiKey":"2","events":[],"events":[{"id":"a","event":{},"event":{"b":1}}]}',
    );
    expect([apiKey, events[0]?.value.toString()]).toEqual(["2", '{"b":1}']);
  });

  it("finds the bounds of every event, whatever it contains", async () => {
    const event = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ id: fc.uuid(), event })), fc.nat(3), async (events, indent) => {
        const { events: read } = await parse(JSON.stringify({ token: "t", events }, null, indent));
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
  ])("refuses %s", async (text) => {
    expect(await codeOf(text)).toBe("REQUEST_UNSUPPORTED");
  });

  it("refuses JSON that is nested too deep, and bytes that are not UTF-8", async () => {
    expect(await codeOf(`{"events":[{"id":"a","event":{"a":${"[".repeat(30)}${"]".repeat(30)}}}]}`)).toBe(
      "JSON_TOO_DEEP",
    );
    expect(() => openBeacon(Buffer.from([0x7b, 0xff, 0x7d]), LIMITS)).toThrow("unsupported request");
  });

  it("reads the credential before the events, and refuses too many events", () => {
    const beacon = openBeacon(Buffer.from(`{"token":"t","events":[${"1,".repeat(1000)}1]}`), LIMITS);
    expect(beacon.token).toBe("t");
    expect(() => beacon.findEvents()).toThrow("unsupported request");
    const many = openBeacon(Buffer.from(`{"events":[${"{},".repeat(100)}{}]}`), LIMITS);
    expect(() => many.findEvents()).toThrow("more than 100 events");
  });
});
