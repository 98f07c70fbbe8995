/** Hostile events against the real program. Other clients are served meanwhile, and no event is stored by mistake. */
import { gzipSync } from "node:zlib";
import { once } from "node:events";
import { connect } from "node:net";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { watchStrain, type Strain } from "../support/health-delay.ts";

const KEY = "partner-key-of-the-tests-0123456789";
const BROWSER = "browser-key-of-the-tests-0123456789";
const ORIGIN = "https://shop.example";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway({
    settings: {
      auth: {
        apiKeys: [
          { id: "partner", key: KEY, kind: "server", stations: ["*"] },
          {
            id: "web",
            key: BROWSER,
            kind: "browser",
            stations: ["*"],
            origins: [ORIGIN],
            limits: { eventsPerSecond: 100 },
          },
        ],
      },
    },
  });
});

afterAll(() => gateway[Symbol.asyncDispose]());

const post = (path: string, body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
  fetch(gateway.url + path, { method: "POST", body, headers });

const during = async (work: () => Promise<void>): Promise<Strain> => {
  const watch = await watchStrain(gateway);
  await work();
  return watch.stop();
};

/** The documented limits. */
const expectLight = ({ delayMs, memoryMiB }: Strain): void => {
  expect(delayMs).toBeLessThan(300);
  expect(memoryMiB).toBeLessThan(150);
};

const MILLION = 1_000_000;

it("refuses a beacon of a million invalid elements for its credential before it reads them", async () => {
  const zipped = gzipSync(`{"token":"x","events":[${"1,".repeat(MILLION)}1]}`);
  const strain = await during(async () => {
    for (let n = 0; n < 5; n++) {
      const answer = await post("/stations/s/produce/beacon", zipped, {
        "content-type": "text/plain",
        "content-encoding": "gzip",
      });
      expect(answer.status).toBe(401);
    }
  });
  expectLight(strain);
});

it.each([
  ["batch", "/stations/s/produce/batch", `[${"{},".repeat(MILLION)}{}]`, "application/json", 413],
  [
    "a batch of wrong elements",
    "/stations/s/produce/batch",
    `[${"1,".repeat(MILLION)}1]`,
    "application/json",
    400,
  ],
  ["v2", "/topics/s", `{"records":[${"1,".repeat(MILLION)}1]}`, "application/vnd.kafka.json.v2+json", 400],
  [
    "v2 of empty records",
    "/topics/s",
    `{"records":[${"{},".repeat(MILLION)}{}]}`,
    "application/vnd.kafka.json.v2+json",
    413,
  ],
  [
    "v3 batch",
    "/v3/clusters/c/topics/s/records:batch",
    `{"entries":[${"{},".repeat(MILLION)}{}]}`,
    "application/json",
    422,
  ],
  ["v3 records", "/v3/clusters/c/topics/s/records", "{}".repeat(MILLION), "application/json", 413],
  [
    "v3 headers",
    "/v3/clusters/c/topics/s/records",
    `{"headers":[${"1,".repeat(MILLION)}1]}`,
    "application/json",
    400,
  ],
])("refuses a call of a million elements: %s", async (...[, path, body, type, status]) => {
  const strain = await during(async () => {
    const answer = await post(path, gzipSync(body), {
      "x-api-key": KEY,
      "content-type": type,
      "content-encoding": "gzip",
    });
    expect(answer.status).toBe(status);
    await answer.text();
  });
  expectLight(strain);
});

it("limits the Retry-After of a browser key to a minute, however large its call", async () => {
  const headers = { "x-api-key": BROWSER, origin: ORIGIN, "content-type": "application/json" };
  const strain = await during(async () => {
    const large = await post("/stations/s/produce/batch", `[${"{},".repeat(1_390_000)}{}]`, headers);
    expect(large.status).toBe(413);
    const allowed = await post("/stations/s/produce/batch", `[${"{},".repeat(5999)}{}]`, headers);
    expect(allowed.status).toBe(200);
    const next = await post("/stations/s/produce/batch", "[{}]", headers);
    expect(next.status).toBe(429);
    expect(Number(next.headers.get("retry-after"))).toBeLessThanOrEqual(60);
  });
  expect(strain.delayMs).toBeLessThan(700);
  expect(strain.memoryMiB).toBeLessThan(300);
});

it("stores 100,000 events while other clients are served", async () => {
  const strain = await during(async () => {
    const answer = await post("/stations/many/produce/batch", `[${'{"n":1},'.repeat(99_999)}{"n":1}]`, {
      "x-api-key": KEY,
      "content-type": "application/json",
    });
    expect(answer.status).toBe(200);
  });
  expect(strain.delayMs).toBeLessThan(300);
});

it("ends a stream with Unauthorized once its API key has expired", async () => {
  await using other = await startGateway({
    settings: {
      admin: { host: "127.0.0.1", port: 0, token: ADMIN_TOKEN },
      auth: {
        apiKeys: [
          {
            id: "short",
            key: KEY,
            kind: "server",
            stations: ["*"],
            expires: new Date(Date.now() + 8000).toISOString(),
          },
        ],
      },
    },
  });
  const socket = connect(Number(new URL(other.url).port), "127.0.0.1");
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
  const line = '{"n":1}\n';
  socket.write(
    `POST /stations/s/produce/stream HTTP/1.1\r\nHost: g\r\nX-Api-Key: ${KEY}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const sending = setInterval(() => socket.write(`${line.length.toString(16)}\r\n${line}\r\n`), 100);
  await once(socket, "end");
  clearInterval(sending);
  socket.destroy();
  const results = received.split("\n").filter((text) => text.startsWith("{"));
  expect(results.length).toBeGreaterThan(1);
  expect(results.slice(0, -1).every((text) => text.includes('"stored"'))).toBe(true);
  expect(JSON.parse(results.at(-1) ?? "")).toEqual({
    line: results.length,
    status: "refused",
    error: "Unauthorized",
  });
}, 60_000);

it("stores refused calls with long error texts in few bytes", async () => {
  const name = "X".repeat(3_900_000);
  const event = JSON.stringify({ specversion: "1.0", id: "1", source: "/s", type: "t", [name]: 1 });
  const strain = await during(async () => {
    for (let n = 0; n < 20; n++) {
      const answer = await post("/stations/s/produce/single", event, {
        "x-api-key": KEY,
        "content-type": "application/cloudevents+json",
        "idempotency-key": String(n),
      });
      expect(answer.status).toBe(400);
      expect((await answer.text()).length).toBeLessThan(2000);
    }
  });
  expect(strain.memoryMiB).toBeLessThan(200);
}, 60_000);
