/** Configurations of Confluent's HTTP sink: faults, and what the values mean. */
import { parseConnectorConfig } from "../../../../src/delivery/connectors/connector-config.ts";
import type { ConnectorModel } from "../../../../src/delivery/connectors/model.ts";
import { FIRST_ATTEMPT, type RetryState } from "../../../../src/delivery/engine/strategy.ts";
import type { HttpResult } from "../../../../src/delivery/engine/delivery-plan.ts";

type Config = Readonly<Record<string, string>>;

const CLASS = "io.confluent.connect.http.HttpSinkConnector";

const MINIMAL: Config = {
  "connector.class": CLASS,
  topics: "orders",
  "http.api.url": "https://example.com/hook",
};

const RECORD = {
  ...{ topic: "orders", partition: 0, offset: 0n, timestamp: 0, key: null, value: null, headers: [] },
};

const parse = (config: Config) => parseConnectorConfig("crm", { ...MINIMAL, ...config });

const faultsOf = (config: Config): readonly string[] => {
  const parsed = parse(config);
  return "faults" in parsed ? parsed.faults.map(({ message }) => message) : [];
};

const modelOf = (config: Config): ConnectorModel => {
  const parsed = parse(config);
  if ("faults" in parsed) throw new Error(faultsOf(config).join("\n"));
  return parsed.model;
};

describe("faults", () => {
  it("are reported all at once", () => {
    const parsed = parseConnectorConfig("crm", {
      "connector.class": CLASS,
      "request.method": "GET",
      "max.retries": "-1",
      "auth.type": "BASIC",
    });

    expect("faults" in parsed && parsed.faults.map(({ message }) => message)).toStrictEqual([
      "Must configure one of topics or topics.regex",
      "connection.user must be set if auth.type is BASIC.",
      'Missing required configuration "http.api.url" which has no default value.',
      "Invalid value GET for configuration request.method: Unknown value. Valid values are [POST, PUT, PATCH]",
      "Invalid value -1 for configuration max.retries: Value must be at least 0",
    ]);
  });

  it.each<[Config, string]>([
    [{ "http.proxy.host": "proxy" }, "Proxy host and port must be defined together"],
    [{ "https.ssl.truststore.location": "/none" }, "the file can't be read"],
    [{ "https.ssl.keystore.location": "/none" }, "the file can't be read"],
    [{ "https.ssl.keystore.key": "x" }, "https.ssl.keystore.key: the text is no JKS, PKCS12 or PEM file"],
    [{ "https.ssl.endpoint.identification.algorithm": "x" }, "Expected https, or an empty value"],
    [{ "csfle.enabled": "true" }, "csfle.enabled: not served here"],
    [{ "oauth2.jwt.enabled": "TRUE" }, "oauth2.jwt.enabled: not served here"],
    [{ "use.open.api.spec": "true" }, "use.open.api.spec: not served here"],
    [{ "use.open.api.spec": "yes" }, "Expected value to be either true or false"],
    [{ "input.data.format": "avro" }, "input.data.format: not served here"],
    [{ "input.data.format": "PROTOBUF" }, "input.data.format: not served here"],
    [{ "batch.json.as.array": "false", "request.body.format": "json", "batch.max.size": "2" }, "must be 1"],
    [{ "regex.patterns": "a~(?=b)" }, "Pattern 2 is not a regular expression of RE2"],
    [{ "regex.patterns": String.raw`(a)\1` }, "Pattern 1 is not a regular expression of RE2"],
    [{ "regex.patterns": "a", "regex.replacements": "$1" }, "Replacement 1 names a group"],
    [{ "retry.on.status.codes": "" }, "is no status"],
    [{ "retry.on.status.codes": "429-400" }, "is no status"],
    [{ "retry.on.status.codes": "400,x" }, "is no status"],
    [{ "retry.on.status.codes": "-500" }, "is no status"],
    [{ headers: "no colon" }, "Pair 1 is not of the form name:value"],
    [{ "http.api.url": "http://${key}.example.com/" }, "only in the path and the query"],
    [{ "http.api.url": "ftp://example.com/" }, "Valid schemes are [http, https]"],
    [{ "reporter.result.topic.name": "orders" }, "It is one of the delivered topics"],
    [{ "reporter.error.topic.name": "a b" }, "Not a topic name"],
    [{ "behavior.on.null.values": "skip" }, "Valid values are [ignore, delete, log, fail]"],
  ])("%j", (config, expected) => {
    expect(faultsOf(config)).toStrictEqual([expect.stringContaining(expected)]);
  });

  it("have no credential", () => {
    expect(faultsOf({ headers: "Authorization: Bearer t0p|broken" }).join()).not.toContain("t0p");
  });

  it("does not serve HttpSink of the Auckland family without http.api.url", () => {
    expect(faultsOf({ "connector.class": "HttpSink" })).toStrictEqual([]);

    const parsed = parseConnectorConfig("crm", { "connector.class": "HttpSink", topics: "orders" });

    expect(parsed).toMatchObject({ faults: [{ key: "callback.request.url" }, {}] });
  });
});

