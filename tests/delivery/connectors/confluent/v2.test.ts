/** Configurations of Confluent's HTTP Sink V2. */
import { parseConnectorConfig } from "../../../../src/delivery/connectors/connector-config.ts";

type Config = Readonly<Record<string, string>>;

const MINIMAL: Config = {
  "connector.class": "io.confluent.connect.http.sink.GenericHttpSinkConnector",
  topics: "orders,bills",
  "http.api.base.url": "https://example.com/base/",
  "apis.num": "2",
  "api1.topics": "orders",
  "api1.http.api.path": "/orders",
  "api2.topics": "bills",
  "api2.http.api.path": "/bills/{id}",
  "api2.http.path.parameters": "id:${bill.id}",
};

const faultsOf = (config: Config): readonly string[] => {
  const parsed = parseConnectorConfig("crm", { ...MINIMAL, ...config });
  return "faults" in parsed ? parsed.faults.map(({ message }) => message) : [];
};

describe("faults", () => {
  it("are reported all at once", () => {
    const parsed = parseConnectorConfig("crm", {
      "connector.class": "HttpSinkV2",
      topics: "orders",
      "apis.num": "1",
      "auth.type": "bearer",
    });

    expect("faults" in parsed && parsed.faults.map(({ message }) => message)).toStrictEqual([
      "bearer.token must be set if auth.type is BEARER.",
      'Missing required configuration "http.api.base.url" which has no default value.',
      'Missing required configuration "api1.topics" which has no default value.',
      'Missing required configuration "api1.http.api.path" which has no default value.',
      "No api has topic orders: add it to the topics of an api.",
    ]);
  });

  it.each<[Config, string]>([
    [{ "apis.num": "16" }, "Value must be no more than 15"],
    [{ "api2.topics": "other" }, "No api has topic bills"],
    [{ "api2.topics": "bills,orders" }, "orders is also in api1.topics"],
    [{ "api2.http.path.parameters": "number:1" }, "api2.http.path.parameters has no value for {id}"],
    [{ "api2.http.path.parameters": "${key}" }, "Not of the form name:value"],
    [{ "api1.http.request.method": "GET" }, "Valid values are [POST, PUT, PATCH]"],
    [{ "api1.retry.on.status.codes": "5xx" }, "is no status"],
    [{ "api1.max.batch.size": "0" }, "Value must be at least 1"],
    [{ "auth.type": "OAUTH2" }, "Must be present when auth.type = OAUTH2"],
    [{ "http.api.base.url": "example.com" }, "Not an absolute URL"],
  ])("%j", (config, expected) => {
    expect(faultsOf(config)).toContainEqual(expect.stringContaining(expected));
  });

  it("has none with the minimal keys, and with keys of apis that do not exist", () => {
    expect(faultsOf({ "api3.topics": "x", "api1.test.api": "true", "request.method": "GET" })).toStrictEqual(
      [],
    );
  });
});
