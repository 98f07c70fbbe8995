import { GatewayError } from "../../../src/errors.ts";
import { checkBinaryEvent, structuredEvent } from "../../../src/ingest/cloudevents.ts";
import type { Station } from "../../../src/ingest/stations.ts";
import { recordHeadersOf } from "../../../src/ingest/record-headers.ts";

const COMPLETE = { specversion: "1.0", id: "1", source: "/shop", type: "order.made" };

const structured = (event: unknown, station: Pick<Station, "validator"> = { validator: undefined }) =>
  structuredEvent(Buffer.from(typeof event === "string" ? event : JSON.stringify(event)), {
    limits: { maxDepth: 8 },
    contentType: "application/cloudevents+json; charset=utf-8",
    headers: [{ name: "x-a", value: Buffer.from("1") }],
    station,
  });

const complaint = (event: unknown): string => {
  const made = structured(event);
  return made instanceof GatewayError ? `${made.code}: ${made.message}` : "accepted";
};

const binary = (headers: Record<string, string>): string => {
  const raw = Object.entries(headers).flatMap(([name, value]) => [`ce-${name}`, value]);
  try {
    checkBinaryEvent(recordHeadersOf(raw));
    return "accepted";
  } catch (error) {
    return (error as GatewayError).message;
  }
};

const REGISTRY_STATION: Pick<Station, "validator"> = {
  validator: {
    ...{ kind: "registry", subject: "s", message: undefined, hasPointer: false },
    current: () => new GatewayError("REGISTRY_UNAVAILABLE"),
  },
};

describe("a structured CloudEvent for a registry station", () => {
  const apart = (members: string) => {
    const event = `{"specversion":"1.0","id":"1","source":"/shop","type":"t",${members}}`;
    const made = structured(event, REGISTRY_STATION);
    if (made instanceof GatewayError) return made.message;
    return { ...made, value: made.value?.toString() ?? null, headers: made.headers.map(({ name }) => name) };
  };
  const headers = ["x-a", "ce_specversion", "ce_id", "ce_source", "ce_type"];

  it("is taken apart: its value is the source of its data", () => {
    expect(apart('"data": { "a": 1.0 } ')).toEqual({
      value: '{ "a": 1.0 }',
      contentType: "application/json",
      headers,
    });
  });

  it("has the bytes of data_base64, with the content type of the data", () => {
    expect(apart('"datacontenttype":"application/x-protobuf","data_base64":"YQ=="')).toEqual({
      value: "a",
      contentType: "application/x-protobuf",
      headers: [...headers, "ce_datacontenttype"],
    });
  });

  it.each(['"subject":"x"', '"subject":"x","data":null', '"subject":"x","data_base64":null'])(
    "has no value with %s",
    (members) => {
      expect(apart(members)).toMatchObject({ value: null, headers: [...headers, "ce_subject"] });
    },
  );

  it("is refused if it isn't valid", () => {
    expect(apart('"data":{},"time":"now"')).toMatch(/^Invalid CloudEvent: the attribute "time" must be/);
  });
});

describe("a structured CloudEvent", () => {
  it("keeps its bytes, and its attributes become record headers", () => {
    const text = `{ "specversion":"1.0", "id":"1","source":"/s","type":"t","n":5,"b":true,"time":null, "data":{"a":1.0} }`;
    const made = structured(text);
    expect(made).toMatchObject({ contentType: "application/cloudevents+json; charset=utf-8" });
    expect(made instanceof GatewayError ? "" : made.value?.toString()).toBe(text);
    expect(
      made instanceof GatewayError ? [] : made.headers.map(({ name, value }) => `${name}=${String(value)}`),
    ).toEqual(["x-a=1", "ce_specversion=1.0", "ce_id=1", "ce_source=/s", "ce_type=t", "ce_n=5", "ce_b=true"]);
  });

  it.each(["specversion", "id", "source", "type"])("needs the attribute %s", (name) => {
    const rest = Object.fromEntries(Object.entries(COMPLETE).filter(([other]) => other !== name));
    const missing = `CLOUDEVENT_INVALID: Invalid CloudEvent: the attribute "${name}" is missing`;
    expect(complaint(rest)).toBe(missing);
    expect(complaint({ ...COMPLETE, [name]: null })).toBe(missing);
    expect(complaint({ ...COMPLETE, [name]: "" })).toContain(`the attribute "${name}" must be `);
    expect(complaint({ ...COMPLETE, [name]: 1 })).toContain(`the attribute "${name}" must be `);
  });

  it.each([
    ["specversion", "0.3"],
    ["source", "a b"],
    ["time", "yesterday"],
    ["time", "2024-13-01T00:00:00Z"],
    ["subject", ""],
    ["datacontenttype", "json"],
    ["dataschema", "no-scheme"],
    ["extension", { a: 1 }],
    ["extension", 1.5],
    ["extension", 2 ** 31],
  ])("refuses %s %j", (name, value) => {
    expect(complaint({ ...COMPLETE, [name]: value })).toContain(`the attribute "${name}" must be `);
  });

  it("refuses an invalid attribute name, and data together with data_base64", () => {
    expect(complaint({ ...COMPLETE, "Not-A-Name": "x" })).toContain('"Not-A-Name"');
    expect(complaint({ ...COMPLETE, data: 1, data_base64: "AA==" })).toContain("data_base64");
    expect(complaint({ ...COMPLETE, data_base64: "?" })).toContain("data_base64");
  });

  it("accepts every attribute of the specification", () => {
    expect(
      complaint({
        ...COMPLETE,
        time: "2024-05-01T10:00:00.123+02:00",
        subject: "s",
        datacontenttype: "application/json; charset=utf-8",
        dataschema: "https://example.com/schema",
        traceparent: "00-1",
        data_base64: "AAEC",
      }),
    ).toBe("accepted");
  });

  it.each(["[]", "5", "null"])("is refused if it is %s", (text) => {
    expect(complaint(text)).toContain("must be a JSON object");
  });

  it("is refused if it is not JSON", () => {
    expect(complaint("{")).toContain("JSON_INVALID");
  });
});

describe("a binary CloudEvent", () => {
  it("has its attributes decoded, and needs all of them", () => {
    expect(binary(COMPLETE)).toBe("accepted");
    expect(binary({ ...COMPLETE, subject: "caf%C3%A9" })).toBe("accepted");
    expect(binary({ specversion: "1.0", id: "1", source: "/s" })).toContain('"type" is missing');
    expect(binary({ ...COMPLETE, specversion: "2" })).toContain('"specversion" must be "1.0" (got "2")');
  });

  it("is not a CloudEvent without any required attribute", () => {
    expect(binary({ anything: "1" })).toBe("accepted");
  });
});
