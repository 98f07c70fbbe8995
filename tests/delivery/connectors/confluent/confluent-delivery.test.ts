/** Configurations as they are posted to Confluent's HTTP sink, and the bytes of the requests that they make. */
import { createFakeClock } from "../../../support/fake-clock.ts";
import {
  OK,
  NOT_FOUND,
  DOWN,
  JSON_CONVERTER,
  start,
  received,
  produce,
  confluent,
  request,
  TEXT,
  JSON_TYPE,
  texts,
  bodies,
  lines,
  rig,
  endpoint,
  stop,
  type Config,
} from "./raw-rig.ts";

afterEach(stop);

describe("a request", () => {
  it("is a POST of the value with a content type", async () => {
    await start();
    await produce({ value: "1", key: "k" });
    rig.run(confluent());
    await received(1);

    expect(texts()).toStrictEqual([request("POST /api/messages", [TEXT], "1")]);
  });

  it("has configured headers, credentials, and the headers of the record", async () => {
    await start();
    await produce({
      value: "é",
      key: "a/b",
      headers: [
        { name: "X-Own", value: Buffer.from("ü") },
        { name: "x-a", value: Buffer.from("loses") },
        { name: "Empty", value: null },
        { name: "Host", value: Buffer.from("h") },
        { name: "Transfer-Encoding", value: Buffer.from("chunked") },
        { name: "Content-Length", value: Buffer.from("7") },
        { name: "bad name", value: Buffer.from("x") },
        { name: "bad-value", value: Buffer.from("a\r\nb") },
      ],
    });
    rig.run(
      confluent({
        "request.method": "patch",
        headers: " X-A : 1;X-Key: ${topic}.${key}",
        "header.separator": ";",
        "auth.type": "BASIC",
        "connection.user": "admin",
        "connection.password": "pass:word",
        "batch.prefix": "<",
        "batch.suffix": ">",
      }),
    );
    await received(1);

    expect(texts()[0]).toBe(
      request(
        "PATCH /api/messages",
        [
          "X-A: 1",
          "X-Key: orders.a/b",
          `Authorization: Basic ${Buffer.from("admin:pass:word").toString("base64")}`,
          TEXT,
          "X-Own: ü",
          "Empty: ",
        ],
        "<é>",
      ),
    );
  });

  it("has templates in the URL, percent-encoded, and member values with their own digits", async () => {
    await start();
    await produce({
      value: '{"order":{"id":12345678901234567890,"name":"a b/ü"}}',
      key: "k/1?",
    });
    rig.run(
      confluent({
        ...JSON_CONVERTER,
        "http.api.url": `${endpoint.url}/api/\${topic}/\${key}/\${order.id}?name=\${order.name}`,
        "request.body.format": "json",
      }),
    );
    await received(1);

    expect(texts()).toStrictEqual([
      request(
        "POST /api/orders/k%2F1%3F/12345678901234567890?name=a%20b%2F%C3%BC",
        [JSON_TYPE],
        '[{"order":{"id":12345678901234567890,"name":"a b/ü"}}]',
      ),
    ]);
  });
});

describe("a body", () => {
  it.each<[Config, string, string]>([
    [{}, '{"a":1}', '{"a":1}'],
    [{ ...JSON_CONVERTER }, '{"b":1, "a":2}', '{"b":1, "a":2}'],
    [{ ...JSON_CONVERTER }, '"txt"', "txt"],
    [{ "request.body.format": "json" }, "1", '["1"]'],
    [{ "request.body.format": "json", ...JSON_CONVERTER }, '"1"', '["1"]'],
    [{ "request.body.format": "json", "input.data.format": "JSON" }, '{"a":1}', '[{"a":1}]'],
    [{ "request.body.format": "json", ...JSON_CONVERTER, "batch.json.as.array": "false" }, "[1]", "[1]"],
    [
      { "regex.patterns": "^~$", "regex.replacements": '{"${topic}":~}', "regex.separator": "~" },
      '"12"',
      '{"orders":"12"}',
    ],
    [{ "regex.patterns": "([a-z])(\\d)", "regex.replacements": "$2$1" }, "a1b2", "1a2b"],
    [{ "regex.patterns": "a~b", "regex.replacements": "b" }, "aab", ""],
    [{ "regex.patterns": "x", "regex.replacements": "<${key}>" }, "xx", "<$1><$1>"],
    [{ "regex.patterns": "x", "regex.replacements": "\\$1" }, "x", "$1"],
    [{ "regex.patterns": "(?i)X", "regex.replacements": "y" }, "x", "y"],
  ])("with %j of %s is %s", async (config, value, body) => {
    await start();
    await produce({ value, key: "$1" });
    rig.run(confluent(config));
    await received(1);

    expect(bodies()).toStrictEqual([body]);
  });
});

