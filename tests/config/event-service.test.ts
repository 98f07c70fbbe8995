import { parse, stringify } from "yaml";
import { printSettings } from "../../src/config/print.ts";
import { clientsIn } from "../../src/config/schema/event-service-settings.ts";
import { faultsOf, loaded, settingsOf, type Given } from "./support.ts";

const SEED = "SAAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6NKI";
const JWT_SECRET = "0123456789abcdef0123456789abcdef";

const CLIENTS = [
  {
    name: "lobstr",
    type: "noncustodial",
    domains: ["lobstr.co"],
    callback_urls: { sep24: "http://127.0.0.1:8092/callbacks/sep24" },
  },
  {
    name: "exchange",
    type: "custodial",
    signing_keys: ["GA"],
    callback_urls: { sep6: "https://x.example/6" },
  },
];

const SECRETS = {
  SECRET_SEP10_SIGNING_SEED: SEED,
  SECRET_CALLBACK_API_AUTH_SECRET: JWT_SECRET,
  SECRET_SEP24_MORE_INFO_URL_JWT_SECRET: JWT_SECRET,
  SECRET_EVENTS_QUEUE_KAFKA_USERNAME: "anchor",
  SECRET_EVENTS_QUEUE_KAFKA_PASSWORD: "hunter2hunter2",
};

const ENVIRONMENT = {
  EVENTS_ENABLED: "true",
  EVENTS_QUEUE_TYPE: "kafka",
  EVENTS_QUEUE_KAFKA_BOOTSTRAP_SERVER: "kafka-1:9092, kafka-2:9092",
  EVENTS_QUEUE_KAFKA_CLIENT_ID: "anchor",
  EVENTS_QUEUE_KAFKA_RETRIES: "1",
  EVENTS_QUEUE_KAFKA_LINGER_MS: "1000",
  EVENTS_QUEUE_KAFKA_BATCH_SIZE: "10",
  EVENTS_QUEUE_KAFKA_POLL_TIMEOUT_SECONDS: "10",
  EVENTS_QUEUE_KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
  EVENTS_QUEUE_KAFKA_SASL_MECHANISM: "PLAIN",
  EVENTS_QUEUE_KAFKA_SSL_VERIFY_CERT: "false",
  EVENT_PROCESSOR_CLIENT_STATUS_CALLBACK_ENABLED: "true",
  EVENT_PROCESSOR_CALLBACK_API_REQUEST_ENABLED: "true",
  CALLBACK_API_BASE_URL: "http://localhost:8081/callback",
  CALLBACK_API_CHECK_CERTIFICATE: "false",
  CALLBACK_API_AUTH_TYPE: "jwt",
  CALLBACK_API_AUTH_JWT_HTTP_HEADER: "X-Token",
  CALLBACK_API_AUTH_JWT_EXPIRATION_MILLISECONDS: "5000",
  CLIENTS_TYPE: "json",
  CLIENTS_VALUE: JSON.stringify({ items: CLIENTS }),
  SEP24_MORE_INFO_URL_BASE_URL: "https://anchor.example/more",
  SEP24_MORE_INFO_URL_JWT_EXPIRATION: "900",
  SEP24_MORE_INFO_URL_TXN_FIELDS: "kind, memo",
};

/** The settings of the environment above as a file of the Anchor Platform. */
const FILE = {
  events: {
    enabled: true,
    queue: {
      type: "kafka",
      kafka: {
        bootstrap_server: "kafka-1:9092,kafka-2:9092",
        client_id: "anchor",
        retries: 1,
        linger_ms: 1000,
        batch_size: 10,
        poll_timeout_seconds: 10,
        security_protocol: "SASL_SSL",
        sasl_mechanism: "PLAIN",
        ssl_verify_cert: false,
      },
      sqs: { use_IAM: false, aws_region: "us-east-1" },
    },
  },
  event_processor: { client_status_callback: { enabled: true }, "callback_api_request.enabled": true },
  callback_api: {
    base_url: "http://localhost:8081/callback",
    check_certificate: false,
    auth: { type: "jwt", jwt: { http_header: "X-Token", expiration_milliseconds: 5000 } },
  },
  clients: { type: "file", value: "clients.yaml" },
  sep24: {
    enabled: true,
    more_info_url: {
      base_url: "https://anchor.example/more",
      jwt_expiration: 900,
      txn_fields: ["kind", "memo"],
    },
  },
  version: 1,
};

