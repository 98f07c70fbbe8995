import { longestWindowOf, onceGroupOf, onceTopicOf, whyWithoutHomes } from "../../src/app/once-rights.ts";
import type { Broker, BrokerRecord, OnceBatch, OnceBatchResult } from "../../src/broker/broker.ts";
import { type Settings, settingsSchema } from "../../src/config/schema/schema.ts";
import { GatewayError } from "../../src/errors.ts";

const HOUR = 3_600_000;
const settings = settingsSchema.parse({
  once: { topic: "_stationgate-x", partitions: 3 },
  stations: [{ name: "orders" }, { name: "clicks", topic: "Clicks" }],
});

interface Answers {
  readonly ensureTopic?: () => Promise<{ readonly partitions: number }>;
  readonly heartbeat?: () => Promise<void>;
  readonly read?: (topic: string) => Promise<void>;
  readonly append?: OnceBatchResult;
}

/** A broker that gives every right, but for these answers. */
const brokerOf = (answers: Answers) => {
  const appended: BrokerRecord[] = [];
  const broker = {
    ensureTopic: answers.ensureTopic ?? (() => Promise.resolve({ partitions: 3 })),
    groups: { heartbeat: answers.heartbeat ?? (() => Promise.resolve()) },
    read: ({ topic }: { readonly topic: string }) => (answers.read ?? (() => Promise.resolve()))(topic),
    appendOnce: (_topic: string, batches: readonly OnceBatch[]) => {
      appended.push(...batches.flatMap(({ records }) => records));
      return Promise.resolve([answers.append ?? { status: "stored", baseOffset: 0n, timestamp: 1 }]);
    },
  } as unknown as Broker;
  return { appended, why: () => whyWithoutHomes(broker, settings, 1000) };
};

const rejecting =
  (...error: ConstructorParameters<typeof GatewayError>): (() => Promise<never>) =>
  () =>
    Promise.reject(new GatewayError(...error));

it("finds no reason if Kafka gives every right, and appends a record that the homes ignore", async () => {
  const { appended, why } = brokerOf({});
  expect(await why()).toBeUndefined();
  expect(appended).toMatchObject([{ key: null, value: null }]);
});

it.each<[string, Answers]>([
  ["Create on the topic _stationgate-x", { ensureTopic: rejecting("TOPIC_REFUSED") }],
  ["Read on the group stationgate-x", { heartbeat: rejecting("GROUP_REFUSED") }],
  ["Read on the topic _stationgate-x", { read: rejecting("TOPIC_REFUSED") }],
  [
    "Write on the topic _stationgate-x",
    { append: { status: "refused", error: new GatewayError("TOPIC_REFUSED") } },
  ],
])("names the missing right %s, and appends nothing more", async (right, answers) => {
  const { appended, why } = brokerOf(answers);
  expect(await why()).toBe(`Kafka does not give the gateway the right ${right}`);
  expect(appended).toHaveLength(answers.append === undefined ? 0 : 1);
});

describe("a station's topic", () => {
  const ofClicks =
    (code: "TOPIC_REFUSED" | "PARTITION_UNKNOWN" | "OFFSET_OUT_OF_RANGE" | "BROKER_UNAVAILABLE") =>
    (topic: string): Promise<void> =>
      topic === "Clicks" ? Promise.reject(new GatewayError(code)) : Promise.resolve();

  it("that the gateway may not read is the reason", async () => {
    expect(await brokerOf({ read: ofClicks("TOPIC_REFUSED") }).why()).toBe(
      "Kafka does not give the gateway the right Read on the topic Clicks",
    );
  });

  it.each(["PARTITION_UNKNOWN", "OFFSET_OUT_OF_RANGE"] as const)("may answer %s", async (code) => {
    expect(await brokerOf({ read: ofClicks(code) }).why()).toBeUndefined();
  });

  it("is asked again while Kafka is unavailable", async () => {
    await expect(brokerOf({ read: ofClicks("BROKER_UNAVAILABLE") }).why()).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
  });
});

it("keeps the text of a broker that says more", async () => {
  const message = "Kafka does not let the gateway change retention.ms of _stationgate-x";
  const { why } = brokerOf({ ensureTopic: rejecting("TOPIC_REFUSED", { message }) });
  expect(await why()).toBe(message);
});

it("finds no missing right if the first records of the topic are gone", async () => {
  expect(await brokerOf({ read: rejecting("OFFSET_OUT_OF_RANGE") }).why()).toBeUndefined();
});

it("rejects for another number of partitions", async () => {
  const { why } = brokerOf({ ensureTopic: () => Promise.resolve({ partitions: 4 }) });
  await expect(why()).rejects.toMatchObject({
    code: "SETTINGS_INVALID",
    message: "The topic _stationgate-x must have 3 partitions (it has 4); choose another name for it",
  });
});

it.each<[string, Answers]>([
  ["the topic is created", { ensureTopic: rejecting("BROKER_UNAVAILABLE") }],
  ["the group is asked", { heartbeat: rejecting("BROKER_UNAVAILABLE") }],
  ["the topic is read", { read: rejecting("BROKER_UNAVAILABLE") }],
  [
    "a record is not written",
    { append: { status: "unsent", error: new GatewayError("BROKER_UNAVAILABLE") } },
  ],
  [
    "no answer to a record comes",
    { append: { status: "unknown", error: new GatewayError("BROKER_AMBIGUOUS") } },
  ],
])("rejects if Kafka is unavailable while %s", async (_, answers) => {
  await expect(brokerOf(answers).why()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
});

describe("the topic of the slots", () => {
  const withWindows = (callWindow: number, duplicateWindow: number, window: number): Settings => ({
    ...settings,
    once: { ...settings.once, callWindow },
    webhooks: [{ duplicateWindow }] as unknown as Settings["webhooks"],
    stations: [{}, { once: { window } }] as unknown as Settings["stations"],
  });

  it("is kept as long as the longest window of calls, deliveries and stations", () => {
    for (const windows of [
      [90, 1, 2],
      [1, 90, 2],
      [1, 2, 90],
    ] as const) {
      const [calls, deliveries, stations] = windows;
      const used = withWindows(calls * HOUR, deliveries * HOUR, stations * HOUR);
      expect(longestWindowOf(used)).toBe(90 * HOUR);
      expect(onceTopicOf(used)).toEqual({
        ...{ name: "_stationgate-x", partitions: 3, logAppendTime: true, retentionMs: 90 * HOUR },
      });
    }
  });

  it("is kept for a day at least, and has the time of the broker", () => {
    expect(onceTopicOf(withWindows(1000, 1000, 1000))).toMatchObject({
      ...{ retentionMs: 24 * HOUR, logAppendTime: true },
    });
  });

  it("has a group with its name", () => {
    expect(onceGroupOf(settings)).toBe("stationgate-x");
  });
});
