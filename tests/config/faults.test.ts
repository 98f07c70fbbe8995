import { faultsOf } from "./support.ts";

const A = "a".repeat(32);

describe("the line of a fault", () => {
  it.each([
    ["server: { port: abc }", 'server.port: got "abc", allowed: a whole number from 0 to 65535'],
    ["server: { port: 70000 }", "server.port: got 70000, allowed: a whole number from 0 to 65535"],
    [
      "server: { workers: none }",
      'server.workers: got "none", allowed: a whole number (1 or greater) or auto',
    ],
    ["server: { bodyLimits: 4mb }", "server.bodyLimits: is unknown, did you mean bodyLimit?"],
    ["servr: {}", "servr: is unknown, did you mean server?"],
    ["admin: { tokenFil: x }", "admin.tokenFil: is unknown, did you mean tokenFile?"],
    ["admin: hello", "admin: got a string, allowed: an object"],
    [
      "log: { level: loud }",
      'log.level: got "loud", allowed: one of trace, debug, info, warn, error, fatal, silent',
    ],
    ["roles: []", "roles: got a list, allowed: a list of ingest, delivery or both"],
    ["roles: [ingest, ingest]", 'roles[1]: got "ingest" again, allowed: each name once'],
    ["broker: { kafka: { ssl: { crt: x } } }", "broker.kafka.ssl.crt: is unknown, did you mean cert?"],
    [
      "broker: { kafka: { ssl: { ca: 5 } } }",
      "broker.kafka.ssl.ca: got 5, allowed: the path of a readable file",
    ],
    [
      "broker: { type: kafka }",
      "broker.kafka.brokers: got nothing, allowed: at least one host:port if broker.type is kafka",
    ],
    ["broker: { kafka: { brokers: [h] } }", 'broker.kafka.brokers[0]: got "h", allowed: host:port'],
    ["admin: { port: 4444 }", "admin.port: got 4444, allowed: a port other than server.port"],
    [
      "reading: { sessionTimeout: 5s }",
      'reading.sessionTimeout: got "5s", allowed: a duration from 6s to 5m',
    ],
    [
      "reading: { sessionTimeout: 6m }",
      'reading.sessionTimeout: got "6m", allowed: a duration from 6s to 5m',
    ],
    ["reading: { answerTimeout: 2s }", 'reading.answerTimeout: got "2s", allowed: a duration from 3s to 5m'],
    [
      "reading: { topic: readers }",
      'reading.topic: got "readers", allowed: _stationgate- followed by letters, digits, dots, underscores and hyphens',
    ],
    [
      "reading: { topic: _stationgate-connectors }",
      'reading.topic: got "_stationgate-connectors", allowed: a topic other than delivery.connectorsTopic',
    ],
    ["reading: { maxGroups: 0 }", "reading.maxGroups: got 0, allowed: a whole number (1 or greater)"],
    ["reading: { peers: {} }", "reading.peers: is unknown, did you mean peer?"],
    [
      "{ server: { workers: 2 }, reading: { peer: { port: 4443 } } }",
      "reading.peer.port: got 4443, which gives a worker the port of server.port, allowed: another port",
    ],
    [
      "reading: { peer: { host: 0.0.0.0 } }",
      'reading.peer.host: got "0.0.0.0", allowed: one address, at which other gateways reach this one',
    ],
    [
      "reading: { peer: { port: 4445 } }",
      "reading.peer.port: got 4445, which gives a worker the port of admin.port, allowed: another port",
    ],
    [
      "{ server: { workers: 3 }, reading: { peer: { port: 65534 } } }",
      "reading.peer.port: got 65534, which has no ports for 3 workers above it, allowed: a lower port",
    ],
    [
      "auth: { apiKeys: [{ id: readers, key: k, consume: [a] }] }",
      'auth.apiKeys[0].id: got "readers", allowed: another name for a reader (the gateways use the consumer group stationgate-readers)',
    ],
    [
      "auth: { accessToken: { secret: a }, refreshToken: { secret: b }, accounts: [{ username: slots, password: p, consume: [a] }] }\nreading: { topic: _stationgate-slots }",
      'auth.accounts[0].username: got "slots", allowed: another name for a reader (the gateways use the consumer group stationgate-slots)',
    ],
    [
      "restProxy: { baseUri: events.example.com }",
      'restProxy.baseUri: got "events.example.com", allowed: an http or https URL such as https://events.example.com',
    ],
    [
      "restProxy: { consumerRequestTimeout: 6m }",
      'restProxy.consumerRequestTimeout: got "6m", allowed: a duration from 1ms to 5m',
    ],
    [
      "auth: { accounts: [{ username: u }] }",
      "auth.accounts[0]: has no credential: set connectionToken or password",
    ],
    [
      "auth: { apiKeys: [{ id: w, key: k, kind: browser }] }",
      "auth.apiKeys[0].origins: is empty: a browser key needs at least one origin",
    ],
    [
      "auth: { apiKeys: [{ id: w, key: k, kind: browser, origins: ['https://a.example'], consume: [a] }] }",
      "auth.apiKeys[0].consume: a browser key is public and can't read: remove consume, or set kind to server",
    ],
    [
      "auth: { apiKeys: [{ id: w, key: k, groups: [''] }] }",
      'auth.apiKeys[0].groups[0]: got "", allowed: the name of a consumer group, case-sensitive; * matches any characters',
    ],
    [
      "auth: { accessToken: { secret: a }, refreshToken: { secret: b }, accounts: [{ username: u, password: p, consume: [a] }], apiKeys: [{ id: u, key: k, consume: [a] }] }",
      'auth.apiKeys[0].id: got "u", allowed: a name that no account has (limits, consumer groups and log lines go by the name)',
    ],
    [
      "auth: { apiKeys: [{ id: w, key: k, origins: ['https://a.example/x'] }] }",
      'auth.apiKeys[0].origins[0]: got "https://a.example/x", allowed: an origin such as https://shop.example, without a path, or *',
    ],
    ["auth: { accessToken: { ttl: 2d } }", "auth.accessToken.ttl: is longer than auth.accessToken.maxTtl"],
    [
      "stations: [{ name: Orders }]",
      'stations[0].name: got "Orders", allowed: at most 128 characters of a-z 0-9 _ - . that start and end with a letter or digit',
    ],
    ["stations: [{ name: a }, { name: a }]", 'stations[1].name: got "a" again, allowed: each name once'],
    [
      "stations: [{ name: a, key: id }]",
      'stations[0].key: got "id", allowed: a JSON pointer such as /orderId',
    ],
    [
      "stations: [{ name: a, schema: { type: avro } }]",
      'stations[0].schema.type: got "avro", allowed: an object whose type is json-schema, zod, protobuf or registry',
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: github, secrets: [x], publicUrl: y }]",
      "webhooks[0].publicUrl: is unknown, did you mean limits?",
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: standard-webhooks, secrets: [whsec_eA==] }]",
      "webhooks[0].secrets[0]: of source g is invalid, allowed: the base64 of 24 to 64 bytes, with or without the prefix whsec_",
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: hmac, secrets: [x], header: h, template: '{id}{body}' }]",
      "webhooks[0].idHeader: is required because the template contains {id} (or set idPointer)",
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: hmac, secrets: [x] }]",
      "webhooks[0].header: got nothing, allowed: a header name",
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: hmac, secrets: [x], header: h, template: '{timestamp}{body}' }]",
      "webhooks[0].timestampHeader: is required because the template contains {timestamp}",
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: hmac, secrets: [x], header: h, template: '{body}{url}' }]",
      'webhooks[0].template: got "{body}{url}", allowed: a text that contains {body}, and {timestamp} and {id} if the sender signs them',
    ],
    [
      "stations: [{ name: s }]\nwebhooks: [{ source: g, station: s, scheme: hmac, secrets: [x], header: h, idPointer: id }]",
      'webhooks[0].idPointer: got "id", allowed: a JSON pointer such as /id',
    ],
    [
      "delivery: { allowTargets: [10.0.0.0/33] }",
      'delivery.allowTargets[0]: got "10.0.0.0/33", allowed: a CIDR such as 127.0.0.0/8 or a host name',
    ],
    [
      "delivery: { connectorsTopic: orders }",
      'delivery.connectorsTopic: got "orders", allowed: _stationgate- followed by letters, digits, dots, underscores and hyphens',
    ],
    ["server: { port: 1\n", "stationgate.yaml: line 2 is not YAML: bad indent"],
    ["server: {}\nserver: {}", "stationgate.yaml: line 2 is not YAML: duplicate key"],
    ["a: *b", "stationgate.yaml: has an alias without an anchor, or too many aliases"],
    ["- server", "stationgate.yaml: is not an object of settings"],
  ])("%s", (yaml, fault) => {
    expect(faultsOf({ yaml })).toEqual([fault]);
  });

  it("names the environment variable of the value", () => {
    expect(faultsOf({ env: { STATIONGATE_SERVER_PORT: "x" } })).toEqual([
      'server.port (STATIONGATE_SERVER_PORT): got "x", allowed: a whole number from 0 to 65535',
    ]);
    expect(faultsOf({ env: { STATIONGATE_STATIONS: '[{"name":"-"}]' } })[0]).toContain(
      "stations[0].name (STATIONGATE_STATIONS): got",
    );
  });

  it("reports an unknown environment variable", () => {
    expect(faultsOf({ env: { STATIONGATE_SERVER_PRT: "1" } })).toEqual([
      "STATIONGATE_SERVER_PRT: is unknown, did you mean STATIONGATE_SERVER_PORT?",
    ]);
  });

  it("reports a missing settings file", () => {
    expect(faultsOf({ env: { STATIONGATE_CONFIG: "nowhere.yaml" } })).toEqual([
      "nowhere.yaml: cannot be read (ENOENT)",
    ]);
  });

  it("reports an unreadable file", () => {
    const [fault] = faultsOf({
      yaml: "stations: [{ name: a, schema: { type: json-schema, file: no.json } }]",
    });
    expect(fault).toMatch(/^stations\[0\]\.schema\.file: got ".*no\.json", which is not a readable file$/);
  });

  it("reports an unreadable file of a secret", () => {
    expect(faultsOf({ yaml: "admin: { tokenFile: no }" })).toEqual([
      'admin.token: got tokenFile "no", which cannot be read (ENOENT)',
    ]);
    expect(faultsOf({ yaml: "admin: { tokenFile: t, token: x }", files: { t: "y" } })).toEqual([
      "admin.token: is set in addition to tokenFile, allowed: one of them",
    ]);
    expect(faultsOf({ yaml: "admin: { tokenFile: 5 }" })).toEqual([
      "admin.token: got no path in tokenFile, allowed: the path of a readable file",
    ]);
  });
});