const CLIENTS_FILE = stringify({ items: CLIENTS });

const eventServiceOf = (given: Given) => settingsOf(given).eventService;

describe("the event service's settings", () => {
  it("are the same from the environment, the settings file, and a file of the Anchor Platform", () => {
    const inline = {
      callback_api: FILE.callback_api,
      clients: FILE.clients,
      events: { ...FILE.events, queue: { type: "kafka", kafka: FILE.events.queue.kafka } },
      event_processor: {
        client_status_callback: { enabled: true },
        callback_api_request: { enabled: true },
      },
      sep24: { more_info_url: FILE.sep24.more_info_url },
    };
    const fromEnvironment = eventServiceOf({ env: { ...ENVIRONMENT, ...SECRETS } });
    const fromYaml = eventServiceOf({
      yaml: stringify({ eventService: inline }),
      files: { "clients.yaml": CLIENTS_FILE },
      env: SECRETS,
    });
    const { file, ...fromFile } = eventServiceOf({
      yaml: stringify({ eventService: { file: "anchor.yaml" } }),
      files: { "clients.yaml": CLIENTS_FILE, "anchor.yaml": stringify(FILE) },
      env: SECRETS,
    });

    expect(fromEnvironment).toMatchObject({
      events: {
        queue: { kafka: { bootstrap_server: ["kafka-1:9092", "kafka-2:9092"], topic: "TRANSACTION" } },
      },
      callback_api: { auth: { type: "jwt", jwt: { http_header: "X-Token", expiration_milliseconds: 5000 } } },
      secret: { sep10: { signing_seed: SEED }, sep24: { more_info_url: { jwt_secret: JWT_SECRET } } },
      sep24: { more_info_url: { jwt_expiration: 900, txn_fields: ["kind", "memo"] } },
    });
    expect(fromEnvironment.clients.value).toMatchObject(CLIENTS);

    const comparable = ({ clients, ...others }: typeof fromFile) => ({ ...others, clients: clients.value });

    expect(comparable(fromYaml)).toStrictEqual(comparable(fromEnvironment));
    expect(comparable(fromFile)).toStrictEqual(comparable(fromEnvironment));
    expect(file).toMatch(/anchor\.yaml$/);
  });

  it("prefer the environment to the settings file, and the settings file to the Anchor Platform's file", () => {
    const { callback_api: api } = eventServiceOf({
      yaml: stringify({
        eventService: { file: "anchor.yaml", callback_api: { base_url: "http://file.example" } },
      }),
      files: { "clients.yaml": CLIENTS_FILE, "anchor.yaml": stringify(FILE) },
      env: { ...SECRETS, CALLBACK_API_AUTH_TYPE: "none" },
    });

    expect(api).toMatchObject({
      base_url: "http://file.example",
      check_certificate: false,
      auth: { type: "none" },
    });
  });

  it("need no other setting until a client or the business server is configured", () => {
    const { event_processor: processor } = eventServiceOf({ yaml: "" });

    expect(processor).toStrictEqual({
      client_status_callback: { enabled: true, transactions: "own", bodies: "sep" },
      callback_api_request: { enabled: false },
    });
  });

  it("need no signing seed if no client has a callback URL", () => {
    const clients = [{ ...CLIENTS[0], callback_urls: {} }];

    expect(faultsOf({ env: { CLIENTS_VALUE: JSON.stringify(clients) } })).toStrictEqual([]);
  });

  it("accept clients as items with type inline", () => {
    const yaml = stringify({ eventService: { clients: { type: "inline", items: CLIENTS } } });
    const { clients } = eventServiceOf({ yaml, env: SECRETS });

    expect(clientsIn(clients)).toMatchObject(CLIENTS);
  });

  it.each([
    ["a list", stringify(CLIENTS)],
    ["an object with items", CLIENTS_FILE],
  ])("accept clients as %s in a string", (_, value) => {
    const { clients } = eventServiceOf({ env: { ...SECRETS, CLIENTS_TYPE: "yaml", CLIENTS_VALUE: value } });

    expect(clients.value).toMatchObject(CLIENTS);
  });

  it("read secrets from mounted files", () => {
    const { secret } = eventServiceOf({
      yaml: stringify({ eventService: { secret: { sep10: { signing_seedFile: "seed" } } } }),
      files: { seed: `${SEED}\n` },
    });

    expect(secret.sep10.signing_seed).toBe(SEED);
  });

  it("are printed with masked secrets, and the printed settings load", () => {
    const printed = printSettings(settingsOf({ env: { ...ENVIRONMENT, ...SECRETS } }));
    const { eventService } = parse(printed) as { eventService: { clients: { value: unknown } } };

    expect(eventService.clients.value).toMatchObject(CLIENTS);
    for (const secret of Object.values(SECRETS).slice(0, 2)) expect(printed).not.toContain(secret);
  });

  it("ignore unrelated variables in the environment", () => {
    expect(
      faultsOf({ env: { EVENTS_HORIZON: "1", SECRET_DATA_USERNAME: "u", CLIENTS_MAX: "3" } }),
    ).toStrictEqual([]);
    expect(faultsOf({ env: { CALLBACK_API_PORT: "tcp://10.0.0.1:80" } })).toStrictEqual([]);
  });

  it("warn about a URL for quotes, which has no effect", () => {
    const clients = [{ ...CLIENTS[0], callback_urls: { quote_created: "http://127.0.0.1/q" } }];

    const yaml = stringify({ eventService: { clients: { value: clients } } });

    expect(loaded({ yaml, env: SECRETS }).warnings).toContain(
      "client lobstr has a URL for quote_created, which has no effect: clients get no quotes",
    );
  });

  it("warn about bodies without a more_info_url", () => {
    const env = { SECRET_SEP10_SIGNING_SEED: SEED, CLIENTS_VALUE: JSON.stringify(CLIENTS) };

    expect(loaded({ env }).warnings).toContain(
      "SECRET_SEP24_MORE_INFO_URL_JWT_SECRET is not set: the bodies of sep24 transactions have no more_info_url",
    );
  });

  it("warn about a base URL with a path while keep_base_path is not set, with both URLs", () => {
    const env = { ...CALLBACK_API, CALLBACK_API_BASE_URL: "http://b.example/callback/" };
    const warned = loaded({ env }).warnings.filter((text) => text.includes("keep_base_path"));

    expect(warned).toHaveLength(1);
    expect(warned[0]).toContain("http://b.example/event");
    expect(warned[0]).toContain("http://b.example/callback/event");
    for (const keep of ["true", "false"]) {
      const { warnings } = loaded({ env: { ...env, CALLBACK_API_KEEP_BASE_PATH: keep } });
      expect(warnings.filter((text) => text.includes("keep_base_path"))).toStrictEqual([]);
    }
  });
});

