import type { AppendOutcome, BrokerRecord } from "../../src/broker/broker.ts";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { type AuditTarget, createAuditStation } from "../../src/ingest/audit-station.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const lineOf = (n: number, target?: string) => ({
  ...{ level: "info", time: 1_700_000_000_000 + n, action: "connector.pause", n, msg: "audit" },
  ...(target !== undefined && { target }),
});

const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));

const TARGET: AuditTarget = { station: "audit", topic: { name: "ops.audit" }, mayCreate: false };

const rig = (target: Partial<AuditTarget> = {}) => {
  const clock = createFakeClock();
  const stored: BrokerRecord[] = [];
  const warnings: object[] = [];
  const created: string[] = [];
  /** Of each append. */
  const topics: string[] = [];
  let fault: ErrorCode | undefined;
  let unstored = 0;
  const station = createAuditStation({
    target: { ...TARGET, ...target },
    broker: {
      append: (topic, records) => {
        topics.push(topic);
        return Promise.resolve(
          records.map((record, i): AppendOutcome => {
            if (fault !== undefined) return { status: "failed", error: new GatewayError(fault) };
            stored.push(record);
            return { status: "stored", partition: 0, offset: BigInt(stored.length + i), timestamp: 0 };
          }),
        );
      },
      ensureTopic: ({ name }) => {
        created.push(name);
        fault = undefined;
        return Promise.resolve({ name, partitions: 1 });
      },
    },
    clock,
    logger: { warn: (fields: object) => void warnings.push(fields) },
    unstored: (entries) => {
      unstored += entries;
    },
  });
  return {
    ...{ station, clock, stored, warnings, created, topics },
    fail: (code: ErrorCode | undefined) => {
      fault = code;
    },
    unstored: () => unstored,
    numbers: () => stored.map(({ value }) => (JSON.parse(String(value)) as { n: number }).n),
  };
};

