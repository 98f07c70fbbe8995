import fc from "fast-check";
import {
  parseAuckland,
  type AucklandSettings,
} from "../../../../src/delivery/connectors/auckland/auckland.ts";
import type { RawConfig } from "../../../../src/delivery/connectors/masking.ts";

const MINIMAL = {
  topics: "orders",
  "callback.request.url": "https://example.com/hook?a=1",
  "callback.request.method": "POST",
};

const settingsOf = (config: RawConfig): AucklandSettings => {
  const parsed = parseAuckland("crm", { ...MINIMAL, ...config });
  if ("faults" in parsed) throw new Error(parsed.faults.map(({ message }) => message).join("\n"));
  return parsed.settings;
};

const faultsOf = (config: RawConfig): readonly string[] => {
  const parsed = parseAuckland("crm", config);
  return "faults" in parsed ? parsed.faults.map(({ message }) => message) : [];
};

describe("a minimal configuration", () => {
  it("has the sink's defaults", () => {
    expect(settingsOf({})).toStrictEqual({
      name: "crm",
      topics: { names: ["orders"] },
      url: new URL("https://example.com/hook?a=1"),
      method: "POST",
      headers: [],
      strategy: "PROGRESS_BACK_OFF_DROP_MESSAGE",
      schedules: { retry: [5000, 30_000, 60_000, 300_000, 600_000], down: [5000, 10_000, 15_000] },
      connectTimeoutMs: 60_000,
      readTimeoutMs: 60_000,
      delayMs: 0,
      tasksMax: 1,
      concurrency: 1,
      jitter: 0,
      ratePerSecond: undefined,
      startAt: "earliest",
      ordering: "partition",
      successWithoutFlag: false,
      maxRetryAfterMs: 0,
      deadLetterTopic: undefined,
      tombstones: "skip",
      decode: "none",
      decodeFailure: "stop",
      secret: undefined,
      transformations: [],
      filter: undefined,
      transform: undefined,
    });
  });
});

describe("values", () => {
  it.each<[RawConfig, Partial<AucklandSettings>]>([
    [{ "callback.request.method": "put" }, { method: "PUT" }],
    [{ topics: " a , b,a," }, { topics: { names: ["a", "b"] } }],
    [{ "exception.strategy": "Stop_Task" }, { strategy: "STOP_TASK" }],
    [
      { "retry.backoff.sec": " 1, 2 ,3" },
      { schedules: { retry: [1000, 2000, 3000], down: [5000, 10_000, 15_000] } },
    ],
    [{ "retry.backoff.sec": "1,2, " }, { schedules: { retry: [1000, 2000], down: [5000, 10_000, 15_000] } }],
    [
      { "request.retry.backoff.sec": "0" },
      { schedules: { retry: [5000, 30_000, 60_000, 300_000, 600_000], down: [0] } },
    ],
    [{ "request.delay.sec": "7" }, { delayMs: 7000 }],
    [
      { "callback.timeout.connect.ms": "1", "callback.timeout.read.ms": "2" },
      { connectTimeoutMs: 1, readTimeoutMs: 2 },
    ],
    [
      { ordering: "KEY", concurrency: "64", "tasks.max": "3" },
      { ordering: "key", concurrency: 64, tasksMax: 3 },
    ],
    [{ "success.without.flag": "Success" }, { successWithoutFlag: true }],
    [
      { "retry.after": "honour", "request.jitter": "0.25" },
      { maxRetryAfterMs: 86_400_000, jitter: 0.25 },
    ],
    [{ "rate.limit.per.sec": "2.5" }, { ratePerSecond: 2.5 }],
    [
      { "dead.letter.topic": "orders.dead", tombstones: "dead-letter" },
      { deadLetterTopic: "orders.dead", tombstones: "dead-letter" },
    ],
    [
      { decode: "avro-json", "dead.letter.topic": "dead" },
      { decode: "avro-json", decodeFailure: "dead-letter" },
    ],
    [{ decode: "json", "decode.failure": "skip", "dead.letter.topic": "dead" }, { decodeFailure: "skip" }],
    [{ secret: `whsec_${"AAEC".repeat(8)}` }, { secret: Buffer.from("000102".repeat(8), "hex") }],
    [
      { "callback.request.headers": "A:b:c| D : e " },
      {
        headers: [
          ["A", "b:c"],
          ["D", "e"],
        ],
      },
    ],
    [
      { "callback.request.headers": "A:b;C:d", "callback.header.separator": ";" },
      {
        headers: [
          ["A", "b"],
          ["C", "d"],
        ],
      },
    ],
    [
      { "callback.request.headers": '{"A":"b:c|d","N":1}' },
      {
        headers: [
          ["A", "b:c|d"],
          ["N", "1"],
        ],
      },
    ],
  ])("%j", (config, expected) => {
    expect(settingsOf(config)).toMatchObject(expected);
  });

  it("accept the method under its documented name too", () => {
    const { topics, "callback.request.url": url } = MINIMAL;

    expect(
      faultsOf({ topics, "callback.request.url": url, "callback.request.methods": "delete" }),
    ).toStrictEqual([]);
  });

  it("match a pattern against whole names", () => {
    const { topics } = settingsOf({ topics: "", "topics.regex": "order.*" });

    expect(
      "pattern" in topics && ["orders", "my-orders"].map((name) => topics.pattern.test(name)),
    ).toStrictEqual([true, false]);
  });

  it("ignore keys of Kafka Connect itself", () => {
    const config = {
      "key.converter": "x",
      "errors.tolerance": "all",
      transforms: "",
      predicates: " ",
      "connector.class": "HttpSink",
      name: "crm",
    };

    expect(faultsOf({ ...MINIMAL, ...config })).toStrictEqual([]);
  });
});

