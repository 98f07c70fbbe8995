/** Configurations as they are posted to Aiven's sink, and the requests that they make. */
import type { ConsumedRecord } from "../../../../src/broker/broker.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { createRig, TOPIC, type Rig } from "../../rig.ts";

let rig: Rig;

afterEach(async () => {
  await rig.close();
});

const aiven = (config: Record<string, string> = {}): Record<string, string> => ({
  "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
  "tasks.max": "1",
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.storage.StringConverter",
  "http.url": `${rig.sink.url}/hook?x=1`,
  "http.authorization.type": "none",
  ...config,
});

const OK = { status: 200 };
const FAILED = { status: 500, body: "down" };

/** The headers without those that frame the message. */
const headersOf = (index: number): Record<string, unknown> => {
  const { host, connection, "content-length": length, ...others } = rig.sink.requests[index]?.headers ?? {};

  expect({ host, connection, length }).toStrictEqual({
    host: `127.0.0.1:${rig.sink.port}`,
    connection: "keep-alive",
    length: String(rig.sink.bodies[index]?.length),
  });

  return others;
};

const lettersIn = async (topic: string): Promise<readonly ConsumedRecord[]> => {
  const records: ConsumedRecord[] = [];
  const reader = await rig.broker.subscribe(
    { group: "letters", topics: [topic], from: "earliest" },
    { onRecords: (some) => records.push(...some) },
  );
  while (records.length === 0) await new Promise(setImmediate);
  await reader.close();
  return records;
};

describe("a request", () => {
  it("is a POST of the value, without headers of its own", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce(['{"b":1, "a":2}', ""], { key: "k" });
    rig.run(aiven());
    await rig.sink.received(2);

    expect(rig.sink.requests.map(({ method, url, body }) => [method, url, body])).toStrictEqual([
      ["POST", "/hook?x=1", '{"b":1, "a":2}'],
      ["POST", "/hook?x=1", ""],
    ]);
    expect(headersOf(0)).toStrictEqual({});
  });

  it("has the configured headers", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce(["a"]);
    rig.run(
      aiven({
        "http.authorization.type": "static",
        "http.headers.authorization": "Bearer t:1",
        "http.headers.content.type": "application/json",
        "http.headers.additional": " X-A : 1 ,X-B:2",
      }),
    );
    await rig.sink.received(1);

    expect(headersOf(0)).toStrictEqual({
      ...{ authorization: "Bearer t:1", "content-type": "application/json", "x-a": "1", "x-b": "2" },
    });
  });

  it("skips a null value, and a JSON null", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce([null, "null", "[1]"]);
    rig.run(
      aiven({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
      }),
    );
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual(["[1]"]);
  });
});

describe("a batch", () => {
  it.each([
    [{}, ["v0\nv1\nv2\n", "v3\n"]],
    [{ "batch.prefix": "[", "batch.separator": ",", "batch.suffix": "]" }, ["[v0,v1,v2]", "[v3]"]],
    [{ "batch.prefix": " ", "batch.separator": "\\n", "batch.suffix": "" }, [" v0\\nv1\\nv2", " v3"]],
  ])("has a prefix, separators and a suffix: %j", async (config, bodies) => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce(["v0", "v1", "v2", "v3"]);
    const runner = rig.run(aiven({ "batching.enabled": "true", "batch.max.size": "3", ...config }));
    await rig.sink.received(2);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(bodies);
    expect(await rig.committed()).toBe(4n);
  });

  it("has records of one partition only", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce(["a", "b"], { partition: 0 });
    await rig.produce(["c", "d"], { partition: 1 });
    rig.run(aiven({ "batching.enabled": "true" }));
    await rig.sink.received(2);

    expect(rig.sink.bodies.toSorted()).toStrictEqual(["a\nb\n", "c\nd\n"]);
  });

  it("is retried and fails as a whole, always with the same id", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(() => FAILED);
    await rig.produce(["a", "b"]);
    const secret = `whsec_${Buffer.alloc(24, 1).toString("base64")}`;
    rig.run(aiven({ "batching.enabled": "true", secret }));
    await clock.pending(3000);
    clock.advance(3000);
    await rig.sink.received(2);
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(rig.sink.bodies).toStrictEqual(["a\nb\n", "a\nb\n"]);
    expect(rig.traces).toStrictEqual([
      `Delivery stopped at ${TOPIC}-0@0 to 1 after attempt 2: HTTP status 500`,
    ]);
    expect(await rig.committed()).toBeUndefined();

    const ids = rig.sink.requests.map(({ headers }) => headers["webhook-id"]);

    expect(ids[0]).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(ids[1]).toBe(ids[0]);
  });
});

