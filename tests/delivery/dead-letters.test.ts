import type { ConsumedRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { DONE, RETRY } from "../support/http-sink.ts";
import { createRig, type Rig } from "./rig.ts";

let rig: Rig;

afterEach(async () => {
  await rig.close();
});

describe("records that are given up", () => {
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

  it("are stored as they were, with what is known of why, before the next one is sent", async () => {
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
      "stationgate-error=",
    ]);
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: true }]);
  });

  it("may be tombstones", async () => {
    rig = await createRig();
    await rig.produce([null, "ok"]);
    rig.run({ tombstones: "dead-letter", "dead.letter.topic": "dead" });
    await rig.sink.received(1);
    const [letter] = await deadLetters();

    expect(letter?.value).toBeNull();
    expect(rig.sink.bodies).toStrictEqual(["ok"]);
  });

  it("are still to be sent when the dead letter can't be stored", async () => {
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
