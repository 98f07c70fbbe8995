import { join } from "node:path";
import { folder, loaded, settingsOf } from "../support.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MB = 1024 * 1024;

const moreInfo = (sep: number) => ({
  more_info_url: {
    base_url: `http://localhost:8080/sep${sep}/transaction/more_info`,
    jwt_expiration: 600,
    txn_fields: [],
  },
});

describe("defaults", () => {
  it("have these values", () => {
    const cwd = folder();
    expect(settingsOf({ yaml: "", cwd })).toEqual({
      server: {
        host: "0.0.0.0",
        port: 4444,
        workers: 1,
        bodyLimit: 4 * MB,
        jsonMaxDepth: 128,
        jsonMaxValues: 500_000,
        jsonMaxMembers: 100_000,
        trustProxy: 0,
        shutdownGrace: 20_000,
        keepAliveTimeout: 75_000,
        headersTimeout: 20_000,
        requestTimeout: 60_000,
        maxHeaderSize: 16_384,
        maxConnections: 30_000,
        backlog: 4096,
      },
      admin: {
        ...{ host: "127.0.0.1", port: 4445, failuresPerMinute: 10, tokens: [], certificates: [] },
        ...{ sessionTtl: 8 * 3_600_000, viewersReadEvents: false },
      },
      audit: { clientSignIns: false },
      roles: ["ingest", "delivery"],
      log: { level: "info", requests: "all", slowRequest: 1000 },
      tracing: {},
      reload: { watch: true, debounce: 200, poll: 5000 },
      broker: {
        type: "embedded",
        kafka: {
          brokers: [],
          clientId: "stationgate",
          ssl: false,
          compression: "none",
          idempotent: false,
          producer: "platformatic",
          groupProtocol: "classic",
          consumer: "kafkajs",
          connectTimeout: 3_000,
          requestTimeout: 5_000,
          deliveryTimeout: 10_000,
          maxBufferedBytes: 64 * MB,
        },
        embedded: {
          ...{ dir: join(cwd, "data"), partitions: 4, minFree: 8 * MB },
          retention: { age: 7 * 86_400_000, bytes: "none", waitForConnectors: true },
        },
      },
      auth: {
        accessToken: { secrets: [], ttl: 15 * MINUTE, maxTtl: 24 * HOUR },
        refreshToken: { secrets: [], ttl: 5 * HOUR, maxTtl: 30 * 24 * HOUR },
        issuer: "stationgate",
        audience: "stationgate",
        bodyLimit: 64 * 1024,
        loginFailuresPerMinute: 10,
        accounts: [],
        apiKeys: [],
        certificates: [],
        issuers: [],
      },
      cors: { origins: ["*"] },
      limits: {
        perAddress: { burst: 1_000 },
        recordHeaders: 100,
        recordHeaderSize: 32_768,
        keySize: 32_768,
        recordsPerCall: 1_000,
        eventsPerCall: 100_000,
        maxDebt: MINUTE,
        memory: 128 * MB,
        tokenCache: 32 * MB,
      },
      autoCreateStations: false,
      provisionTopics: true,
      stations: [],
      webhooks: [],
      once: {
        topic: "_stationgate-once",
        partitions: 12,
        callWindow: 24 * HOUR,
        maxIds: 1_000_000,
      },
      registry: {
        urls: [],
        timeout: 5_000,
        cacheTtl: MINUTE,
        negativeTtl: 10_000,
        maxSchemas: 1_000,
        maxSchemaBytes: MB,
        strategy: { key: "topic-name", value: "topic-name" },
        autoRegister: false,
        normalize: false,
        unknownFields: "refuse",
      },
      restProxy: {
        idleTimeout: 30_000,
        maxStreamAge: 24 * HOUR,
        maxUnanswered: 1_000,
        maxUnansweredBytes: 8 * MB,
        consumerTimeout: 5 * MINUTE,
        consumerRequestTimeout: 1_000,
        consumerMaxBytes: 16 * MB,
        alwaysStatus200: false,
      },
      reading: {
        topic: "_stationgate-readers",
        sessionTimeout: 10_000,
        answerTimeout: 10_000,
        answerMax: MINUTE,
        groupIdle: MINUTE,
        maxGroups: 1_000,
        maxInstances: 10_000,
        instancesPerPrincipal: 1_000,
        groupBuffer: 8 * MB,
        maxBuffered: 96 * MB,
        peer: { port: 0 },
        streams: {
          heartbeat: 15_000,
          maxAge: HOUR,
          perPrincipal: 2_500,
          maxStreams: 5_000,
          ring: 8 * MB,
          catchUps: 16,
        },
      },
      delivery: {
        allowTargets: [],
        configProviders: { env: [], file: [], directory: [] },
        connectorsTopic: "_stationgate-connectors",
        sandbox: { timeout: 100, memory: 64 * 1024 ** 2 },
      },
      eventService: {
        events: {
          enabled: true,
          queue: {
            type: "kafka",
            kafka: {
              topic: "TRANSACTION",
              client_id: "stationgate-events",
              security_protocol: "PLAINTEXT",
              sasl_mechanism: "PLAIN",
              ssl_verify_cert: true,
            },
          },
        },
        event_processor: {
          client_status_callback: { enabled: true, transactions: "own", bodies: "sep" },
          callback_api_request: { enabled: false },
        },
        callback_api: {
          check_certificate: true,
          auth: { type: "none", jwt: {}, api_key: {} },
        },
        clients: { type: "yaml", value: [], items: [] },
        sep6: moreInfo(6),
        sep24: moreInfo(24),
        secret: {
          callback_api: {},
          sep10: {},
          sep6: { more_info_url: {} },
          sep24: { more_info_url: {} },
          events: { queue: { kafka: {} } },
        },
      },
      connectors: [],
    });
  });

  it("turn autoCreateStations on only without a settings file", () => {
    expect(settingsOf({}).autoCreateStations).toBe(true);
    expect(settingsOf({ yaml: "autoCreateStations: true" }).autoCreateStations).toBe(true);
    expect(settingsOf({ env: { STATIONGATE_AUTO_CREATE_STATIONS: "false" } }).autoCreateStations).toBe(false);
  });
});

