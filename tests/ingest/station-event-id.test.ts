import type { RecordHeader } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { createReadEventId } from "../../src/ingest/station-event-id.ts";

type Headers = Readonly<Record<string, string>>;

const headersOf = (headers: Headers): readonly RecordHeader[] =>
  Object.entries(headers).map(([name, value]) => ({ name, value: Buffer.from(value, "latin1") }));

const read = (id: string, value: string | null, headers: Headers = {}): string =>
  createReadEventId(id)({ headers: headersOf(headers) }, value === null ? null : Buffer.from(value));

const refusal = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return error instanceof GatewayError ? [error.code, error.message] : error;
  }
};

describe("an id at a JSON pointer", () => {
  it("is the same for the same text, whatever the event around it is", () => {
    expect(read("/a/id", '{"a":{"id":"x"},"n":1}')).toBe(read("/a/id", ' {"n":2,"a":{"id":"\\u0078"}}'));
    expect(read("/id", '{"id":"x"}')).not.toBe(read("/id", '{"id":"y"}'));
  });

  it("counts a number by its source digits", () => {
    expect(read("/id", '{"id":12345678901234567890}')).not.toBe(read("/id", '{"id":12345678901234567891}'));
    expect(read("/id", '{"id":-1}')).not.toBe(read("/id", '{"id":-1.0}'));
  });

  it("differs between a string and a number with the same characters", () => {
    expect(read("/id", '{"id":"1"}')).not.toBe(read("/id", '{"id":1}'));
  });

  it("differs from the id at another pointer", () => {
    expect(read("/a", '{"a":"x"}')).not.toBe(read("/b", '{"b":"x"}'));
  });

  it.each([
    ["{}", "the event has no /id"],
    ["[]", "the event has no /id"],
    [null, "the event has no /id"],
    ['{"id":""}', "/id of the event is empty"],
    ['{"id":null}', "/id of the event is neither a string nor a number"],
    ['{"id":true}', "/id of the event is neither a string nor a number"],
    ['{"id":["x"]}', "/id of the event is neither a string nor a number"],
    ['{"id":{}}', "/id of the event is neither a string nor a number"],
  ])("is refused in %s", (value, reason) => {
    expect(refusal(() => read("/id", value))).toEqual([
      "EVENT_ID_REFUSED",
      `The station needs an id of each event, but ${reason}`,
    ]);
  });
});

describe("an id in a header", () => {
  it("is found whatever the case of its name, also in an event without a value", () => {
    const id = read("header:X-Event-Id", null, { "x-event-id": "a" });

    expect(read("header:X-Event-Id", "{}", { "X-EVENT-ID": "a" })).toBe(id);
    expect(read("header:X-Event-Id", null, { "x-event-id": "b" })).not.toBe(id);
  });

  it("is found in a ce- header, which the gateway stores as ce_", () => {
    expect(read("header:ce-id", null, { ce_id: "a" })).not.toBe(read("header:ce-id", null, { ce_id: "b" }));
  });

  it("keeps bytes that are not UTF-8 apart", () => {
    expect(read("header:x-id", null, { "x-id": "\xfe" })).not.toBe(
      read("header:x-id", null, { "x-id": "\xff" }),
    );
  });

  it.each([
    [{}, "the event has no header X-Id"],
    [{ "x-id": "" }, "the header X-Id is empty"],
  ])("is refused in %j", (headers, reason) => {
    expect(refusal(() => read("header:X-Id", "{}", headers))).toEqual([
      "EVENT_ID_REFUSED",
      `The station needs an id of each event, but ${reason}`,
    ]);
  });
});

describe("the id of a CloudEvent", () => {
  it("is made of source and id", () => {
    const id = read("cloudevents", null, { ce_source: "/a", ce_id: "1" });

    expect(read("cloudevents", "{}", { ce_id: "1", ce_source: "/a", ce_type: "t" })).toBe(id);
    expect(read("cloudevents", null, { ce_source: "/b", ce_id: "1" })).not.toBe(id);
    expect(read("cloudevents", null, { ce_source: "/a", ce_id: "2" })).not.toBe(id);
  });

  it("does not mix the end of the source with the begin of the id", () => {
    expect(read("cloudevents", null, { ce_source: "/a 1", ce_id: "2" })).not.toBe(
      read("cloudevents", null, { ce_source: "/a", ce_id: "1 2" }),
    );
  });

  it.each([
    [{ ce_id: "1" }, "the event has no header ce-source"],
    [{ ce_source: "/a" }, "the event has no header ce-id"],
  ])("is refused in %j", (headers, reason) => {
    expect(refusal(() => read("cloudevents", "{}", headers))).toEqual([
      "EVENT_ID_REFUSED",
      `The station needs an id of each event, but ${reason}`,
    ]);
  });
});
