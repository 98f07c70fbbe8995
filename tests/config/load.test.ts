import { join } from "node:path";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { variables } from "../../src/config/environment.ts";
import { loadSettings } from "../../src/config/load.ts";
import { faultsOf, folder, load, loaded, settingsOf } from "./support.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);

describe("the environment", () => {
  it("takes precedence over the file, and the file over the defaults", () => {
    const { server } = settingsOf({
      yaml: "server: { port: 1, host: localhost }",
      env: { STATIONGATE_SERVER_PORT: "2" },
    });
    expect([server.port, server.host, server.workers]).toEqual([2, "localhost", 1]);
  });

  it("accepts OpenTelemetry's variable for the collector, with lower precedence than the gateway's own", () => {
    const OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector:4318";
    const endpointOf = (env: Record<string, string>) => settingsOf({ env }).tracing.endpoint;
    expect(endpointOf({ OTEL_EXPORTER_OTLP_ENDPOINT })).toBe(OTEL_EXPORTER_OTLP_ENDPOINT);
    expect(
      endpointOf({ OTEL_EXPORTER_OTLP_ENDPOINT, STATIONGATE_TRACING_ENDPOINT: "http://ours:4318" }),
    ).toBe("http://ours:4318");
    expect(faultsOf({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: "collector" } })).toEqual([
      expect.stringMatching(/^tracing\.endpoint \(OTEL_EXPORTER_OTLP_ENDPOINT\): /),
    ]);
  });

  it("has numbers, flags and choices as text, and lists and objects as JSON", () => {
    const settings = settingsOf({
      env: {
        STATIONGATE_SERVER_BODY_LIMIT: "1mb",
        STATIONGATE_SERVER_WORKERS: "auto",
        STATIONGATE_SERVER_SHUTDOWN_GRACE: "1500",
        STATIONGATE_ROLES: '["ingest"]',
        STATIONGATE_REST_PROXY_ALWAYS_STATUS200: "true",
        STATIONGATE_LIMITS_PER_ADDRESS_EVENTS_PER_SECOND: "0.5",
        STATIONGATE_STATIONS: '[{"name":"orders"}]',
      },
    });
    expect(settings).toMatchObject({
      server: { bodyLimit: 1_048_576, workers: "auto", shutdownGrace: 1_500 },
      roles: ["ingest"],
      restProxy: { alwaysStatus200: true },
      limits: { perAddress: { eventsPerSecond: 0.5 } },
      stations: [{ name: "orders", topic: "orders" }],
    });
  });

  it("keeps a secret of digits as a string", () => {
    expect(settingsOf({ env: { STATIONGATE_ADMIN_TOKEN: "0012345" } }).admin.token).toBe("0012345");
  });

  it("turns TLS on if it names one of its files", () => {
    const { result, cwd } = load({
      env: { STATIONGATE_BROKER_KAFKA_SSL_CA: "ca.pem" },
      cwd: (() => {
        const dir = folder();
        writeFileSync(join(dir, "ca.pem"), "-");
        return dir;
      })(),
    });
    expect(result).toMatchObject({ settings: { broker: { kafka: { ssl: { ca: join(cwd, "ca.pem") } } } } });
  });

  it("can name the settings file", () => {
    const dir = folder();
    writeFileSync(join(dir, "my.yaml"), "server: { port: 7 }");
    const result = loadSettings({ env: { STATIONGATE_CONFIG: "my.yaml" }, cwd: dir });
    expect(result).toMatchObject({ status: "loaded", laptop: false, settings: { server: { port: 7 } } });
  });

  it("treats an empty variable as not set, and ignores the variables of Kubernetes", () => {
    const env = {
      STATIONGATE_SERVER_HOST: "",
      STATIONGATE_CONFIG: "",
      STATIONGATE_SERVICE_HOST: "10.0.0.1",
      STATIONGATE_SERVICE_PORT_HTTP: "4444",
      STATIONGATE_ADMIN_PORT: "tcp://10.0.0.1:4445",
      STATIONGATE_PORT_4444_TCP_ADDR: "10.0.0.1",
    };
    expect(settingsOf({ env })).toMatchObject({ server: { host: "0.0.0.0" }, admin: { port: 4445 } });
  });

  it("has a unique variable name for each key", () => {
    const names = variables.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(["STATIONGATE_SERVER_BODY_LIMIT", "STATIONGATE_AUTH_ACCESS_TOKEN_SECRET"]),
    );
  });
});

