import { parseConnectorConfig } from "../../../src/delivery/connectors/connector-config.ts";
import { NO_DECODING } from "../../../src/delivery/connectors/decoding.ts";
import { planOf } from "../../../src/delivery/connectors/plan.ts";
import type { DeliveryPlan } from "../../../src/delivery/engine/delivery-plan.ts";
import { replayPlan } from "../../../src/delivery/engine/replay.ts";

const FAILED = {
  connector: "crm",
  stage: "TASK_PUT",
  attempts: 2,
  status: 500,
  error: "HTTP status 500",
} as const;

const planWith = (config: Record<string, string> = {}): DeliveryPlan => {
  const parsed = parseConnectorConfig("crm", {
    "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
    topics: "orders",
    "http.url": "https://example.com/hook",
    "http.authorization.type": "none",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "errors.tolerance": "all",
    "errors.deadletterqueue.topic.name": "dead",
    ...config,
  });
  if ("faults" in parsed) throw new Error(parsed.faults.map(({ message }) => message).join("\n"));
  return planOf(parsed.model, NO_DECODING);
};

const CONTEXT = { "errors.deadletterqueue.context.headers.enable": "true" };

const record = {
  ...{ topic: "orders", partition: 3, offset: 17n, timestamp: 1, key: Buffer.from("k") },
  ...{ value: Buffer.from('"text"'), headers: [{ name: "a", value: Buffer.from("1") }] },
};

/** The record of the dead letter queue that the plan writes for `record`. */
const letterOf = ({ deadLetterForm: form }: DeliveryPlan) => ({
  ...{ ...record, topic: "dead", partition: 0, offset: 0n },
  headers: form?.headersOf(record, FAILED) ?? [],
});

describe("a dead letter with context headers", () => {
  it("leads back to its record", () => {
    const plan = planWith(CONTEXT);

    expect(plan.deadLetterForm?.originalOf(letterOf(plan), "crm")).toStrictEqual(record);
    expect(plan.deadLetterForm?.originalOf(letterOf(plan), "other")).toBeUndefined();
    expect(plan.deadLetterForm?.originalOf(record, "crm")).toBeUndefined();
  });

  it("is replayed as its record, with the converted value", () => {
    const plan = planWith(CONTEXT);
    const replay = replayPlan(plan);
    const prepared = replay.preparation?.prepare(letterOf(plan));

    expect(prepared).toStrictEqual({
      action: "send",
      record: { ...record, value: Buffer.from("text") },
    });
    expect(replay.topics).toStrictEqual({ names: ["dead"] });
  });

  it("has one set of context headers after it failed again", () => {
    const { deadLetterForm: form } = planWith(CONTEXT);
    const once = form?.headersOf(record, FAILED) ?? [];

    expect(form?.headersOf({ ...record, headers: once }, FAILED)).toStrictEqual(once);
  });
});

describe("a dead letter without context headers", () => {
  it("is the record as it was, and can't be replayed", () => {
    const plan = planWith();

    expect(letterOf(plan).headers).toStrictEqual(record.headers);
    expect(() => replayPlan(plan)).toThrow(
      "The dead letters of connector crm can't be replayed: they don't say which record they were; " +
        "set errors.deadletterqueue.context.headers.enable=true for later ones",
    );
  });
});

it("a missing dead letter queue gets one partition and at most the configured replicas", () => {
  expect(planWith().deadLetterForm?.creation).toStrictEqual({ partitions: 1, replicasAtMost: 3 });
  expect(
    planWith({ "errors.deadletterqueue.topic.replication.factor": "1" }).deadLetterForm?.creation,
  ).toStrictEqual({ partitions: 1, replicasAtMost: 1 });
});
