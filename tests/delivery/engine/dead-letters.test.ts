import type { BrokerRecord, ConsumedRecord } from "../../../src/broker/broker.ts";
import { createDropping } from "../../../src/delivery/engine/dead-letters.ts";
import type { DeliveryPlan } from "../../../src/delivery/engine/delivery-plan.ts";
import type { Item } from "../../../src/delivery/engine/claims.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { DONE, RETRY } from "../../support/http-sink.ts";
import { createRig, type Rig } from "../rig.ts";

let rig: Rig;

afterEach(async () => {
  await rig.close();
});

describe("dropped records", () => {
  const deadLetters = async (): Promise<readonly ConsumedRecord[]> => {
    const letters: ConsumedRecord[] = [];
    await new Promise<void>((resolve) => {
      void rig.broker.subscribe(
        { topics: ["dead"], from: "earliest" },
        {
          onRecords: (records) => {
            letters.push(...records);
            resolve();
          },
        },
      );
    });
    return letters;
  };

  it("are stored unchanged with headers about the failure, before the next record is sent", async () => {
    rig = await createRig();
    rig.sink.answer(({ body }) => (body === "bad" ? { status: 400 } : DONE));
    await rig.produce(["bad"], { key: "k" });
    await rig.produce(["ok"]);
    rig.run({ "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" });
    await rig.sink.received(2);
    const [letter] = await deadLetters();

    expect(letter).toMatchObject({ key: Buffer.from("k"), value: Buffer.from("bad") });
    expect(letter?.headers.map(({ name, value }) => `${name}=${String(value)}`)).toStrictEqual([
      "stationgate-connector=crm",
      "stationgate-topic=orders",
      "stationgate-partition=0",
      "stationgate-offset=0",
      "stationgate-attempts=1",
      "stationgate-status=400",
      "stationgate-error=HTTP status 400",
    ]);
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: true }]);
  });

  it("can be tombstones", async () => {
    rig = await createRig();
    await rig.produce([null, "ok"]);
    rig.run({ tombstones: "dead-letter", "dead.letter.topic": "dead" });
    await rig.sink.received(1);
    const [letter] = await deadLetters();

    expect(letter?.value).toBeNull();
    expect(rig.sink.bodies).toStrictEqual(["ok"]);
  });

  it.each([
    ["RECORD_TOO_LARGE", "raise the topic's max.message.bytes"],
    ["RECORD_REFUSED", "does not take its key"],
    ["TOPIC_REFUSED", "grant the rights"],
  ] as const)("stop the task if the dead letter is refused with %s", async (code, reason) => {
    rig = await createRig();
    await rig.produce(["ok", "bad", "next"]);
    rig.broker.append = () => Promise.resolve([{ status: "failed", error: new GatewayError(code) }]);
    rig.sink.answer(({ body }) => (body === "bad" ? RETRY : DONE));
    const runner = rig.run({ "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" });
    while (rig.traces.length === 0) await new Promise(setImmediate);
    await runner.stop();

    expect(rig.traces).toHaveLength(1);
    expect(rig.traces[0]).toContain("at orders-0@1: its dead letter can't be stored in topic dead: ");
    expect(rig.traces[0]).toContain(reason);
    expect(rig.sink.bodies).toStrictEqual(["ok", "bad"]);
    expect(rig.drops).toStrictEqual([]);
    expect(await rig.committed()).toBe(1n);
  });

  it("stop the task if the dead letter topic can't be created", async () => {
    rig = await createRig();
    await rig.produce(["bad"]);
    rig.broker.ensureTopic = () => Promise.reject(new GatewayError("TOPIC_REFUSED"));
    rig.sink.answer(() => RETRY);
    rig.run({ "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" });
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(rig.traces[0]).toContain("in topic dead");
  });

  it("have a truncated error text", async () => {
    rig = await createRig();
    const append = rig.broker.append.bind(rig.broker);
    let letter: BrokerRecord | undefined;
    rig.broker.append = (topic, records) => {
      if (topic === "dead") [letter] = records;
      return append(topic, records);
    };
    const item = {
      record: { topic: "t", partition: 0, offset: 1n, headers: [], key: null, value: null, timestamp: 1 },
    };
    const drop = createDropping({
      broker: rig.broker,
      plan: { name: "crm", deadLetterTopic: "dead" } as DeliveryPlan,
      clock: createFakeClock(),
      observer: {
        attempted: () => undefined,
        dropped: () => undefined,
        skipped: () => undefined,
        fault: () => undefined,
      },
    });
    await drop({ ...item, attempts: 1, lastError: "x".repeat(4_000_000) } as unknown as Item, () => false);
    const error = letter?.headers.find(({ name }) => name === "stationgate-error")?.value;

    expect(error?.length).toBeLessThan(1100);
  });

  it("are kept until the dead letter is stored", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    await rig.produce(["bad", "ok"]);
    const append = rig.broker.append.bind(rig.broker);
    rig.broker.append = () =>
      Promise.resolve([{ status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") }]);
    rig.sink.answer(({ body }) => (body === "bad" ? RETRY : DONE));
    const runner = rig.run({ "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" });
    await rig.sink.received(1);
    await clock.pending(250);

    expect(rig.sink.bodies).toStrictEqual(["bad"]);
    expect(rig.faults).toMatchObject([{ code: "BROKER_UNAVAILABLE" }]);

    rig.broker.append = append;
    clock.advance(250);
    await rig.sink.received(2);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(["bad", "ok"]);
    expect(await rig.committed()).toBe(2n);
  });
});

describe("tombstones", () => {
  it.each([
    ["skip", ["ok"]],
    ["send", ["", "ok"]],
  ])("%s", async (tombstones, bodies) => {
    rig = await createRig();
    await rig.produce([null, "ok"]);
    const runner = rig.run({ tombstones });
    await rig.sink.received(bodies.length);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(bodies);
    expect(await rig.committed()).toBe(2n);
  });
});