describe("files in the settings", () => {
  it("contain secrets without their last newline, relative to the settings file or the working directory", () => {
    const cwd = folder();
    writeFileSync(join(cwd, "admin"), "from-env\r\n");
    const settings = settingsOf({
      cwd,
      yaml: `admin: { tokenFile: ignored }
auth:
  accessToken: { secretFile: access }
  refreshToken: { secrets: [{ kid: one, secretFile: refresh }] }
  accounts: [{ username: u, passwordFile: password }]
  apiKeys: [{ id: i, keyFile: password }]
broker: { kafka: { sasl: { mechanism: plain, username: u, passwordFile: password } } }
webhooks: [{ source: g, station: s, scheme: meta, secretsFile: pair, verifyTokenFile: password }]
connectors: [{ name: c, config: { topics: t, secretFile: password } }]
stations: [{ name: s }]`,
      files: { access: `${A}\n`, refresh: B, password: "p\n", pair: "one\ntwo\n", ignored: "from-file" },
      env: { STATIONGATE_ADMIN_TOKEN_FILE: "admin" },
    });
    expect(settings).toMatchObject({
      admin: { token: "from-env" },
      auth: {
        accessToken: { secrets: [{ secret: A }] },
        refreshToken: { secrets: [{ kid: "one", secret: B }] },
        accounts: [{ password: "p" }],
        apiKeys: [{ key: "p" }],
      },
      broker: { kafka: { sasl: { password: "p" } } },
      webhooks: [{ secrets: ["one", "two"], verifyToken: "p" }],
      connectors: [{ config: { topics: "t", secret: "p" } }],
    });
  });

  it("have paths relative to the settings file", () => {
    const { result, dir } = load({
      yaml: `broker: { embedded: { dir: log } }
stations: [{ name: a, schema: { type: json-schema, file: a.json } }, { name: b, schema: { type: zod, module: b.mjs } }]`,
      files: { "a.json": "{}", "b.mjs": "" },
    });
    expect(result).toMatchObject({
      settings: {
        broker: { embedded: { dir: join(dir, "log") } },
        stations: [{ schema: { file: join(dir, "a.json") } }, { schema: { module: join(dir, "b.mjs") } }],
      },
    });
  });
});

describe("laptop mode", () => {
  const token = { STATIONGATE_AUTH_ACCESS_TOKEN_SECRET: A, STATIONGATE_AUTH_REFRESH_TOKEN_SECRET: B };

  it.each([
    ["nothing", {}, true],
    [
      "Kafka by environment",
      { STATIONGATE_BROKER_TYPE: "kafka", STATIONGATE_BROKER_KAFKA_BROKERS: '["k:9092"]' },
      true,
    ],
    ["an operators' token", { STATIONGATE_ADMIN_TOKEN: "t" }, true],
    ["token secrets", token, false],
    ["accounts", { ...token, STATIONGATE_AUTH_ACCOUNTS: '[{"username":"u","password":"p"}]' }, false],
  ])("with %s configured", (_, env, laptop) => {
    expect(loaded({ env }).laptop).toBe(laptop);
  });

  it("is off with a settings file, also with an empty file", () => {
    expect(loaded({ yaml: "" }).laptop).toBe(false);
  });
});

describe("any input", () => {
  it.each(variables.map(({ name }) => name))("%s never crashes", (name) => {
    const cwd = folder();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const result = loadSettings({ env: { [name]: text }, cwd });
        expect(result.status === "loaded" || result.faults.every((line) => !line.includes("\n"))).toBe(true);
      }),
      // For each of the variables, in each run of the tests with other texts.
      { numRuns: 5 },
    );
  });

  it("as YAML is loaded or refused and never throws", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("server", "auth", "stations", "__proto__", "x"), fc.jsonValue()),
        (tree) => {
          expect(() => faultsOf({ yaml: JSON.stringify(tree) })).not.toThrow();
        },
      ),
      { numRuns: 50 },
    );
  });
});
