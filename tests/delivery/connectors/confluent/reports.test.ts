/** Reports of the deliveries of Confluent's sinks. */
import type { ConsumedRecord } from "../../../../src/broker/broker.ts";
import { TOPIC } from "../../rig.ts";
import { NOT_FOUND, start, produce, confluent, bodies, rig, endpoint, stop, type Config } from "./raw-rig.ts";

afterEach(stop);

const reportsIn = async (topic: string, count: number): Promise<readonly ConsumedRecord[]> => {
  const records: ConsumedRecord[] = [];
  while ((await rig.broker.topic(topic)) === undefined) await new Promise(setImmediate);
  const reader = await rig.broker.subscribe(
    { group: "reports", topics: [topic], from: "earliest" },
    { onRecords: (some) => records.push(...some) },
  );
  while (records.length < count) await new Promise(setImmediate);
  await reader.close();
  return records;
};

const shown = ({ key, value, headers }: ConsumedRecord) => ({
  key,
  value: value?.toString(),
  headers: Object.fromEntries(headers.map((header) => [header.name, header.value?.toString() ?? null])),
});

const input = (offset: number) => ({
  input_record_offset: String(offset),
  input_record_timestamp: "1000",
  input_record_partition: "0",
  input_record_topic: TOPIC,
});

describe("reports", () => {
  it("have the answer of each record of a batch", async () => {
    await start();
    await produce({ value: "1" }, { value: "2" });
    const runner = rig.run(confluent({ "batch.max.size": "2", "reporter.bootstrap.servers": "x" }));
    const reports = await reportsIn("crm-success", 2);
    await runner.stop();

    expect(reports.map(shown)).toStrictEqual([
      { key: null, value: '"ok"', headers: input(0) },
      { key: null, value: '"ok"', headers: input(1) },
    ]);
    expect(await rig.committed()).toBe(2n);
    expect(await rig.broker.topic("crm-success")).toMatchObject({ partitions: 1 });
    expect(await rig.broker.topic("crm-error")).toBeUndefined();
  });

  const text = (U: string): string =>
    `Retry time lapsed, unable to process HTTP request. HTTP Response code: 404, Reason phrase: Not Found, Url: ${U}, Response content: C, Exception: null, Error message: null`;

  it.each<[Config, (url: string) => string]>([
    [{}, (url) => JSON.stringify(text(url))],
    [{ "reporter.error.topic.value.format": "string" }, text],
    [{ "report.errors.as": "HTTP_RESPONSE" }, () => '"C"'],
  ])("of an error with %j", async (config, value) => {
    await start([NOT_FOUND]);
    await produce({ value: "1" });
    rig.run(
      confluent({
        "retry.on.status.codes": "500-",
        "behavior.on.error": "ignore",
        "reporter.error.topic.name": "${connector}-bad",
        ...config,
      }),
    );
    const [report] = await reportsIn("crm-bad", 1);
    const url = `${endpoint.url}/api/messages`;

    expect(report && shown(report)).toStrictEqual({
      key: null,
      value: value(url),
      headers: {
        ...input(0),
        ...{ error_message: null, exception: null, response_content: "C", status_code: "404" },
        ...{ payload: "1", reason_phrase: "Not Found", url },
      },
    });
  });

  it("are written of a record without a request, and of a record that stops the task", async () => {
    await start();
    await produce({ value: null });
    rig.run(confluent({ "behavior.on.null.values": "fail", "reporter.result.topic.name": "" }));
    const [report] = await reportsIn("crm-error", 1);
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(report && shown(report).headers).toStrictEqual({
      ...input(0),
      ...{ error_message: "the record has no value", exception: null, response_content: null },
      ...{ status_code: null, payload: null, reason_phrase: null, url: null },
    });
  });

  it("come before the record is committed", async () => {
    await start();
    await produce({ value: "1" });
    const append = rig.broker.append.bind(rig.broker);
    let fails = 0;
    rig.broker.append = (topic, records) => {
      if (topic !== "crm-success") return append(topic, records);
      fails += 1;
      return Promise.reject(new Error("the broker is gone"));
    };
    const runner = rig.run(confluent({ "reporter.result.topic.name": "crm-success" }));
    while (fails === 0) await new Promise(setImmediate);
    await runner.stop();

    expect(await rig.committed()).toBe(0n);

    rig.broker.append = append;
    rig.run(confluent({ "reporter.result.topic.name": "crm-success" }));

    expect((await reportsIn("crm-success", 1)).map(shown)).toMatchObject([{ headers: input(0) }]);
    expect(bodies()).toStrictEqual(["1", "1"]);
  });
});
