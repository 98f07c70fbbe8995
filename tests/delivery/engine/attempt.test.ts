/** Attempts that never reach an endpoint, and records with headers that HTTP can't carry. */
import type { BrokerRecord } from "../../../src/broker/broker.ts";
import { startRawEndpoint, HTTP_DONE } from "../../support/raw-endpoint.ts";
import { createRig, TOPIC, type Rig } from "../rig.ts";

let rig: Rig;

afterEach(async () => {
  await rig.close();
});

const untilStopped = async (): Promise<string> => {
  while (rig.traces.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return rig.traces[0] ?? "";
};

const STRATEGIES = [
  "PROGRESS_BACK_OFF_DROP_MESSAGE",
  "PROGRESS_BACK_OFF_STOP_TASK",
  "DROP_MESSAGE",
  "STOP_TASK",
];

describe.each(STRATEGIES)("with %s", (strategy) => {
  it("a host name that resolves to a refused address stops the task and drops no record", async () => {
    rig = await createRig();
    await rig.produce(["a", "b"]);
    const url = `http://localhost:${rig.sink.port}/`;
    rig.run({ "callback.request.url": url, "exception.strategy": strategy }, []);

    expect(await untilStopped()).toMatch(
      /^Delivery stopped at orders-0@0 after attempt 1: localhost resolves to (127\.0\.0\.1|::1), which is not a public address; add it to delivery\.allowTargets to allow it$/,
    );
    expect(rig.drops).toStrictEqual([]);
    expect(rig.attempts).toHaveLength(1);
    expect(rig.sink.requests).toHaveLength(0);
    expect(await rig.committed()).toBeUndefined();
  });

  it("a host name that can't be resolved counts as an endpoint that is down", async () => {
    rig = await createRig();
    await rig.produce(["a"]);
    rig.run({
      "callback.request.url": "http://nowhere.invalid/",
      "exception.strategy": strategy,
      "request.retry.backoff.sec": "0,0",
    });

    expect(await untilStopped()).toMatch(
      /^Delivery stopped at orders-0@0 after attempt 3: .*nowhere\.invalid/,
    );
    expect(rig.drops).toStrictEqual([]);
  });

  it("a kept connection that the endpoint has closed costs no attempt", async () => {
    rig = await createRig();
    const endpoint = await startRawEndpoint((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else socket.resetAndDestroy();
    });
    await rig.produce(["a", "b", "c", "d"]);
    rig.run({ "callback.request.url": endpoint.url, "exception.strategy": strategy });
    while (rig.attempts.length < 4) await new Promise((resolve) => setImmediate(resolve));
    await endpoint.close();

    expect(rig.attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toStrictEqual(
      Array(4).fill("1 delivered"),
    );
    expect(rig.drops).toStrictEqual([]);
  });
});

it.each([
  ["tracestate", "a=b\n"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"],
  ["X-B3-TraceId", "80f198ee56343ba8\n"],
  ["X-B3-TraceId", "\u20ac"],
  ["content-type", "application/json\r\nx-injected: 1"],
  ["bad name\n", "value"],
])("a record with header %j of value %j is sent without the header", async (name, value) => {
  rig = await createRig();
  const record: BrokerRecord = {
    key: null,
    value: Buffer.from("a"),
    headers: [
      { name: "traceparent", value: Buffer.from("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") },
      { name, value: Buffer.from(value) },
    ],
    timestamp: 1,
    partition: 0,
  };
  await rig.broker.append(TOPIC, [record]);
  rig.run();
  await rig.sink.received(1);
  while (rig.attempts.length === 0) await new Promise((resolve) => setImmediate(resolve));

  expect(rig.attempts.map(({ outcome }) => outcome)).toStrictEqual(["delivered"]);
  expect(rig.sink.requests[0]?.headers).not.toHaveProperty("tracestate");
  expect(rig.sink.requests[0]?.headers).not.toHaveProperty("x-injected");
});