describe("an answer", () => {
  it.each([200, 204, 301, 399])(
    "with status %i is a success, and no redirect is followed",
    async (status) => {
      rig = await createRig();
      rig.sink.answer(() => ({ status, headers: { location: "/other" } }));
      await rig.produce(["a", "b"]);
      rig.run(aiven());
      await rig.sink.received(2);

      expect(rig.sink.requests.map(({ url, body }) => [url, body])).toStrictEqual([
        ["/hook?x=1", "a"],
        ["/hook?x=1", "b"],
      ]);
    },
  );

  it.each([400, 401, 404, 429, 503])("with status %i is retried after the back-off", async (status) => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer((_, index) =>
      index === 0 ? { status, headers: { "retry-after": "60" }, body: '{"retry":false}' } : OK,
    );
    await rig.produce(["a"]);
    rig.run(aiven({ "retry.backoff.ms": "700" }));
    await clock.pending(700);
    clock.advance(700);
    await rig.sink.received(2);

    expect(rig.sink.bodies).toStrictEqual(["a", "a"]);
    expect(rig.attempts.map(({ retryInMs }) => retryInMs)[0]).toBe(700);
  });
});

describe("a failed record", () => {
  it("goes on with the next record, if all errors are tolerated", async () => {
    rig = await createRig();
    rig.sink.answer(({ body }) => (body === "bad" ? FAILED : OK));
    await rig.produce(["bad", "good"]);
    rig.run(aiven({ "errors.tolerance": "all", "max.retries": "0" }));
    await rig.sink.received(2);

    expect(rig.sink.bodies).toStrictEqual(["bad", "good"]);
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: false }]);
  });

  it("goes to the dead letter queue as it was, with context headers", async () => {
    rig = await createRig();
    rig.sink.answer(({ body }) => (body === "bad" ? FAILED : OK));
    await rig.produce(["bad"], { key: "k" });
    rig.run(
      aiven({
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "dead",
        "errors.deadletterqueue.context.headers.enable": "true",
        "max.retries": "0",
      }),
    );
    const [letter] = await lettersIn("dead");

    expect([String(letter?.key), String(letter?.value)]).toStrictEqual(["k", "bad"]);
    expect(letter?.headers.map(({ name, value }) => [name, String(value)])).toStrictEqual([
      ["__connect.errors.topic", TOPIC],
      ["__connect.errors.partition", "0"],
      ["__connect.errors.offset", "0"],
      ["__connect.errors.connector.name", "crm"],
      ["__connect.errors.task.id", "0"],
      ["__connect.errors.stage", "TASK_PUT"],
      ["__connect.errors.class.name", "io.aiven.kafka.connect.http.HttpSinkTask"],
      ["__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.ConnectException"],
      ["__connect.errors.exception.message", "HTTP status 500"],
      [
        "__connect.errors.exception.stacktrace",
        "org.apache.kafka.connect.errors.ConnectException: HTTP status 500",
      ],
    ]);
  });

  it("has no headers of its own in the dead letter queue without context headers", async () => {
    rig = await createRig();
    await rig.produce(["{"]);
    rig.run(
      aiven({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "dead",
      }),
    );
    const [letter] = await lettersIn("dead");

    expect([letter?.key, String(letter?.value), letter?.headers]).toStrictEqual([null, "{", []]);
  });

  it("stops the task before it, if its value doesn't convert and no error is tolerated", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce(["1", "{", "2"]);
    const runner = rig.run(
      aiven({
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "batching.enabled": "true",
      }),
    );
    await rig.sink.received(1);
    while (rig.traces.length === 0) await new Promise(setImmediate);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(["1\n"]);
    expect(rig.traces).toStrictEqual([
      `Delivery stopped at ${TOPIC}-0@1: the value can't be converted: the value is not JSON`,
    ]);
    expect(await rig.committed()).toBe(1n);
  });
});