describe("batches", () => {
  it("have records with the same key pattern, URL and headers, and keep their order", async () => {
    await start();
    await produce(...["a1", "b1", "a2", "b2", "a3"].map((value) => ({ value, key: value.slice(0, 1) })));
    rig.run(
      confluent({
        "batch.max.size": "2",
        "batch.key.pattern": "${key}",
        "batch.prefix": "[",
        "batch.suffix": "]",
        "batch.seperator": ";",
      }),
    );
    await received(3);

    expect(bodies().toSorted()).toStrictEqual(["[a1;a2]", "[a3]", "[b1;b2]"]);
  });

  it("are split by URL and by record headers", async () => {
    await start();
    const headers = [{ name: "h", value: Buffer.from("1") }];
    await produce(
      { value: "1", key: "a" },
      { value: "2", key: "b" },
      { value: "3", key: "a", headers },
      { value: "4", key: "a" },
    );
    rig.run(confluent({ "batch.max.size": "9", "http.api.url": `${endpoint.url}/\${key}` }));
    await received(3);

    expect(bodies().toSorted()).toStrictEqual(["1,4", "2", "3"]);
  });

  it("end before a DELETE, which has no body", async () => {
    await start();
    await produce(
      { value: "1", key: "a" },
      { value: "2", key: "b" },
      { value: null, key: "a/b" },
      { value: "3", key: "a" },
    );
    rig.run(confluent({ "batch.max.size": "9", "behavior.on.null.values": "delete", headers: "X-A: 1" }));
    await received(3);

    expect(texts()).toStrictEqual([
      request("POST /api/messages", ["X-A: 1", TEXT], "1,2"),
      request("DELETE /api/messages/a%2Fb", ["X-A: 1"], ""),
      request("POST /api/messages", ["X-A: 1", TEXT], "3"),
    ]);
  });
});

describe("a null value", () => {
  it("goes to the URL with ${key} as it is", async () => {
    await start();
    await produce({ value: null, key: "7" });
    rig.run(
      confluent({ "http.api.url": `${endpoint.url}/a/\${key}?x=1`, "behavior.on.null.values": "delete" }),
    );
    await received(1);

    expect(lines()).toStrictEqual(["DELETE /a/7?x=1"]);
  });

  it.each<[string, Config, readonly object[], readonly object[]]>([
    ["is skipped", {}, [], []],
    ["is skipped and logged", { "behavior.on.null.values": "log" }, [{ offset: 0n }], []],
    [
      "is a failure",
      { "behavior.on.null.values": "fail", "behavior.on.error": "ignore" },
      [],
      [{ offset: 0n, deadLettered: false }],
    ],
    [
      "without a key can't be deleted",
      { "behavior.on.null.values": "delete", "behavior.on.error": "log" },
      [],
      [{ offset: 0n, deadLettered: false }],
    ],
  ])("%s", async (_, config, skips, drops) => {
    await start();
    await produce({ value: null }, { value: "next" });
    rig.run(confluent(config));
    await received(1);

    expect(bodies()).toStrictEqual(["next"]);
    expect(rig.skips).toMatchObject(skips);
    expect(rig.drops).toStrictEqual(drops);
  });

  it("that is a failure stops the task by default", async () => {
    await start();
    await produce({ value: null });
    rig.run(confluent({ "behavior.on.null.values": "fail" }));
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(rig.traces).toStrictEqual(["Delivery stopped at orders-0@0: the record has no value"]);
  });
});

describe("a failure", () => {
  it("is retried, then the connector goes on, without a dead letter", async () => {
    const clock = createFakeClock();
    await start([DOWN, DOWN, OK], clock);
    await produce({ value: "1" }, { value: "2" });
    rig.run(
      confluent({
        "max.retries": "1",
        "behavior.on.error": "log",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "dlq",
      }),
    );
    await received(1);
    while (rig.attempts.length === 0) await new Promise(setImmediate);
    clock.advance(3000);
    await received(3);

    expect(bodies()).toStrictEqual(["1", "1", "2"]);
    expect(rig.attempts[0]).toMatchObject({ outcome: "retry", retryInMs: 3000 });
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: false }]);
    expect(await rig.broker.topic("dlq")).toBeUndefined();
  });

  it("with a status that isn't retried stops the task at once", async () => {
    await start([NOT_FOUND]);
    await produce({ value: "1" }, { value: "2" });
    rig.run(confluent({ "retry.on.status.codes": "500-" }));
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(bodies()).toStrictEqual(["1"]);
    expect(rig.traces).toStrictEqual(["Delivery stopped at orders-0@0 after attempt 1: HTTP status 404"]);
  });

  it("of a template leaves the other records", async () => {
    await start();
    await produce({ value: '{"b":1}' }, { value: '{"a":2}' });
    rig.run(
      confluent({
        ...JSON_CONVERTER,
        "http.api.url": `${endpoint.url}/\${a}`,
        "behavior.on.error": "ignore",
      }),
    );
    await received(1);

    expect(lines()).toStrictEqual(["POST /2"]);
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: false }]);
  });
});
