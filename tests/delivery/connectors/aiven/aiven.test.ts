import { writeFileSync } from "node:fs";
import path from "node:path";
import { AIVEN } from "../../../../src/delivery/connectors/aiven/aiven.ts";
import { createTargets } from "../../../../src/delivery/engine/targets.ts";
import type { ConnectorModel } from "../../../../src/delivery/connectors/model.ts";
import { stores } from "../../../lib/key-store/stores.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

type Config = Readonly<Record<string, string>>;

const MINIMAL: Config = {
  "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
  topics: "orders",
  "http.url": "https://example.com/hook?a=1",
  "http.authorization.type": "none",
};

/** The strategy doesn't look at the record. */
const RECORD = {
  ...{ topic: "t", partition: 0, offset: 0n, timestamp: 0, key: null, value: null, headers: [] },
};

const OAUTH2: Config = {
  ...MINIMAL,
  "http.authorization.type": "oauth2",
  "oauth2.access.token.url": "https://id.example/token",
  "oauth2.client.id": "me",
  "oauth2.client.secret": "s3cr3t",
};

const parse = (config: Config, hasRegistry = false) =>
  AIVEN.parse("crm", config, { hasRegistry, targets: createTargets([]) });

const modelOf = (config: Config, hasRegistry?: boolean): ConnectorModel => {
  const parsed = parse({ ...MINIMAL, ...config }, hasRegistry);
  if ("faults" in parsed) throw new Error(parsed.faults.map(({ message }) => message).join("\n"));
  return parsed.model;
};

const faultsOf = (config: Config): readonly string[] => {
  const parsed = parse(config);
  return "faults" in parsed ? parsed.faults.map(({ message }) => message) : [];
};

describe("a minimal configuration", () => {
  it("has the defaults of the sink", () => {
    expect(modelOf({})).toMatchObject({
      topics: { names: ["orders"] },
      request: { method: "POST", headers: [], namesRecord: false, secret: undefined },
      connectTimeoutMs: 30_000,
      readTimeoutMs: 30_000,
      checkCertificate: true,
      delayMs: 0,
      conversion: { kind: "none" },
      transformations: [],
      tombstones: "skip",
      batch: undefined,
      deadLetterTopic: undefined,
      concurrency: 1,
      ordering: "partition",
      maxRetryAfterMs: 0,
    });
  });

  it("has the default batch if batching is enabled", () => {
    expect(modelOf({ "batching.enabled": "true" }).batch).toStrictEqual({
      ...{ maxRecords: 500, maxBytes: 8_388_608, lingerMs: 0 },
      ...{ prefix: "", separator: "\n", suffix: "\n" },
    });
  });

  it("retries once after 3 s, then stops", () => {
    const { strategy } = modelOf({});
    const first = strategy.after({ retries: 0, downs: 0 }, "retry", RECORD);

    expect(first).toMatchObject({ action: "wait", ms: 3000 });
    expect("state" in first && strategy.after(first.state, "retry", RECORD)).toStrictEqual({
      action: "stop",
    });
  });

  it("keeps unknown keys and keys of other families without effect", () => {
    const { request } = modelOf({
      "callback.request.method": "PATCH",
      "http.api.url": "x",
      "decimal.format": "NUMERIC",
    });
    expect(request).toMatchObject({ method: "POST" });
  });
});

describe("values", () => {
  it.each<[Config, object]>([
    [{ "http.timeout": "5" }, { connectTimeoutMs: 5000, readTimeoutMs: 5000 }],
    [{ "http.ssl.trust.all.certs": "TRUE" }, { checkCertificate: false }],
    [
      { "tasks.max": "3", concurrency: "4", ordering: "none" },
      { tasksMax: 3, concurrency: 4, ordering: "none" },
    ],
    [{ "retry.after": "honour" }, { maxRetryAfterMs: 86_400_000 }],
    [{ "errors.tolerance": "all" }, { tombstones: "skip", deadLetterTopic: undefined }],
    [
      { "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead" },
      { tombstones: "dead-letter", deadLetterTopic: "dead" },
    ],
    [
      { "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead", tombstones: "send" },
      { tombstones: "send" },
    ],
    [{ "errors.deadletterqueue.topic.name": "dead" }, { tombstones: "skip", deadLetterTopic: undefined }],
    [
      { "value.converter": "org.apache.kafka.connect.json.JsonConverter" },
      { conversion: { kind: "json", withSchemas: true, decodeFailure: "stop" } },
    ],
    [
      {
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "errors.tolerance": "all",
      },
      { conversion: { kind: "json", withSchemas: false, decodeFailure: "dead-letter" } },
    ],
    [
      { "value.converter": "org.apache.kafka.connect.storage.StringConverter" },
      { conversion: { kind: "none" } },
    ],
    [
      { "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter" },
      { conversion: { kind: "none" } },
    ],
  ])("%j", (config, expected) => {
    expect(modelOf(config)).toMatchObject(expected);
  });

  it.each(["avro.AvroConverter", "protobuf.ProtobufConverter", "json.JsonSchemaConverter"])(
    "%s decodes by the registry",
    (name) => {
      expect(modelOf({ "value.converter": `io.confluent.connect.${name}` }, true).conversion).toStrictEqual({
        ...{ kind: "registry", decode: "json", decodeFailure: "stop" },
      });
    },
  );
});