const CALLBACK_API = {
  EVENT_PROCESSOR_CALLBACK_API_REQUEST_ENABLED: "true",
  CALLBACK_API_BASE_URL: "http://b",
};

const withClient = (change: object, secrets: Record<string, string> = SECRETS): Record<string, string> => ({
  ...secrets,
  CLIENTS_VALUE: JSON.stringify([{ ...CLIENTS[0], ...change }]),
});

const MSK = {
  STATIONGATE_BROKER_KAFKA_SASL_MECHANISM: "aws-msk-iam",
  STATIONGATE_BROKER_KAFKA_SASL_REGION: "eu-central-1",
};

describe("a queue of the type msk", () => {
  it("has the brokers of the section msk of an Anchor Platform's file", () => {
    const settings = settingsOf({
      env: MSK,
      yaml: stringify({ eventService: { file: "anchor.yaml" } }),
      files: {
        "anchor.yaml": `events.queue: { type: msk, kafka: { bootstrap_server: "kafka:1" }, msk: { use_IAM: true, bootstrap_server: "b-1:9098" } }`,
      },
    });
    expect(settings.eventService.events.queue).toMatchObject({
      type: "msk",
      kafka: { bootstrap_server: ["b-1:9098"] },
    });
  });

  it("is the gateway's own Kafka if it names no brokers", () => {
    const kafka = { STATIONGATE_BROKER_TYPE: "kafka", STATIONGATE_BROKER_KAFKA_BROKERS: '["b-1:9098"]' };
    const { eventService } = settingsOf({ env: { ...MSK, ...kafka, EVENTS_QUEUE_TYPE: "msk" } });
    expect(eventService.events.queue.kafka.bootstrap_server).toBeUndefined();
  });
});

