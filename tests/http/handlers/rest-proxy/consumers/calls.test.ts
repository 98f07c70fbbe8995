import type { Issuers } from "../../../../../src/auth/issuers/issuers.ts";
import { createRights } from "../../../../../src/auth/issuers/rights.ts";
import { createKey, tokenOf } from "../../../../auth/issuers/support.ts";
import { GatewayError } from "../../../../../src/errors.ts";
import type { PeerAnswer, PeerCall } from "../../../../../src/home/peers/peers.ts";
import { PARTNER_KEY } from "../../../support.ts";
import type { TestOptions } from "../../../support.ts";
import { error, serve, type ServedGateway } from "../support.ts";

interface Sent {
  readonly group: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly waitMs: number;
}

const V2 = "application/vnd.kafka.v2+json";
const I = "/consumers/g/instances/i";

/** A home that answers as the test says. */
const homeOf = () => {
  const sent: Sent[] = [];
  const ended: boolean[] = [];
  let answer: () => Partial<PeerAnswer> = () => ({});
  return {
    sent,
    ended,
    answers: (next: typeof answer) => {
      answer = next;
    },
    call: (group: string, { path, body, waitMs }: PeerCall): Promise<PeerAnswer> => {
      sent.push({ group, path, waitMs, body: JSON.parse(body.toString()) as Sent["body"] });
      return Promise.resolve().then(() => ({
        status: 200,
        headers: { "Content-Type": V2 },
        body: Buffer.from("[]"),
        ended: (whole) => ended.push(whole),
        ...answer(),
      }));
    },
  };
};

let home: ReturnType<typeof homeOf>;
let gateway: ServedGateway;

