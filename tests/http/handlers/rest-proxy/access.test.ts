import { PARTNER_KEY } from "../../support.ts";
import { error, json, RECORDS, serve, type ServedGateway } from "./support.ts";

let gateway: ServedGateway;
let token: string;

beforeAll(async () => {
  gateway = await serve();
  token = await gateway.token();
});

afterAll(() => gateway.server.drain({ graceMs: 0 }));

const basic = (id: string, key: string): string => `Basic ${Buffer.from(`${id}:${key}`).toString("base64")}`;

/** Sends only the given headers. `gateway.post` would add an API key. */
const call = async (method: string, path: string, headers: Record<string, string>, body?: string) => {
  const answer = await fetch(gateway.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.status, body: await answer.json(), headers: answer.headers };
};

const produce = (headers: Record<string, string>, path = RECORDS) =>
  call("POST", path, { "content-type": "application/json", ...headers }, JSON.stringify(json(1)));

describe("authentication", () => {
  it.each([
    ["a key in X-Api-Key", () => ({ "x-api-key": PARTNER_KEY })],
    ["a key in Authorization: ApiKey", () => ({ authorization: `ApiKey ${PARTNER_KEY}` })],
    ["an id and its key in Authorization: Basic", () => ({ authorization: basic("partner", PARTNER_KEY) })],
    ["the second key of an id", () => ({ authorization: basic("partner", "partner-key-of-tomorrow") })],
    ["an access token", () => ({ authorization: `Bearer ${token}` })],
  ])("accepts %s", async (_, headers) => {
    expect((await produce(headers())).status).toBe(200);
  });

  it.each([
    ["a request without a credential", {}],
    ["a wrong key", { "x-api-key": "wrong" }],
    ["an expired key", { "x-api-key": "late-key-0123456789" }],
    ["the key of another id", { authorization: basic("late", PARTNER_KEY) }],
    ["a wrong token", { authorization: "Bearer wrong" }],
  ])("refuses %s", async (_, headers) => {
    const answer = await produce(headers);
    expect([answer.status, answer.body]).toEqual([401, error(40101, "Unauthorized")]);
  });

  it("refuses a topic that the key does not allow, whether or not the topic exists", async () => {
    for (const topic of ["hidden", "unheard-of"]) {
      const answer = await produce({ "x-api-key": PARTNER_KEY }, RECORDS.replace("plain", topic));
      expect([answer.status, answer.body]).toEqual([403, error(40301, expect.stringContaining(topic))]);
    }
  });
});

describe("administration", () => {
  const refused = [
    ["POST", "/v3/clusters/c/topics"],
    ["DELETE", "/v3/clusters/c/topics/plain"],
    ["PATCH", "/v3/clusters/c/topics/plain"],
    ["GET", "/v3/clusters/c/topics/plain/records"],
    ["POST", "/v3/clusters/c/topics/plain/partitions"],
    ["DELETE", "/v3/clusters/c/topics/plain/partitions/0"],
    ["GET", "/v3/clusters/c/topics/plain/partitions/0/replicas"],
    ["GET", "/v3/clusters/c/topics/plain/configs"],
    ["PUT", "/v3/clusters/c/topics/plain/configs/retention.ms"],
    ["POST", "/v3/clusters/c/topics/plain/configs:alter"],
    ["POST", "/v3/clusters/c/acls"],
    ["DELETE", "/v3/clusters/c/acls"],
    ["GET", "/v3/clusters/c/consumer-groups"],
    ["GET", "/v3/clusters/c/brokers"],
    ["POST", "/v3/clusters"],
    ["GET", "/v3"],
    ["GET", "/brokers"],
    ["PUT", "/topics/plain"],
    ["DELETE", "/topics/plain"],
    ["POST", "/topics/plain/partitions"],
    ["PUT", "/topics/plain/partitions/0"],
    ["POST", "/topics/plain/partitions/0/offsets"],
    ["GET", "/topics/plain/partitions/0/messages"],
    ["GET", "/consumers/group/instances"],
  ] as const;

  it("answers 403 to every credential, also to a wrong credential", async () => {
    const before = await gateway.broker.topics();
    for (const [method, path] of refused) {
      for (const authorization of [`ApiKey ${PARTNER_KEY}`, `Bearer ${token}`, "Bearer wrong", "nonsense"]) {
        const answer = await call(method, path, { authorization });
        expect([path, answer.status, answer.body]).toEqual([
          path,
          403,
          error(40301, "Administrative endpoints are disabled"),
        ]);
      }
      expect((await call(method, path, { "x-api-key": "any" })).status).toBe(403);
      expect((await call(method, `${path}?authorization=any`, {})).status).toBe(403);
      expect((await call(method, path, {})).status).toBe(401);
    }
    expect(await gateway.broker.topics()).toEqual(before);
  });

  it("answers the preflight request of a page", async () => {
    const answer = await fetch(`${gateway.url}/v3/clusters/c/topics`, {
      method: "OPTIONS",
      headers: { origin: "https://shop.example", "access-control-request-method": "DELETE" },
    });
    expect(answer.status).toBe(204);
  });
});