describe("the event service's settings are refused with one line for", () => {
  it.each<[string, Record<string, string>, readonly string[]]>([
    [
      "sqs",
      { EVENTS_QUEUE_TYPE: "sqs" },
      [
        'eventService.events.queue.type (EVENTS_QUEUE_TYPE): got "sqs", allowed: kafka, or msk if broker.kafka.sasl.mechanism is aws-msk-iam (the Anchor Platform\'s sqs is not supported)',
      ],
    ],
    [
      "msk without the sign-in of AWS",
      { EVENTS_QUEUE_TYPE: "msk" },
      [
        "eventService.events.queue.type (EVENTS_QUEUE_TYPE): got msk, allowed: msk only if broker.kafka.sasl.mechanism is aws-msk-iam",
      ],
    ],
    [
      "msk without a Kafka",
      { ...MSK, EVENTS_QUEUE_TYPE: "msk" },
      [
        "eventService.events.queue.kafka.bootstrap_server: got nothing, allowed: host:port if broker.type is not kafka",
      ],
    ],
    [
      "no business server",
      { EVENT_PROCESSOR_CALLBACK_API_REQUEST_ENABLED: "true" },
      ["eventService.callback_api.base_url: got nothing, allowed: a URL if callback_api_request is enabled"],
    ],
    [
      "a short JWT secret",
      { ...CALLBACK_API, CALLBACK_API_AUTH_TYPE: "jwt", SECRET_CALLBACK_API_AUTH_SECRET: "short" },
      [
        "eventService.secret.callback_api.auth_secret (SECRET_CALLBACK_API_AUTH_SECRET): got 5 bytes, allowed: 32 bytes or more for jwt",
      ],
    ],
    [
      "a short expiration",
      { CALLBACK_API_AUTH_JWT_EXPIRATION_MILLISECONDS: "4999" },
      [
        "eventService.callback_api.auth.jwt.expiration_milliseconds (CALLBACK_API_AUTH_JWT_EXPIRATION_MILLISECONDS): got 4999, allowed: a whole number (5000 or greater)",
      ],
    ],
    [
      "a missing API key",
      { ...CALLBACK_API, CALLBACK_API_AUTH_TYPE: "api_key" },
      [
        "eventService.secret.callback_api.auth_secret: got nothing, allowed: SECRET_CALLBACK_API_AUTH_SECRET if callback_api.auth.type is api_key",
      ],
    ],
    [
      "callbacks without a seed",
      withClient({}, {}),
      [
        "eventService.secret.sep10.signing_seed: got nothing, allowed: SECRET_SEP10_SIGNING_SEED if a client has a callback URL",
      ],
    ],
    [
      "a short secret of more_info_url",
      { SECRET_SEP6_MORE_INFO_URL_JWT_SECRET: "short" },
      [
        "eventService.secret.sep6.more_info_url.jwt_secret (SECRET_SEP6_MORE_INFO_URL_JWT_SECRET): got 5 bytes, allowed: 32 bytes or more",
      ],
    ],
    [
      "two clients with one list",
      { ...SECRETS, CLIENTS_VALUE: JSON.stringify([CLIENTS[0], { ...CLIENTS[0], name: "other" }]) },
      [
        "eventService.clients.value[1] (CLIENTS_VALUE): shares its consumer group with lobstr: each client needs different signing_keys or domains",
      ],
    ],
    [
      "a client with the name of another client's list",
      { ...SECRETS, CLIENTS_VALUE: JSON.stringify([CLIENTS[0], { ...CLIENTS[1], name: "lobstr.co" }]) },
      [
        "eventService.clients.value[1] (CLIENTS_VALUE): shares its consumer group with lobstr: each client needs different signing_keys or domains",
      ],
    ],
    [
      "a damaged seed",
      { SECRET_SEP10_SIGNING_SEED: `${SEED.slice(0, -1)}A` },
      [
        "eventService.secret.sep10.signing_seed (SECRET_SEP10_SIGNING_SEED): got a string, allowed: a Stellar secret seed: S followed by 55 characters",
      ],
    ],
    [
      "SASL without a user",
      {
        EVENTS_QUEUE_KAFKA_BOOTSTRAP_SERVER: "k:1",
        EVENTS_QUEUE_KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
        SECRET_EVENTS_QUEUE_KAFKA_PASSWORD: "p",
      },
      [
        "eventService.secret.events.queue.kafka.username: got nothing, allowed: SECRET_EVENTS_QUEUE_KAFKA_USERNAME if security_protocol is SASL_PLAINTEXT",
      ],
    ],
    [
      "TLS without a bootstrap server",
      { EVENTS_QUEUE_KAFKA_SECURITY_PROTOCOL: "SSL" },
      [
        "eventService.events.queue.kafka.bootstrap_server: got nothing, allowed: host:port if security_protocol is SSL",
      ],
    ],
    [
      "a misspelled key",
      { CALLBACK_API_BASE_ULR: "http://b" },
      ["CALLBACK_API_BASE_ULR: is unknown, did you mean CALLBACK_API_BASE_URL?"],
    ],
    [
      "a client without a type",
      withClient({ type: "other" }),
      [
        'eventService.clients.value[0].type (CLIENTS_VALUE): got "other", allowed: an object whose type is custodial or noncustodial',
      ],
    ],
    [
      "a client without domains",
      withClient({ domains: [] }),
      [
        "eventService.clients.value[0].domains (CLIENTS_VALUE): got a list, allowed: a non-empty list of domains",
      ],
    ],
    [
      "an invalid callback URL",
      withClient({ callback_urls: { sep24: "wallet.example/cb" } }),
      [
        'eventService.clients.value[0].callback_urls.sep24 (CLIENTS_VALUE): got "wallet.example/cb", allowed: an http or https URL without user info and fragment',
      ],
    ],
    [
      "a repeated client",
      { ...SECRETS, CLIENTS_VALUE: JSON.stringify([CLIENTS[0], CLIENTS[0]]) },
      ['eventService.clients.value[1].name (CLIENTS_VALUE): got "lobstr" again, allowed: each name once'],
    ],
    [
      "a missing file of clients",
      { CLIENTS_TYPE: "file", CLIENTS_VALUE: "/nowhere/clients.yaml" },
      [
        'eventService.clients.value (CLIENTS_VALUE): got "/nowhere/clients.yaml", which is not a readable file',
      ],
    ],
  ])("%s", (_, env, faults) => {
    expect(faultsOf({ env })).toStrictEqual(faults);
  });

  it("a secret in a settings file", () => {
    const yaml = stringify({ eventService: { secret: { sep10: { signing_seed: SEED } } } });

    expect(faultsOf({ yaml })).toStrictEqual([
      "eventService.secret.sep10.signing_seed: is written in a settings file, allowed: SECRET_SEP10_SIGNING_SEED in the environment, or signing_seedFile",
    ]);
  });

  it("a missing file", () => {
    expect(faultsOf({ yaml: "eventService: { file: /nowhere/anchor.yaml }" })).toStrictEqual([
      'eventService.file: got "/nowhere/anchor.yaml", which is not a readable file',
    ]);
  });
});