const start = async (options: TestOptions = {}): Promise<ServedGateway> => {
  home = homeOf();
  gateway = await serve({ home, ...options });
  return gateway;
};

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const call = async (
  method: string,
  path: string,
  body?: unknown,
  { user = "root", ...headers }: Record<string, string> = {},
) => {
  const answer = await fetch(gateway.url + path, {
    method,
    headers: {
      authorization: `Bearer ${await gateway.token(user)}`,
      ...(body === undefined ? {} : { "content-type": V2 }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const type = answer.headers.get("content-type");
  return { status: answer.status, type, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
};

const codeOf = (body: unknown) => (body as { error_code?: number }).error_code;

describe("who may call", () => {
  it("answers 403 with the old text to a principal that may read nothing, and 401 without a valid credential", async () => {
    await start();
    const answer = await call("POST", "/consumers/g", {}, { user: "app" });
    expect([answer.status, answer.body]).toEqual([
      403,
      error(40301, "Administrative endpoints are disabled"),
    ]);
    const key = await call("GET", `${I}/records`, undefined, { authorization: `ApiKey ${PARTNER_KEY}` });
    expect([key.status, codeOf(key.body)]).toEqual([403, 40301]);
    expect((await call("POST", "/consumers/g", {}, { authorization: "Bearer wrong" })).status).toBe(401);
    expect(home.sent).toEqual([]);
  });

  it("answers 403 to everybody if the gateway has no homes", async () => {
    gateway = await serve();
    const answer = await call("POST", "/consumers/g", {});
    expect(answer.body).toEqual(error(40301, "Administrative endpoints are disabled"));
  });

  it("logs that the issuer left groups out of the token", async () => {
    const mapping = [{ claim: "roles", value: "a", stations: [], consume: ["plain"] }];
    const rightsOf = createRights({
      ...{ name: "corp", consumeClaim: "groups", mapping, groups: ["g"], stations: [], consume: ["*"] },
      ...{ origins: [], limits: {} },
    });
    const otherIssuers: Issuers = {
      maxTokenSize: 12_288,
      verify: ({ payload }) => {
        const rights = rightsOf(payload, "ann");
        return { ...rights, notBefore: 0, expires: Infinity, isCurrent: () => true };
      },
      renew: (principal) => principal,
      close: () => undefined,
    };
    await start({ otherIssuers });
    home.answers(() => {
      throw new GatewayError("STATION_FORBIDDEN", { message: "corp:ann is not allowed to read clicks" });
    });
    const key = createKey("ES256");
    for (const claims of [{}, { roles: ["a"] }]) {
      const authorization = `Bearer ${tokenOf(key, { ...claims, hasgroups: true })}`;
      expect((await call("GET", `${I}/records`, undefined, { authorization })).status).toBe(403);
    }
    expect(gateway.lines.filter(({ status }) => status === 403)).toMatchObject([
      { code: "ADMINISTRATION_DISABLED", reason: "groups not in the token" },
      { code: "STATION_FORBIDDEN", reason: "groups not in the token" },
    ]);
  });

  it.each([
    ["reader", "g"],
    ["root", "other"],
    ["root", "G"],
    ["root", "connect-x"],
    ["root", "stationgate-root"],
  ])("refuses %s the group %s, and names the setting", async (user, group) => {
    await start();
    const answer = await call("POST", `/consumers/${group}`, {}, { user });
    expect([answer.status, answer.body]).toEqual([403, error(40301, expect.stringContaining('"groups"'))]);
  });

  it("sends the principal's rights with the call", async () => {
    await start();
    await call("GET", "/consumers/etl-1/instances/a%2Fb/subscription/");
    expect(home.sent).toMatchObject([
      {
        group: "etl-1",
        path: "/v2/subscription",
        body: { owner: "account root", group: "etl-1", instance: "a/b", readable: [["*"], ["*"], ["*"]] },
      },
    ]);
  });
});

describe("creating an instance", () => {
  const settings = { format: "binary", reset: "latest", autoCommit: true, minBytes: 1, timeoutMs: 1000 };

  it.each([
    [undefined, settings],
    [{}, settings],
    [
      { format: "json", "auto.offset.reset": "earliest" },
      { ...settings, format: "json", reset: "earliest" },
    ],
    [
      { "auto.commit.enable": "false", format: "TEXT" },
      { ...settings, autoCommit: false, format: "text" },
    ],
    [
      { "enable.auto.commit": false, "isolation.level": "read_committed" },
      { ...settings, autoCommit: false },
    ],
    [
      { "fetch.min.bytes": "-1", "consumer.request.timeout.ms": "7000" },
      { ...settings, minBytes: -1, timeoutMs: 7000 },
    ],
    [
      { "fetch.min.bytes": 10_000_000, "consumer.request.timeout.ms": 900_000 },
      { ...settings, minBytes: 10_000_000, timeoutMs: 300_000 },
    ],
  ])("takes %j", async (body, expected) => {
    await start();
    await call("POST", "/consumers/g", body);
    expect(home.sent[0]).toMatchObject({ path: "/v2/create", body: { arguments: { settings: expected } } });
    expect(home.sent[0]?.body["instance"]).toMatch(/^rest-consumer-[0-9a-f-]{36}$/);
  });

  it("takes the id before the name, and gives the home the URL", async () => {
    await start();
    await call("POST", "/consumers/g/", { id: "my id", name: "n" });
    await call("POST", "/consumers/g", { name: "n" }, { "content-type": "application/json" });
    expect(home.sent.map(({ body }) => [body["instance"], body["arguments"]])).toMatchObject([
      ["my id", { baseUri: `${gateway.url}/consumers/g/instances/my%20id` }],
      ["n", { baseUri: `${gateway.url}/consumers/g/instances/n` }],
    ]);
  });

  it("makes the URL of the headers of a trusted proxy, or of the setting", async () => {
    const forwarded = {
      "x-forwarded-proto": "https",
      "x-forwarded-host": "gw.example",
      "x-forwarded-port": "8443",
      "x-forwarded-prefix": "/kafka",
    };
    const urls: unknown[] = [];
    for (const options of [{}, { trustProxy: 1 }, { instances: { baseUri: "https://set.example/base/" } }]) {
      await start(options);
      await call("POST", "/consumers/g", { name: "n" }, forwarded);
      urls.push((home.sent[0]?.body["arguments"] as { baseUri: string }).baseUri.replace(gateway.url, ""));
      await gateway.server.drain({ graceMs: 0 });
    }
    expect(urls).toEqual([
      "/consumers/g/instances/n",
      "https://gw.example:8443/kafka/consumers/g/instances/n",
      "https://set.example/base/consumers/g/instances/n",
    ]);
  });

  it.each([
    ['{"name":', 400, 400, "Invalid JSON"],
    [[], 422, 422, "The body must be an object (got an array)"],
    [{ nme: 1 }, 422, 422, "The body has unknown fields: nme"],
    [{ name: 5 }, 422, 422, "name must be a string (got 5)"],
    [{ "auto.commit.enable": 1 }, 422, 422, "auto.commit.enable must be true or false (got 1)"],
    [
      { format: "xml" },
      422,
      42204,
      'format must be one of binary, json, text, avro, jsonschema, protobuf (got "xml")',
    ],
    [
      { "auto.offset.reset": "none" },
      422,
      42204,
      'auto.offset.reset must be one of latest, earliest (got "none")',
    ],
    [
      { "consumer.request.timeout.ms": -1 },
      422,
      42204,
      "consumer.request.timeout.ms must be 0 to 300000, in milliseconds (got -1)",
    ],
    [{ "fetch.min.bytes": -2 }, 422, 40001, "fetch.min.bytes must be -1 to 10000000 (got -2)"],
    [{ format: "avro" }, 400, 40002, "The format avro needs a schema registry, and none is configured"],
  ])("refuses %j", async (body, status, code, text) => {
    await start();
    const answer = await call("POST", "/consumers/g", body);
    expect([answer.status, answer.body]).toEqual([status, error(code, text)]);
    expect(home.sent).toEqual([]);
  });

  it.each([
    ["text/plain", 415],
    ["application/vnd.kafka.v1+json", 415],
    ["application/vnd.kafka.v2+json", 200],
    ["application/vnd.kafka.binary.v2+json", 200],
    ["application/json; charset=utf-8", 200],
  ])("answers a body of %s with %s", async (type, status) => {
    await start();
    const answer = await call("POST", "/consumers/g", "{}", { "content-type": type });
    expect(answer.status).toBe(status);
  });
});

describe("the other calls", () => {
  const plain = { name: "plain", station: "plain", topic: "plain" };
  const orders = { name: "shop.orders", station: "orders", topic: "shop.orders" };
  const parts = { partitions: [{ topic: "shop.orders", partition: 1 }] };
  const named = { partitions: [{ ...orders, partition: 1 }] };

  it.each([
    ["POST", "/subscription", { topics: ["plain", "shop.orders"] }, "subscribe", { topics: [plain, orders] }],
    [
      "POST",
      "/subscription",
      { topics: ["orders"] },
      "subscribe",
      { topics: [{ ...orders, name: "orders" }] },
    ],
    ["POST", "/subscription", { topics: [] }, "subscribe", { topics: [] }],
    ["POST", "/subscription", { topic_pattern: "p.*" }, "subscribe", { pattern: "p.*" }],
    ["GET", "/subscription", undefined, "subscription", {}],
    ["DELETE", "/subscription", undefined, "unsubscribe", {}],
    ["POST", "/assignments", parts, "assign", named],
    ["GET", "/assignments", undefined, "assignment", {}],
    ["POST", "/positions/beginning", parts, "beginning", named],
    ["POST", "/positions/end", parts, "end", named],
    [
      "POST",
      "/positions",
      {
        offsets: [{ topic: "plain", partition: 0, offset: 7 }],
        timestamps: [{ topic: "plain", partition: 1, timestamp: "2026-01-31T12:00:00+01:00" }],
      },
      "seek",
      {
        offsets: [{ ...plain, partition: 0, offset: "7" }],
        timestamps: [{ ...plain, partition: 1, timestamp: Date.UTC(2026, 0, 31, 11) }],
      },
    ],
    ["POST", "/offsets", undefined, "commit", {}],
    ["POST", "/offsets", {}, "commit", {}],
    [
      "POST",
      "/offsets",
      { offsets: [{ topic: "plain", partition: 0, offset: 7, metadata: "m" }] },
      "commit",
      { offsets: [{ ...plain, partition: 0, offset: "7", metadata: "m" }] },
    ],
    ["GET", "/offsets?partitions=shop.orders:1", undefined, "committed", named],
    ["DELETE", "", undefined, "delete", {}],
  ])("sends %s %s %j to the home", async (...[method, path, body, operation, expected]) => {
    await start();
    await call(method, I + path, body);
    expect(home.sent).toMatchObject([{ path: `/v2/${operation}` }]);
    expect(home.sent[0]?.body["arguments"]).toEqual(expected);
  });

  it.each([
    ["/subscription", {}, 422, 422, "The body must have topics or topic_pattern"],
    [
      "/subscription",
      { topics: ["plain"], topic_pattern: "p.*" },
      409,
      40903,
      "A subscription has topics or topic_pattern, not both",
    ],
    ["/subscription", { topics: "plain" }, 422, 422, 'topics must be an array (got "plain")'],
    ["/subscription", { topics: ["missing"] }, 404, 40401, "Topic missing not found"],
    [
      "/assignments",
      { partitions: [{ topic: "plain", partition: -1 }] },
      422,
      422,
      "partitions.0.partition must be 0 or greater (got -1)",
    ],
    ["/positions", {}, 422, 422, "The body must have offsets or timestamps (got an object)"],
    [
      "/positions",
      { timestamps: [{ topic: "plain", partition: 0, timestamp: "x" }] },
      422,
      422,
      'timestamps.0.timestamp must be a time, such as 2026-01-31T12:00:00Z (got "x")',
    ],
  ])("refuses %s %j", async (...[path, body, status, code, text]) => {
    await start();
    const answer = await call("POST", I + path, body);
    expect([answer.status, answer.body]).toEqual([status, error(code, text)]);
    expect(home.sent).toEqual([]);
  });

  it("refuses a topic that the principal may not read, whether or not it exists", async () => {
    await start();
    for (const topics of [["orders"], ["nowhere"]]) {
      const headers = { authorization: "ApiKey groups-key-0123456789" };
      const answer = await call("POST", `${I}/subscription`, { topics }, headers);
      expect([answer.status, codeOf(answer.body)]).toEqual([403, 40301]);
    }
  });

  it("answers 404 to committed offsets without partitions", async () => {
    await start();
    const answer = await call("GET", `${I}/offsets`);
    expect([answer.status, codeOf(answer.body)]).toEqual([404, 40402]);
  });
});

describe("reading records", () => {
  it.each([
    [undefined, [{ type: V2 }]],
    ["*/*", [{ type: V2 }]],
    ["application/json", [{ type: "application/json" }]],
    [V2, [{ type: V2 }]],
    ["application/vnd.kafka.json.v2+json", [{ type: "application/vnd.kafka.json.v2+json", format: "json" }]],
    [
      "application/json;q=0.5, application/vnd.kafka.binary.v2+json",
      [{ type: "application/vnd.kafka.binary.v2+json", format: "binary" }, { type: "application/json" }],
    ],
    ["text/html", []],
  ])("accepts %s as %j", async (accept, expected) => {
    await start();
    await call("GET", `${I}/records`, undefined, accept === undefined ? { accept: "" } : { accept });
    expect(home.sent[0]?.body["arguments"]).toEqual({ accept: expected });
  });

  it("passes timeout and max_bytes on, and waits longer than the timeout", async () => {
    await start();
    await call("GET", `${I}/records?timeout=20000&max_bytes=5`);
    expect(home.sent[0]?.body["arguments"]).toMatchObject({ timeoutMs: 20_000, maxBytes: 5 });
    expect(home.sent[0]?.waitMs).toBeGreaterThan(30_000);
    const wrong = await call("GET", `${I}/records?timeout=soon`);
    expect([wrong.status, codeOf(wrong.body)]).toEqual([422, 42204]);
  });

  it("writes the home's answer through, and reports that it was sent", async () => {
    await start();
    home.answers(() => ({ headers: { "Content-Type": "application/x" }, body: Buffer.from('[{"a":1}]') }));
    const answer = await call("GET", `${I}/records`);
    expect([answer.status, answer.type, answer.body]).toEqual([200, "application/x", [{ a: 1 }]]);
    home.answers(() => ({ status: 204, headers: {}, body: Buffer.alloc(0) }));
    expect((await call("DELETE", I)).status).toBe(204);
    expect(home.ended).toEqual([true, true]);
  });

  it("answers the errors of the home with the codes of the REST Proxy", async () => {
    await start();
    const answers: unknown[] = [];
    for (const code of [
      "INSTANCE_UNKNOWN",
      "INSTANCE_EXISTS",
      "INSTANCE_CONFLICT",
      "FORMAT_UNACCEPTABLE",
    ] as const) {
      home.answers(() => {
        throw new GatewayError(code);
      });
      const { status, body } = await call("GET", `${I}/records`);
      answers.push([status, codeOf(body)]);
    }
    expect(answers).toEqual([
      [404, 40403],
      [409, 40902],
      [409, 40903],
      [406, 40601],
    ]);
  });
});