/** The metadata paths of one topic. */
const TOPIC_PATHS = [
  "/v3/clusters/c/topics/plain",
  "/v3/clusters/c/topics/plain/partitions",
  "/v3/clusters/c/topics/plain/partitions/0",
  "/topics/plain",
  "/topics/plain/partitions",
  "/topics/plain/partitions/0",
  "/topics/plain/partitions/0/offsets",
] as const;

describe("metadata", () => {
  const get = (path: string, headers: Record<string, string> = { "x-api-key": PARTNER_KEY }) =>
    call("GET", path, headers);

  it("shows the cluster in the shape of Confluent's REST Proxy", async () => {
    const self = `${gateway.url}/v3/clusters/c-1`;
    const { status, body } = await get("/v3/clusters/c-1");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      kind: "KafkaCluster",
      metadata: { self, resource_name: "crn:///kafka=c-1" },
      cluster_id: "c-1",
      topics: { related: `${self}/topics` },
    });
    const { body: list } = await get("/v3/clusters");
    expect(list).toMatchObject({
      kind: "KafkaClusterList",
      metadata: { self: `${gateway.url}/v3/clusters`, next: null },
      data: [{ kind: "KafkaCluster", cluster_id: "stationgate" }],
    });
    // The embedded log has the same cluster id for operators and for clients.
    expect(await gateway.broker.clusterId()).toBe("stationgate");
  });

  it("lists only the topics that the caller may produce to or read", async () => {
    const { body } = await get("/v3/clusters/c/topics");
    expect(body).toMatchObject({
      kind: "KafkaTopicList",
      metadata: { self: `${gateway.url}/v3/clusters/c/topics`, next: null },
      data: [
        {
          kind: "KafkaTopic",
          metadata: { resource_name: "crn:///kafka=c/topic=plain" },
          cluster_id: "c",
          topic_name: "plain",
          is_internal: false,
          replication_factor: 1,
          partitions_count: 1,
        },
        { topic_name: "orders" },
      ],
    });
    expect((await get("/topics")).body).toEqual(["plain", "orders"]);
    expect((await get("/topics", { authorization: `Bearer ${token}` })).body).toEqual([
      "plain",
      "orders",
      "hidden",
    ]);
  });

  it("answers 401 without a credential", async () => {
    for (const path of ["/v3/clusters", "/v3/clusters/c", "/v3/clusters/c/topics", "/topics", ...TOPIC_PATHS])
      expect((await get(path, {})).status).toBe(401);
  });

  it("lists the topics that a reader may read", async () => {
    const reader = { authorization: `Bearer ${await gateway.token("reader")}` };
    expect((await get("/topics", reader)).body).toEqual(["plain"]);
    expect((await get("/v3/clusters/c/topics", reader)).body).toMatchObject({
      data: [{ topic_name: "plain" }],
    });
  });

  it("shows one topic and its partitions in v3", async () => {
    const self = `${gateway.url}/v3/clusters/c/topics/shop.orders`;
    const topic = await get("/v3/clusters/c/topics/shop.orders");
    expect([topic.status, topic.body]).toEqual([
      200,
      {
        kind: "KafkaTopic",
        metadata: { self, resource_name: "crn:///kafka=c/topic=shop.orders" },
        cluster_id: "c",
        topic_name: "shop.orders",
        is_internal: false,
        replication_factor: 1,
        partitions_count: 1,
        partitions: { related: `${self}/partitions` },
        configs: { related: `${self}/configs` },
        partition_reassignments: { related: `${self}/partitions/-/reassignment` },
        authorized_operations: [],
      },
    ]);
    const partition = {
      kind: "KafkaPartition",
      metadata: {
        self: `${self}/partitions/0`,
        resource_name: "crn:///kafka=c/topic=shop.orders/partition=0",
      },
      cluster_id: "c",
      topic_name: "shop.orders",
      partition_id: 0,
      leader: { related: `${self}/partitions/0/replicas/0` },
      replicas: { related: `${self}/partitions/0/replicas` },
      reassignment: { related: `${self}/partitions/0/reassignment` },
    };
    expect((await get("/v3/clusters/c/topics/shop.orders/partitions/0")).body).toEqual(partition);
    expect((await get("/v3/clusters/c/topics/shop.orders/partitions")).body).toEqual({
      kind: "KafkaPartitionList",
      metadata: { self: `${self}/partitions`, next: null },
      data: [partition],
    });
  });

  it("shows one topic, its partitions and their offsets in v2", async () => {
    const other = await serve();
    const headers = { "x-api-key": PARTNER_KEY };
    const ask = async (path: string) => {
      const answer = await fetch(other.url + path, { headers });
      expect(answer.headers.get("content-type")).toBe("application/vnd.kafka.v2+json");
      return answer.json();
    };
    const partition = { partition: 0, leader: 0, replicas: [{ broker: 0, leader: true, in_sync: true }] };
    expect(await ask("/topics/plain")).toEqual({ name: "plain", configs: {}, partitions: [partition] });
    expect(await ask("/topics/plain/partitions")).toEqual([partition]);
    expect(await ask("/topics/plain/partitions/0")).toEqual(partition);
    expect(await ask("/topics/plain/partitions/0/offsets")).toEqual({ beginning_offset: 0, end_offset: 0 });
    await other.post(RECORDS, json(1));
    expect(await ask("/topics/plain/partitions/0/offsets")).toEqual({ beginning_offset: 0, end_offset: 1 });
    await other.server.drain({ graceMs: 0 });
  });

  it.each(TOPIC_PATHS)("answers the errors of %s to a producer and to a reader", async (path) => {
    const reader = { authorization: `Bearer ${await gateway.token("reader")}` };
    const partner = { "x-api-key": PARTNER_KEY };
    const at = (topic: string) => path.replace("plain", topic);
    const codes = async (topic: string, headers: Record<string, string>) => {
      const { status, body } = await get(at(topic), headers);
      return [status, (body as { error_code?: number }).error_code];
    };
    for (const headers of [partner, reader, { authorization: `Bearer ${token}` }])
      expect(await codes("plain", headers)).toEqual([200, undefined]);
    const forbidden = await get(at("hidden"), partner);
    expect([forbidden.status, forbidden.body]).toEqual([
      403,
      error(40301, expect.stringContaining("hidden")),
    ]);
    expect(await codes("orders", reader)).toEqual([403, 40301]);
    expect(await codes("unheard-of", partner)).toEqual([403, 40301]);
    expect(await codes("nope", partner)).toEqual([404, 40403]);
    expect(await codes("missing-topic", partner)).toEqual([404, 40403]);
    expect(await codes("a%20b", partner)).toEqual(path.startsWith("/v3") ? [400, 40002] : [403, 40301]);
    if (!path.includes("partitions/0")) return;
    for (const partition of ["1", "x", "-1", "99999999999"]) {
      const answer = await get(path.replace("partitions/0", `partitions/${partition}`), partner);
      expect([answer.status, answer.body]).toEqual([404, error(40402, "Partition not found")]);
    }
  });
});