describe("faults of token secrets", () => {
  it.each([
    [
      `auth: { accessToken: { secret: "" }, refreshToken: { secret: ${A} } }`,
      "auth.accessToken.secret: got a string, allowed: a non-empty string",
    ],
    [
      `auth: { accessToken: { secret: ${A} }, refreshToken: { secret: ${A} } }`,
      "auth.refreshToken.secret: got a secret of auth.accessToken, allowed: a different one",
    ],
    [
      `auth: { accessToken: { secret: ${A} } }`,
      "auth.refreshToken.secret: got nothing, allowed: a non-empty string (sign-in needs access and refresh tokens)",
    ],
    [
      `auth: { accessToken: { secrets: [{ kid: k, secret: ${A} }, { kid: k, secret: ${A}2 }] }, refreshToken: { secret: ${A}3 } }`,
      'auth.accessToken.secrets[1].kid: got "k" again, allowed: each name once',
    ],
    [
      `auth: { accessToken: { secret: ${A}, secrets: [{ kid: k, secret: ${A} }] }, refreshToken: { secret: ${A}3 } }`,
      "auth.accessToken.secrets: secret and secrets are both set: set only one of them",
    ],
  ])("%s", (yaml, fault) => {
    expect(faultsOf({ yaml })).toEqual([fault]);
  });

  it("are reported if there are accounts", () => {
    expect(faultsOf({ yaml: "auth: { accounts: [{ username: u, password: p }] }" })).toEqual([
      expect.stringContaining("auth.accessToken.secret: got nothing"),
      expect.stringContaining("auth.refreshToken.secret: got nothing"),
    ]);
  });
});