const invalid = (key: string, value: string, reason: string): [Config, string] => [
  { ...MINIMAL, [key]: value },
  `Invalid value ${value} for configuration ${key}: ${reason}`,
];

/** Headers that can't be parsed are masked as a whole, because a credential can't be located in them. */
const hidden = (key: string, value: string, reason: string): [Config, string] => [
  { ...MINIMAL, [key]: value },
  `Invalid value ******** for configuration ${key}: ${reason}`,
];

describe("the way to the endpoint", () => {
  it("has an access token with the defaults of the sink", () => {
    expect(modelOf(OAUTH2).transport?.accessToken).toStrictEqual({
      endpoint: {
        url: new URL("https://id.example/token"),
        clientId: "me",
        clientSecret: "s3cr3t",
        scope: undefined,
        credentials: "header",
        fields: { grantType: "grant_type", clientId: "client_id", clientSecret: "client_secret" },
        grantType: "client_credentials",
        audience: undefined,
        extra: [],
        headers: [],
        tokenProperty: "access_token",
      },
      renewOn: new Set([401]),
    });
  });

  it("has an access token as the configuration says", () => {
    const { accessToken } =
      modelOf({
        ...OAUTH2,
        "oauth2.client.scope": "read",
        "oauth2.client.authorization.mode": "url",
        "oauth2.request.grant.type.property": "gt",
        "oauth2.grant.type": "custom",
        "oauth2.request.client.id.property": "id",
        "oauth2.request.client.secret.property": "pw",
        "oauth2.response.token.property": "token",
        "oauth2.token.renew.on.status.codes": "401, 403",
        "oauth2.audience": "api",
        "oauth2.extra.params": "a=1&b=x%20y",
      }).transport ?? {};

    expect(accessToken?.renewOn).toStrictEqual(new Set([401, 403]));
    expect(accessToken?.endpoint).toMatchObject({
      scope: "read",
      credentials: "form",
      fields: { grantType: "gt", clientId: "id", clientSecret: "pw" },
      grantType: "custom",
      tokenProperty: "token",
      audience: "api",
      extra: [
        ["a", "1"],
        ["b", "x y"],
      ],
    });
  });

  it("has no access token with another type, although the keys are there", () => {
    expect(modelOf({ ...OAUTH2, "http.authorization.type": "none" }).transport?.accessToken).toBeUndefined();
  });

  it("leads through a proxy", () => {
    const proxyOf = (host: string) =>
      modelOf({ "http.proxy.host": host, "http.proxy.port": "3128" }).transport?.proxy;

    expect(proxyOf("proxy.example")).toStrictEqual({
      origin: "http://proxy.example:3128",
      authorization: undefined,
    });
    expect(proxyOf("2606:4700::1111")?.origin).toBe("http://[2606:4700::1111]:3128");
    expect(modelOf({}).transport?.proxy).toBeUndefined();
  });

  it("trusts the certificates of a PEM file", () => {
    const location = path.join(temporaryDirectory("stationgate-trust-"), "trust");
    writeFileSync(location, stores["ca.pem"]);

    expect(modelOf({ "http.ssl.truststore.location": location }).transport?.tls).toStrictEqual({
      authorities: [stores["ca.pem"]],
    });
  });
});