describe("a new consumer group", () => {
  it("starts at the end with latest", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce(["before"]);
    const runner = rig.run(aiven({ "consumer.override.auto.offset.reset": "latest" }));
    while (runner.claims.length === 0) await new Promise(setImmediate);
    await rig.produce(["after"]);
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual(["after"]);
  });
});

describe("transformations", () => {
  it("filter records, which are done then", async () => {
    rig = await createRig();
    rig.sink.answer(() => OK);
    await rig.produce([null, "a"]);
    const runner = rig.run(
      aiven({
        tombstones: "send",
        transforms: "drop",
        "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
        "transforms.drop.predicate": "isTombstone",
        predicates: "isTombstone",
        "predicates.isTombstone.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
      }),
    );
    await rig.sink.received(1);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(["a"]);
    expect(await rig.committed()).toBe(2n);
  });
});

describe("an access token", () => {
  const oauth2 = (config: Record<string, string> = {}): Record<string, string> =>
    aiven({
      "http.authorization.type": "oauth2",
      "oauth2.access.token.url": `${rig.sink.url}/token`,
      "oauth2.client.id": "me",
      "oauth2.client.secret": "s3cr3t",
      "retry.backoff.ms": "600000",
      ...config,
    });
  const seen = (): readonly (readonly unknown[])[] =>
    rig.sink.requests.map(({ url, headers }) => [url, url === "/token" ? "" : headers["authorization"]]);

  it("is renewed if the target refuses it, and the request follows at once", async () => {
    rig = await createRig();
    let tokens = 0;
    rig.sink.answer(({ url, headers }) => {
      if (url === "/token") return { status: 200, body: `{"access_token":"t${++tokens}"}` };
      return { status: headers["authorization"] === "Bearer t2" ? 200 : 401 };
    });
    await rig.produce(["a"]);
    const runner = rig.run(oauth2());
    await rig.sink.received(4);
    await runner.stop();

    expect(seen()).toStrictEqual([
      ["/token", ""],
      ["/hook?x=1", "Bearer t1"],
      ["/token", ""],
      ["/hook?x=1", "Bearer t2"],
    ]);
    expect(rig.attempts.map(({ outcome, status, retryInMs }) => [outcome, status, retryInMs])).toStrictEqual([
      ["retry", 401, 0],
      ["delivered", 200, undefined],
    ]);
  });

  it("is not renewed if no retry is left", async () => {
    rig = await createRig();
    rig.sink.answer(({ url }) =>
      url === "/token" ? { status: 200, body: '{"access_token":"t"}' } : { status: 401 },
    );
    await rig.produce(["a"]);
    rig.run(oauth2());
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(rig.attempts.map(({ outcome }) => outcome)).toStrictEqual(["retry", "stopped"]);
    expect(rig.traces).toStrictEqual(["Delivery stopped at orders-0@0 after attempt 2: HTTP status 401"]);
  });

  it("that can't be had is a failed attempt, with the wait of a retry", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer((_, index) => {
      if (index === 0) return { status: 503 };
      return index === 1 ? { status: 200, body: '{"access_token":"t"}' } : OK;
    });
    await rig.produce(["a"]);
    rig.run(oauth2({ "retry.backoff.ms": "3000" }));
    await clock.pending(3000);
    clock.advance(3000);
    await rig.sink.received(3);

    expect(seen()).toStrictEqual([
      ["/token", ""],
      ["/token", ""],
      ["/hook?x=1", "Bearer t"],
    ]);
    expect(rig.attempts[0]).toMatchObject({
      outcome: "retry",
      error: "The token endpoint answered with HTTP status 503",
    });
  });

  it("that the answer doesn't have stops the task, whatever errors.tolerance says", async () => {
    rig = await createRig();
    rig.sink.answer(() => ({ status: 200, body: '{"refresh_token":"secret"}' }));
    await rig.produce(["a"]);
    rig.run(oauth2({ "errors.tolerance": "all" }));
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(rig.traces).toStrictEqual([
      "Delivery stopped at orders-0@0 after attempt 1: The answer of the token endpoint has no access_token",
    ]);
    expect(rig.drops).toStrictEqual([]);
  });
});