describe("several faults", () => {
  it("are reported together: unknown names, invalid values and rules about several keys", () => {
    const faults = faultsOf({
      yaml: `server: { port: abc, prot: 1 }
broker: { type: kafka, kafka: { compression: lzma } }
auth: { accessToken: { secret: ${A}, ttl: soon }, refreshToken: { secret: ${A} } }
stations: [{ name: a }, { name: a, topic: "." }]`,
      env: { STATIONGATE_NONSENSE: "1", STATIONGATE_LIMITS_KEY_SIZE: "4xb" },
    });
    expect(faults.map((line) => line.split(/:| \(/)[0])).toEqual([
      "STATIONGATE_NONSENSE",
      "server.prot",
      "server.port",
      "broker.kafka.compression",
      "auth.accessToken.ttl",
      "limits.keySize",
      "stations[1].topic",
      "broker.kafka.brokers",
      "auth.refreshToken.secret",
      "stations[1].name",
    ]);
  });

  it("do not include faults that only follow from another fault", () => {
    expect(
      faultsOf({
        yaml: "auth: { apiKeys: [{ id: a, key: 5, kind: browser, origins: ['https://a.example'] }] }",
      }),
    ).toEqual(["auth.apiKeys[0].key: got a number, allowed: a non-empty string"]);
    expect(
      faultsOf({
        yaml: "stations: [{ nam: s }]\nwebhooks: [{ source: g, station: s, scheme: github, secrets: [x] }]",
      }),
    ).toHaveLength(2);
  });
});

describe("a fault line contains no secret", () => {
  const HUSH = "hush-hush";
  it.each([
    `admin: { token: [${HUSH}] }`,
    `admin: ${HUSH}`,
    `auth: ${HUSH}`,
    `auth: { accounts: ${HUSH} }`,
    `auth: { accounts: [${HUSH}] }`,
    `auth: { accessToken: ${HUSH} }`,
    `auth: { accessToken: { secret: ${HUSH} } }`,
    `auth: { accessToken: { sceret: ${HUSH} } }`,
    `auth: { accounts: [{ username: u, pasword: ${HUSH} }] }`,
    `webhooks: [{ source: g, station: s, scheme: github, secrets: ${HUSH} }]`,
    `webhooks: [{ source: g, station: s, scheme: github, secrets: [${HUSH}, { a: ${HUSH} }] }]`,
    `webhooks: [{ source: g, station: s, scheme: twilio, secrets: [x], publicUrl: "ftp://u:${HUSH}@h/" }]`,
    `connectors: [{ name: c, config: { secret: [${HUSH}], other: [${HUSH}] } }]`,
    `admin: { token: "${HUSH} }`,
    `admin: { token: *${HUSH} }`,
  ])("%s", (yaml) => {
    const faults = faultsOf({ yaml });
    expect(faults).not.toEqual([]);
    expect(faults.join("\n")).not.toContain(HUSH);
  });

  it("from the environment", () => {
    const faults = faultsOf({
      env: { STATIONGATE_AUTH_ACCOUNTS: `[{"password": "${HUSH}"`, STATIONGATE_ROLES: "x" },
    });
    expect(faults).toHaveLength(2);
    expect(faults.join("\n")).not.toContain(HUSH);
  });
});
