import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { createEventReader } from "../../../src/delivery/event-service/event.ts";

const recordOf = (value: string | null, extra: Partial<ConsumedRecord> = {}): ConsumedRecord => ({
  topic: "TRANSACTION",
  partition: 0,
  offset: 7n,
  timestamp: 1,
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: [],
  ...extra,
});

describe("reading an event", () => {
  it("keeps the members of the subject in order without nulls, and reads the routing fields", () => {
    const transaction =
      '{"id":"t1","sep":"24","memo":null,"client_name":"lobstr","client_domain":"Lobstr.CO","creator":{"account":"GA"}}';
    const record = recordOf(
      `{"type":"transaction_created","id":"e1","sep":"6","transaction":${transaction}}`,
    );

    expect(createEventReader()(record)).toStrictEqual({
      id: "e1",
      type: "transaction_created",
      subject: "transaction",
      content: new Map<string, unknown>([
        ["id", "t1"],
        ["sep", "24"],
        ["client_name", "lobstr"],
        ["client_domain", "Lobstr.CO"],
        ["creator", new Map([["account", "GA"]])],
      ]),
      subjectId: "t1",
      sep: "24",
      clientName: "lobstr",
      clientDomain: "lobstr.co",
      creatorAccount: "GA",
    });
  });

  it.each(["24", 24, "sep24", "SEP_24"])("understands the SEP %p", (sep) => {
    const value = JSON.stringify({ type: "transaction_error", id: "e", transaction: { sep } });

    expect(createEventReader()(recordOf(value))).toMatchObject({ sep: "24" });
  });

  it("finds id, type and SEP in the record's key and headers and in the subject", () => {
    const record = recordOf('{"customer":{"id":"c1","sep":"12"}}', {
      key: Buffer.from("e9"),
      headers: [{ name: "type", value: Buffer.from("customer_updated") }],
    });

    expect(createEventReader()(record)).toMatchObject({ id: "e9", type: "customer_updated", sep: "12" });
  });

  it.each([
    [null, "empty value"],
    ["", "empty value"],
    ["{", "value is not a JSON object"],
    ["[]", "value is not a JSON object"],
    ["null", "value is not a JSON object"],
    [`{"id":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, "value is nested too deep"],
    [`{"id":[${"0,".repeat(200_000)}0]}`, "value has too many values"],
    ['{"id":"e"}', "event without type"],
    ['{"id":"e","type":"constructor"}', "unknown event type constructor"],
    ['{"type":"quote_created","quote":{}}', "event without id"],
    ['{"id":"e","type":"quote_created","quote":null}', "event without quote"],
  ])("reports once why %p is not an event", (value, broken) => {
    const reports: string[] = [];
    const read = createEventReader({ onBroken: ({ offset }, reason) => reports.push(`${offset} ${reason}`) });
    const record = recordOf(value);

    expect([read(record), read(record)]).toStrictEqual([{ broken }, { broken }]);
    expect(reports).toStrictEqual([`7 ${broken}`]);
  });
});