describe("the station of the audit", () => {
  it("stores an entry with an id, the target as its key, and its content type", async () => {
    const { station, stored, topics } = rig();
    station.add(lineOf(1, "crm"));
    station.add(lineOf(2));
    await settled();
    expect(new Set(topics)).toEqual(new Set(["ops.audit"]));
    const [first, second] = stored;
    expect(first).toMatchObject({ key: Buffer.from("crm"), timestamp: 1_700_000_000_001 });
    expect(first?.headers).toEqual([{ name: "content-type", value: Buffer.from("application/json") }]);
    expect(JSON.parse(String(first?.value))).toEqual({
      id: expect.stringMatching(/^018bcfe5-6801-7/) as unknown,
      ...lineOf(1, "crm"),
    });
    expect(second?.key).toBeNull();
  });

  it("keeps entries while the broker is away, warns once, and stores them in their order", async () => {
    const { station, clock, fail, numbers, warnings, unstored } = rig();
    fail("BROKER_UNAVAILABLE");
    for (let n = 0; n < 250; n += 1) station.add(lineOf(n));
    await clock.pending(500);
    clock.advance(500);
    await clock.pending(1000);
    expect(warnings).toMatchObject([{ station: "audit", err: { code: "BROKER_UNAVAILABLE" } }]);
    fail(undefined);
    clock.advance(1000);
    await settled();
    await settled();
    expect(numbers()).toEqual(Array.from({ length: 250 }, (_, n) => n));
    expect(unstored()).toBe(0);
  });

  it("drops entries beyond a thousand, and counts them", async () => {
    const { station, clock, fail, numbers, warnings, unstored } = rig();
    fail("BROKER_UNAVAILABLE");
    for (let n = 0; n < 1100; n += 1) station.add(lineOf(n));
    await clock.pending(500);
    expect(unstored()).toBe(100);
    expect(warnings).toContainEqual(expect.objectContaining({ reason: "1000 entries wait already" }));
    fail(undefined);
    clock.advance(500);
    for (let i = 0; i < 20; i += 1) await settled();
    expect(numbers()).toHaveLength(1000);
    station.add(lineOf(2000));
    await settled();
    expect(numbers().at(-1)).toBe(2000);
  });

  it("drops an entry that the topic refuses, and stores the next one", async () => {
    const { station, fail, numbers, unstored } = rig();
    fail("RECORD_TOO_LARGE");
    station.add(lineOf(1));
    await settled();
    fail(undefined);
    station.add(lineOf(2));
    await settled();
    expect([numbers(), unstored()]).toEqual([[2], 1]);
  });

  it.each([
    [true, ["ops.audit"], [1]],
    [false, [], []],
  ])("creates the missing topic if it may: %s", async (mayCreate, topics, stored) => {
    const { station, clock, fail, created, numbers } = rig({ mayCreate });
    fail("STATION_UNKNOWN");
    station.add(lineOf(1));
    await clock.pending(500);
    clock.advance(500);
    await settled();
    expect([created, numbers()]).toEqual([topics, stored]);
  });

  it("tries once more when it closes, and counts what is left", async () => {
    const { station, clock, fail, numbers, unstored } = rig();
    fail("BROKER_UNAVAILABLE");
    station.add(lineOf(1));
    await clock.pending(500);
    await station.close();
    expect(unstored()).toBe(1);
    const other = rig();
    other.fail("BROKER_UNAVAILABLE");
    other.station.add(lineOf(2));
    await other.clock.pending(500);
    other.fail(undefined);
    await other.station.close();
    other.station.add(lineOf(3));
    expect([numbers(), other.numbers(), other.unstored()]).toEqual([[], [2], 1]);
  });

  it("keeps waiting entries after a reload, and stores them in the station of the new settings", async () => {
    const { station, clock, fail, numbers, created, topics, unstored } = rig();
    fail("STATION_UNKNOWN");
    for (let n = 0; n < 300; n += 1) station.add(lineOf(n));
    await clock.pending(500);
    station.use({ ...TARGET, mayCreate: true });
    await clock.pending(500);
    expect(created).toEqual(["ops.audit"]);
    fail("BROKER_UNAVAILABLE");
    clock.advance(500);
    await clock.pending(1000);
    station.use({ station: "other", topic: { name: "ops.other" }, mayCreate: true });
    station.add(lineOf(300));
    fail(undefined);
    for (let i = 0; i < 20; i += 1) await settled();
    expect(numbers()).toEqual(Array.from({ length: 301 }, (_, n) => n));
    expect(topics.at(-1)).toBe("ops.other");
    expect(unstored()).toBe(0);
  });

  it("tries another station at once, and warns about it too", async () => {
    const { station, clock, fail, topics, warnings } = rig();
    const other: AuditTarget = { station: "other", topic: { name: "ops.other" }, mayCreate: false };
    fail("BROKER_UNAVAILABLE");
    station.add(lineOf(1));
    await clock.pending(500);
    clock.advance(500);
    await clock.pending(1000);
    station.use({ ...TARGET });
    await settled();
    expect(topics).toEqual(["ops.audit", "ops.audit"]);
    fail("STATION_UNKNOWN");
    station.use(other);
    await clock.pending(500);
    expect(topics).toEqual(["ops.audit", "ops.audit", "ops.other"]);
    expect(warnings).toMatchObject([
      { station: "audit", err: { code: "BROKER_UNAVAILABLE" } },
      { station: "other", err: { code: "STATION_UNKNOWN" } },
    ]);
  });

  it("drops waiting entries when the settings name no station any more", async () => {
    const { station, clock, fail, warnings, numbers, unstored } = rig();
    fail("BROKER_UNAVAILABLE");
    station.add(lineOf(1));
    await clock.pending(500);
    station.use(undefined);
    station.add(lineOf(2));
    clock.advance(500);
    await settled();
    expect([numbers(), unstored()]).toEqual([[], 1]);
    expect(warnings).toContainEqual(expect.objectContaining({ reason: "audit.station is not set any more" }));
    fail(undefined);
    station.use(TARGET);
    station.add(lineOf(3));
    await settled();
    expect(numbers()).toEqual([3]);
  });
});