describe("keys", () => {
  it("parse durations and sizes", () => {
    const { server } = settingsOf({
      yaml: "server: { bodyLimit: 512kb, shutdownGrace: 1500, keepAliveTimeout: 2m }",
    });
    expect([server.bodyLimit, server.shutdownGrace, server.keepAliveTimeout]).toEqual([
      524_288, 1_500, 120_000,
    ]);
  });

  it("convert one secret to a list of one, and keep a list", () => {
    const { accessToken, refreshToken } = settingsOf({
      yaml: `auth:
        accessToken: { secret: ${"a".repeat(32)} }
        refreshToken: { secrets: [{ kid: new, secret: ${"b".repeat(32)} }, { kid: old, secret: ${"c".repeat(32)} }] }`,
    }).auth;
    expect(accessToken.secrets).toEqual([{ kid: "default", secret: "a".repeat(32) }]);
    expect(refreshToken.secrets.map(({ kid }) => kid)).toEqual(["new", "old"]);
  });

  it("convert an expiry to milliseconds, and use a station's name as its topic", () => {
    const settings = settingsOf({
      yaml: `auth: { apiKeys: [{ id: a, key: k, expires: 2027-01-01T00:00:00Z }] }
stations: [{ name: plain }, { name: orders, topic: Shop.Orders }]`,
    });
    expect(settings.auth.apiKeys[0]?.expires).toBe(Date.UTC(2027, 0, 1));
    expect(settings.stations.map(({ topic }) => topic)).toEqual(["plain", "Shop.Orders"]);
  });

  it("convert a connector's numbers and flags to strings", () => {
    const [connector] = settingsOf({
      yaml: "connectors: [{ name: crm, config: { topics: a, tasks.max: 2, x: true, retry.backoff.sec: '1,2' } }]",
    }).connectors;
    expect(connector?.config).toEqual({
      topics: "a",
      "tasks.max": "2",
      x: "true",
      "retry.backoff.sec": "1,2",
    });
  });

  it("include the options of each webhook scheme", () => {
    const { webhooks } = settingsOf({
      yaml: `autoCreateStations: true
webhooks:
  - { source: a, station: s, scheme: hmac, secrets: [x], header: X-Sig, template: "{timestamp}.{body}", timestampHeader: X-Time }
  - { source: b, station: s, scheme: twilio, secrets: [x, y], publicUrl: https://h.example/webhooks/b }
  - { source: c, station: s, scheme: none }`,
    });
    expect(webhooks[0]).toMatchObject({
      algorithm: "sha256",
      encoding: "hex",
      prefix: "",
      tolerance: 300_000,
    });
    expect(webhooks.map(({ duplicateWindow }) => duplicateWindow)).toEqual([24 * HOUR, 24 * HOUR, 24 * HOUR]);
  });

  it("treat a key without a value as not set", () => {
    expect(settingsOf({ yaml: "server:\nadmin:\n  token:\n" }).server.port).toBe(4444);
  });
});

describe("warnings", () => {
  it("report valid settings that are probably a mistake", () => {
    const { warnings } = loaded({
      yaml: "autoCreateStations: true\nwebhooks: [{ source: open, station: s, scheme: none }]",
    });
    expect(warnings).toEqual([
      expect.stringContaining("admin.token"),
      expect.stringContaining("auth.accounts"),
      expect.stringContaining("webhook source open has scheme none"),
    ]);
  });

  it("report an undeclared station of a webhook source", () => {
    const { warnings } = loaded({
      yaml: "webhooks: [{ source: g, station: s, scheme: github, secrets: [x] }]",
    });
    expect(warnings).toContain("webhook source g posts to station s, which is not declared");
  });

  it("are empty in laptop mode", () => {
    expect(loaded({}).warnings).toEqual([]);
  });
});