describe("values", () => {
  it.each<Config>([
    {
      "request.method": "put",
      "request.body.format": "JSON",
      "behavior.on.error": "Log",
      "auth.type": "none",
    },
    { "csfle.enabled": "false", "http.proxy.port": "0", "http.proxy.host": "" },
    { "confluent.topic.bootstrap.servers": "x", "max.poll.records": "x", "https.ssl.protocol": "x" },
    { "batch.json.as.array": "false", "request.body.format": "json" },
    { "deletes.send.in.order": "false", "http.url": "x" },
    { "retry.on.status.codes": "404, 408 ,500-" },
  ])("%j are accepted", (config) => {
    expect(faultsOf(config)).toStrictEqual([]);
  });

  it.each<[Config, object]>([
    [{ "input.data.format": "json" }, { kind: "json", withSchemas: false }],
    [{ "input.data.format": "STRING" }, { kind: "none" }],
    [{ "input.data.format": "bytes" }, { kind: "none" }],
    [{}, { kind: "none" }],
  ])("%j chooses the conversion", (config, conversion) => {
    expect(modelOf(config).conversion).toMatchObject(conversion);
  });
});

describe("an answer", () => {
  const answer = (status: number): HttpResult => ({ status, retryAfter: undefined, body: Buffer.alloc(0) });

  it.each<[string | undefined, number, string]>([
    [undefined, 200, "done"],
    [undefined, 299, "done"],
    [undefined, 302, "final"],
    [undefined, 400, "retry"],
    [undefined, 599, "retry"],
    ["404,408,500-", 404, "retry"],
    ["404,408,500-", 405, "final"],
    ["404,408,500-", 500, "retry"],
    ["400-429", 400, "retry"],
    ["400-429", 429, "retry"],
    ["400-429", 430, "final"],
  ])("retry.on.status.codes %s: %i is %s", (codes, status, expected) => {
    const model = modelOf(codes === undefined ? {} : { "retry.on.status.codes": codes });

    expect(model.classify(answer(status), RECORD)).toBe(expected);
  });

  it("that is missing is retried", () => {
    expect(modelOf({}).classify({ kind: "lost", error: "late" }, RECORD)).toBe("retry");
  });
});

/** The bounds of each wait, then the last action. */
const waitsOf = ({ strategy }: ConnectorModel): readonly unknown[] => {
  const waits: unknown[] = [];
  for (let state: RetryState = FIRST_ATTEMPT; ;) {
    const verdict = strategy.after(state, "retry", RECORD);
    if (verdict.action !== "wait") return [...waits, verdict.action];
    waits.push(verdict.upToMs === undefined ? verdict.ms : [verdict.ms, verdict.upToMs]);
    ({ state } = verdict);
  }
};

describe("waits", () => {
  const exponential = [[100, 100], [100, 200], [100, 400], "stop"];
  const short = { "max.retries": "3", "retry.backoff.ms": "100" };

  it.each<[Config, readonly unknown[]]>([
    [{}, [3000, 3000, 3000, 3000, 3000, "stop"]],
    [{ ...short, "retry.backoff.policy": "EXPONENTIAL_WITH_JITTER" }, exponential],
    [{ ...short, "connector.class": "HttpSink" }, exponential],
    [
      { ...short, "connector.class": "HttpSink", "retry.backoff.policy": "constant_value" },
      [100, 100, 100, "stop"],
    ],
    [{ "max.retries": "0", "behavior.on.error": "ignore" }, ["drop"]],
    [{ "max.retries": "0", "behavior.on.error": "log" }, ["drop"]],
    [{ "max.retries": "0", "behavior.on.error": "fail", "errors.tolerance": "all" }, ["stop"]],
  ])("with %j", (config, expected) => {
    expect(waitsOf(modelOf(config))).toStrictEqual(expected);
  });

  it("are at most a day", () => {
    const model = modelOf({ "max.retries": "40", "retry.backoff.policy": "exponential_with_jitter" });

    expect(waitsOf(model).at(-2)).toStrictEqual([3000, 86_400_000]);
  });
});