describe("faults", () => {
  it.each<[Config, string]>([
    [
      { topics: "orders", "http.authorization.type": "none" },
      'Missing required configuration "http.url" which has no default value.',
    ],
    [
      { topics: "orders", "http.url": "http://example.com" },
      'Missing required configuration "http.authorization.type" which has no default value.',
    ],
    invalid("http.url", "example", "malformed URL"),
    invalid("http.url", "ftp://example.com/", "Valid schemes are [http, https]"),
    invalid("http.authorization.type", "Static", "supported values are: [none, oauth2, static]"),
    invalid("http.headers.content.type", " ", "String must be non-blank"),
    hidden("http.headers.additional", "a", "Header field should use format header:value"),
    hidden("http.headers.additional", "a:b:c", "Header field should use format header:value"),
    hidden("http.headers.additional", "a:1, A:2", "Duplicate keys are not allowed (case-insensitive)"),
    invalid("http.proxy.host", "proxy.example", "Proxy host and port must be defined together"),
    invalid("http.proxy.port", "3128", "Proxy host and port must be defined together"),
    invalid("http.proxy.port", "65536", "Value must be no more than 65535"),
    [
      { ...MINIMAL, "http.proxy.host": "a/b", "http.proxy.port": "3128" },
      "Invalid value a/b for configuration http.proxy.host: Not a host name or an address",
    ],
    [
      { ...MINIMAL, "http.proxy.host": "10.0.0.1", "http.proxy.port": "3128" },
      "Invalid value 10.0.0.1 for configuration http.proxy.host: 10.0.0.1 is not a public address; add it to delivery.allowTargets to allow it",
    ],
    invalid("http.ssl.truststore.location", "/no/trust.jks", "the file can't be read (ENOENT)"),
    invalid("http.ssl.truststore.location", "/dev/zero", "the file can't be read: it is not a regular file"),
    invalid("http.ssl.truststore.location", "package.json", "the file is no JKS, PKCS12 or PEM file"),
    [
      { ...MINIMAL, "http.authorization.type": "oauth2", "oauth2.client.id": "me" },
      "Invalid value  for configuration oauth2.access.token.url: Must be present when http.authorization.type = oauth2",
    ],
    [
      { ...OAUTH2, "oauth2.client.secret": "" },
      "Invalid value ******** for configuration oauth2.client.secret: Must be present when http.authorization.type = oauth2",
    ],
    [
      { ...OAUTH2, "oauth2.access.token.url": "http://[::1]/token" },
      "Invalid value http://[::1]/token for configuration oauth2.access.token.url: ::1 is not a public address; add it to delivery.allowTargets to allow it",
    ],
    invalid("oauth2.access.token.url", "example", "malformed URL"),
    invalid("oauth2.client.authorization.mode", "BODY", "Unknown value. Valid values are [HEADER, URL]"),
    invalid("oauth2.token.renew.on.status.codes", "401,x", "must be a list of numbers"),
    hidden("oauth2.extra.params", "a", "Not of the form name=value&name=value"),
    invalid("http.ssl.trust.all.certs", "yes", "Expected value to be either true or false"),
    invalid("batching.enabled", "1", "Expected value to be either true or false"),
    invalid("batch.max.size", "0", "Value must be at least 1"),
    invalid("batch.max.size", "1000001", "Value must be no more than 1000000"),
    invalid("max.retries", "-1", "Value must be at least 0"),
    invalid("retry.backoff.ms", "soon", "Not a number of type INT"),
    invalid("http.timeout", "0", "Value must be at least 1"),
    invalid("kafka.retry.backoff.ms", "86400001", "Value must be no more than 86400000 (24 hours)"),
    invalid("kafka.retry.backoff.ms", "1s", "Not a number of type LONG"),
    invalid("errors.tolerance", "some", "String must be one of: none, all"),
    invalid("value.converter", "com.example.Mine", "Class com.example.Mine could not be found."),
    invalid(
      "value.converter",
      "io.confluent.connect.avro.AvroConverter",
      "needs a schema registry, which is not configured",
    ),
    invalid("transform", "$eval('1')", "$eval is not allowed"),
    [
      { ...MINIMAL, "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "orders" },
      "The DLQ topic 'orders' may not be included in the list of topics ('topics=[orders]') consumed by the connector",
    ],
    [
      { ...MINIMAL, "batching.enabled": "true", "errors.tolerance": "all" },
      "Invalid value true for configuration batching.enabled: Cannot use errors.tolerance when batching is enabled",
    ],
    [
      { ...MINIMAL, "http.authorization.type": "static" },
      "Invalid value  for configuration http.headers.authorization: Must be present when http.authorization.type = static",
    ],
    [
      { ...MINIMAL, "http.headers.authorization": "Bearer t" },
      "Invalid value ******** for configuration http.headers.authorization: Must not be present when http.authorization.type = none",
    ],
  ])("%j", (config, line) => {
    expect(faultsOf(config)).toContain(line);
  });

  it("are reported all at once", () => {
    expect(faultsOf({ "http.timeout": "0", "max.retries": "x" })).toHaveLength(5);
  });
});