describe("faults", () => {
  it.each<[RawConfig, string]>([
    [
      { filter: "data.a==" },
      "Invalid value data.a== for configuration filter: Unexpected token: EOF (at character 9)",
    ],
    [
      { "callback.request.method": "PATCH" },
      "Invalid value PATCH for configuration callback.request.method: Unknown value. Valid values are [POST, PUT, DELETE]",
    ],
    [
      { "callback.request.url": "ftp://x/y" },
      "Invalid value ftp://x/y for configuration callback.request.url: Valid schemes are [http, https]",
    ],
    [
      { "callback.request.url": "/hook" },
      "Invalid value /hook for configuration callback.request.url: Not an absolute URL",
    ],
    [
      { "callback.request.url": "http://u:%zz@x/" },
      "Invalid value http://********@x/ for configuration callback.request.url: User or password is not percent-encoded",
    ],
    [
      { "exception.strategy": "GIVE_UP" },
      "Invalid value GIVE_UP for configuration exception.strategy: Unknown value. Valid values are [PROGRESS_BACK_OFF_DROP_MESSAGE, PROGRESS_BACK_OFF_STOP_TASK, DROP_MESSAGE, STOP_TASK]",
    ],
    [
      { "retry.backoff.sec": "5,-1" },
      "Invalid value 5,-1 for configuration retry.backoff.sec: -1 is not a whole number of seconds",
    ],
    ...["", ",", "1,,2", "1,2,,", ",1"].map((schedule): [RawConfig, string] => [
      { "request.retry.backoff.sec": schedule },
      `Invalid value ${schedule} for configuration request.retry.backoff.sec: An item is empty`,
    ]),
    [{ "tasks.max": "0" }, "Invalid value 0 for configuration tasks.max: Value must be at least 1"],
    [{ concurrency: "many" }, "Invalid value many for configuration concurrency: Not a number of type INT"],
    [
      { concurrency: "100001" },
      "Invalid value 100001 for configuration concurrency: Value must be no more than 10000",
    ],
    [
      { "request.jitter": "2" },
      "Invalid value 2 for configuration request.jitter: Value must be between 0 and 1",
    ],
    [
      { "rate.limit.per.sec": "" },
      "Invalid value  for configuration rate.limit.per.sec: Not a number of type DOUBLE",
    ],
    [{ "topics.regex": "o.*" }, "topics and topics.regex are mutually exclusive options, but both are set."],
    [
      { topics: "", "topics.regex": "(" },
      "Invalid value ( for configuration topics.regex: Not a regular expression",
    ],
    [
      { topics: "_stationgate-connectors" },
      "Invalid value _stationgate-connectors for configuration topics: _stationgate-connectors is an internal topic and can't be delivered",
    ],
    [
      { topics: "orders,__consumer_offsets" },
      "Invalid value orders,__consumer_offsets for configuration topics: __consumer_offsets is an internal topic and can't be delivered",
    ],
    [
      { "dead.letter.topic": "_stationgate-connectors" },
      "Invalid value _stationgate-connectors for configuration dead.letter.topic: It is an internal topic",
    ],
    [
      { "dead.letter.topic": "orders" },
      "Invalid value orders for configuration dead.letter.topic: It is one of the delivered topics",
    ],
    [
      { "dead.letter.topic": "a/b" },
      "Invalid value a/b for configuration dead.letter.topic: Not a topic name",
    ],
    [
      { decode: "avro" },
      "Invalid value avro for configuration decode: Unknown value. Valid values are [none, json, avro-json]",
    ],
    [
      { "decode.failure": "drop" },
      "Invalid value drop for configuration decode.failure: Unknown value. Valid values are [stop, dead-letter, skip, send]",
    ],
    [{ "decode.failure": "dead-letter" }, "decode.failure is dead-letter, but dead.letter.topic is not set."],
    [{ tombstones: "dead-letter" }, "tombstones is dead-letter, but dead.letter.topic is not set."],
    [
      { secret: "not base64!" },
      "Invalid value ******** for configuration secret: Not the base64 of 24 to 64 bytes, with or without the prefix whsec_",
    ],
    [
      { secret: "whsec_eA==" },
      "Invalid value ******** for configuration secret: Not the base64 of 24 to 64 bytes, with or without the prefix whsec_",
    ],
    [
      { "callback.request.headers": "NoColon" },
      "Invalid value ******** for configuration callback.request.headers: Pair 1 is not of the form name:value",
    ],
    [
      { "callback.request.headers": "{broken" },
      "Invalid value ******** for configuration callback.request.headers: Not a JSON object",
    ],
    [
      { "callback.request.headers": '{"A":{}}' },
      "Invalid value ******** for configuration callback.request.headers: The value of A is not text",
    ],
    [
      { "callback.request.headers": "Content-Length:3" },
      "Invalid value ******** for configuration callback.request.headers: Content-Length can't be set",
    ],
    [
      { "callback.request.headers": "A:x\ny" },
      "Invalid value ******** for configuration callback.request.headers: The value of A has characters that HTTP does not allow",
    ],
  ])("%j", (config, message) => {
    expect(faultsOf({ ...MINIMAL, ...config })).toContain(message);
  });

  it.each([
    [{ decode: "json" }, { hasRegistry: false }, 1],
    [{ decode: "json" }, { hasRegistry: true }, 0],
    [{ decode: "none" }, { hasRegistry: false }, 0],
    [{ decode: "json" }, {}, 0],
  ])("with %j on a gateway with %j: %i", (config, facts, count) => {
    const parsed = parseAuckland("crm", { ...MINIMAL, ...config }, facts);
    const faults = "faults" in parsed ? parsed.faults : [];
    const message =
      "decode is json, but the gateway has no schema registry. Add the section registry to its settings.";

    expect(faults).toStrictEqual(Array(count).fill({ key: "decode", message }));
  });

  it("refuse the topic of the audit for dead letters", () => {
    const parsed = parseAuckland("crm", { ...MINIMAL, "dead.letter.topic": "ops" }, { auditTopic: "ops" });
    expect(parsed).toEqual({
      faults: [
        {
          key: "dead.letter.topic",
          message: "Invalid value ops for configuration dead.letter.topic: It is the topic of audit.station",
        },
      ],
    });
  });

  it("are reported all at once", () => {
    expect(faultsOf({ "tasks.max": "x", concurrency: "y" })).toHaveLength(5);
  });

  it("never repeat a credential", () => {
    const config = {
      ...MINIMAL,
      "callback.request.url": "nonsense://user:hidden1@host?token=hidden2",
      "callback.request.headers": "Authorization:Bearer hidden3|Broken",
      secret: "hidden4!",
    };

    expect(faultsOf(config).join("\n")).not.toContain("hidden");
  });

  it("are the only result of invalid text, never an exception", () => {
    const keys = [
      "topics",
      "topics.regex",
      "callback.request.url",
      "callback.request.headers",
      "retry.backoff.sec",
      "concurrency",
      "secret",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.string(), (key, value) => {
        expect(() => parseAuckland("crm", { ...MINIMAL, [key]: value })).not.toThrow();
      }),
    );
  });
});
