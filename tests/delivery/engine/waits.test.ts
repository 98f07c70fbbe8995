/** Records that can't be prepared yet: their schema is not known, and the registry is unavailable. */
import { createDecoder } from "../../../src/registry/decoder.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createFakeSchemas, framed } from "../../support/registry/fake-schemas.ts";
import { createRig, type Rig } from "../rig.ts";

let rig: Rig;

afterEach(async () => {
  await rig.close();
});

const JSON_DECODED = { decode: "json" };
/** The registry is asked for this id. */
const ASKED = 101;

const setUp = async (partitions = 2) => {
  const clock = createFakeClock();
  const schemas = createFakeSchemas();
  schemas.isAvailable = false;
  const undecodable: string[] = [];
  const decoding = {
    decoder: createDecoder(schemas),
    onUndecodable: ({ reason }: { readonly reason: string }) => undecodable.push(reason),
  };
  rig = await createRig(clock, partitions, decoding);
  return { clock, schemas, undecodable };
};

const untilAsked = async ({ asked }: { readonly asked: readonly unknown[] }, times: number) => {
  while (asked.length < times) await new Promise(setImmediate);
};

describe("while the registry is unavailable", () => {
  it.each(["partition", "none"])(
    "with ordering %s the partition waits at the record, and the others go on",
    async (ordering) => {
      const { clock, schemas, undecodable } = await setUp();
      await rig.produce([framed(1, '"a0"'), framed(ASKED, '"a1"'), framed(1, '"a2"')], { partition: 0 });
      await rig.produce([framed(1, '"b0"'), framed(1, '"b1"')], { partition: 1 });
      rig.run({ ...JSON_DECODED, ordering, "dead.letter.topic": "dead" });
      await rig.sink.received(3);
      for (const ms of [500, 1000, 2000, 5000, 5000]) {
        await clock.pending(ms);
        clock.advance(ms);
      }
      await untilAsked(schemas, 6);
      await clock.pending(5000);

      while (rig.attempts.length < 3) await new Promise(setImmediate);

      expect(rig.sink.bodies.toSorted()).toStrictEqual(['"a0"', '"b0"', '"b1"']);
      expect([rig.attempts.length, rig.drops, undecodable]).toStrictEqual([3, [], []]);
      expect(rig.faults.map(({ code }) => code)).toStrictEqual(["REGISTRY_UNAVAILABLE"]);

      schemas.isAvailable = true;
      clock.advance(5000);
      await rig.sink.received(5);

      expect(rig.sink.bodies.slice(3)).toStrictEqual(['"a1"', '"a2"']);
      expect(new Set(rig.attempts.map(({ attempt }) => attempt))).toStrictEqual(new Set([1]));
    },
  );

  it("a stop does not wait, and the record is the next after it", async () => {
    const { clock, schemas } = await setUp(1);
    await rig.produce([framed(1, '"a0"'), framed(ASKED, '"a1"')]);
    const runner = rig.run(JSON_DECODED);
    await clock.pending(500);
    await runner.stop();

    expect(await rig.committed()).toBe(1n);

    schemas.isAvailable = true;
    rig.run(JSON_DECODED);
    await rig.sink.received(2);

    expect(rig.sink.bodies).toStrictEqual(['"a0"', '"a1"']);
  });

  it("a rebalance gives the partition up at once, and its new claim asks again", async () => {
    const { clock, schemas } = await setUp(1);
    await rig.produce([framed(ASKED, '"a0"'), framed(1, '"a1"')]);
    const member = rig.run(JSON_DECODED);
    await clock.pending(500);
    const [before] = member.claims;
    const other = await rig.broker.subscribe(
      { group: "connect-crm", topics: ["orders"], from: "earliest" },
      { onRecords: () => undefined },
    );
    await other.close();
    while (member.claims[0] === undefined || member.claims[0] === before) await new Promise(setImmediate);
    await untilAsked(schemas, 2);
    schemas.isAvailable = true;
    await clock.pending(500);
    clock.advance(500);
    await rig.sink.received(2);

    expect(before?.revoked).toBe(true);
    expect(rig.sink.bodies).toStrictEqual(['"a0"', '"a1"']);
  });

  it("nothing is sent while the connector is paused, even when the registry is back", async () => {
    const { clock, schemas } = await setUp(1);
    await rig.produce([framed(ASKED, '"a0"')]);
    const runner = rig.run(JSON_DECODED);
    await clock.pending(500);
    runner.pause();
    schemas.isAvailable = true;
    clock.advance(500);
    await untilAsked(schemas, 2);
    await new Promise(setImmediate);

    expect(rig.sink.bodies).toStrictEqual([]);

    runner.resume();
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual(['"a0"']);
  });
});
