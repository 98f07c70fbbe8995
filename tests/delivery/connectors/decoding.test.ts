/** Connectors that decode values: what the endpoint gets, and what happens to records that can't be decoded. */
import { createHmac } from "node:crypto";
import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import type { UndecodableRecord } from "../../../src/delivery/connectors/decoding.ts";
import { createDecoder } from "../../../src/registry/decoder.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { RETRY, DONE } from "../../support/http-sink.ts";
import { createFakeSchemas, framed } from "../../support/registry/fake-schemas.ts";
import { createRig, type Rig } from "../rig.ts";

let rig: Rig;
let undecodable: UndecodableRecord[];

beforeEach(async () => {
  undecodable = [];
  rig = await createRig(systemClock, 1, {
    decoder: createDecoder(createFakeSchemas()),
    onUndecodable: (one) => undecodable.push(one),
  });
});

afterEach(async () => {
  await rig.close();
});

const letter = (): Promise<ConsumedRecord | undefined> =>
  new Promise((resolve) => {
    void rig.broker.subscribe(
      { topics: ["dead"], from: "earliest" },
      {
        onRecords: ([record]) => {
          resolve(record);
        },
      },
    );
  });

const untilStopped = async (): Promise<string> => {
  while (rig.traces.length === 0) await new Promise(setImmediate);
  return rig.traces[0] ?? "";
};

const headersOf = (index: number) => rig.sink.requests[index]?.headers ?? {};

describe("a decoded value", () => {
  it.each([
    ["json", '{"n":1}'],
    ["avro-json", '{"form":{"n":1}}'],
  ])("with decode %s is sent as application/json, and signed as it is sent", async (decode, body) => {
    const key = Buffer.alloc(24, 1);
    await rig.produce([framed(1, '{"n":1}')]);
    rig.run({ decode, secret: key.toString("base64") });
    await rig.sink.received(1);
    const headers = headersOf(0);
    const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;

    expect(rig.sink.bodies).toStrictEqual([body]);
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["webhook-signature"]).toBe(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    );
  });

  it("has the content type that the connector configures", async () => {
    await rig.produce([framed(1, "1")]);
    rig.run({ decode: "json", "callback.request.headers": "content-Type:application/x-own" });
    await rig.sink.received(1);

    expect(headersOf(0)["content-type"]).toBe("application/x-own");
  });

  it("is sent again by each attempt, and its dead letter has the stored value", async () => {
    rig.sink.answer(() => RETRY);
    await rig.produce([framed(1, "1")]);
    rig.run({ decode: "json", "retry.backoff.sec": "0", "dead.letter.topic": "dead" });
    await rig.sink.received(2);
    while (rig.drops.length === 0) await new Promise(setImmediate);

    expect(rig.sink.bodies).toStrictEqual(["1", "1"]);
    expect((await letter())?.value).toStrictEqual(framed(1, "1"));
    expect(undecodable).toStrictEqual([]);
  });

  it("is never that of a tombstone", async () => {
    await rig.produce([null]);
    rig.run({ decode: "json", tombstones: "send" });
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual([""]);
    expect(headersOf(0)).not.toHaveProperty("content-type");
    expect(undecodable).toStrictEqual([]);
  });
});

it("without decode the endpoint gets the stored bytes", async () => {
  await rig.produce([framed(1, "1")]);
  rig.run();
  await rig.sink.received(1);

  expect(rig.sink.bodies).toStrictEqual(["\0\0\0\0\x011"]);
  expect(headersOf(0)).not.toHaveProperty("content-type");
});

describe.each([
  ["a value without a frame", Buffer.from("{}"), "the value has no schema id"],
  ["an unknown id", framed(201, "1"), "the registry has no schema with the id 201"],
  ["a broken payload", framed(1, "broken"), "the payload ends early"],
])("%s", (_, value, reason) => {
  beforeEach(() => rig.produce([framed(1, '"before"'), value, framed(1, '"after"')]));

  const expectOneReport = (effect: string): void => {
    expect(undecodable).toMatchObject([{ connector: "crm", reason, effect, record: { offset: 1n } }]);
  };

  it("stops the task by default, at this record", async () => {
    const runner = rig.run({ decode: "json" });

    expect(await untilStopped()).toBe(
      `Delivery stopped at orders-0@1: the value can't be decoded: ${reason}`,
    );

    await runner.stop();

    expect(await rig.committed()).toBe(1n);
    expect(rig.sink.bodies).toStrictEqual(['"before"']);
    expectOneReport("stop");
  });

  it("is dead-lettered by default if there is a dead letter topic, as stored and without an attempt", async () => {
    rig.run({ decode: "json", "dead.letter.topic": "dead" });
    await rig.sink.received(2);
    const dead = await letter();
    const texts = dead?.headers.map(({ name, value: text }) => `${name}=${String(text)}`);

    expect(rig.sink.bodies).toStrictEqual(['"before"', '"after"']);
    expect(dead?.value).toStrictEqual(value);
    expect(texts).toContain("stationgate-attempts=0");
    expect(texts).toContain(`stationgate-error=the value can't be decoded: ${reason}`);
    expectOneReport("dead-letter");
  });

  it("is passed over with skip", async () => {
    const runner = rig.run({ decode: "json", "decode.failure": "skip", "dead.letter.topic": "dead" });
    await rig.sink.received(2);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(['"before"', '"after"']);
    expect([await rig.committed(), rig.drops]).toStrictEqual([3n, []]);
    expectOneReport("skip");
  });

  it("is sent as stored with send, and counts once over all its attempts", async () => {
    rig.sink.answer((_request, index) => (index === 1 ? RETRY : DONE));
    rig.run({ decode: "json", "decode.failure": "send", "retry.backoff.sec": "0" });
    await rig.sink.received(4);

    expect(rig.sink.bodies).toStrictEqual(['"before"', value.toString(), value.toString(), '"after"']);
    expect(headersOf(1)).not.toHaveProperty("content-type");
    expectOneReport("send");
  });
});
