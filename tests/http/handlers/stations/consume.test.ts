import request, { type Test } from "supertest";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { json, useStations } from "./support.ts";

const stations = useStations();

const CONSUME = "/stations/plain/consume/batch";
const single = (): Test => stations.post("/stations/plain/produce/single");
const consume = (body: object, station = "plain"): Test =>
  stations.post(`/stations/${station}/consume/batch`).send(body);

const requestBody = (more: object = {}): object => ({ consumer_name: "c", batch_size: 1, ...more });

it("answers messages with their headers, and continues at the next event", async () => {
  await json(single().set("X-N", "1"), '{"n":1}');
  await json(single(), '{"n":2}');
  const first = await consume(requestBody());
  expect(first.status).toBe(200);
  expect(first.body).toEqual([
    { message: '{"n":1}', headers: { "content-type": "application/json", "x-n": "1" } },
  ]);
  const second = await consume(requestBody());
  expect((second.body as { message: string }[])[0]?.message).toBe('{"n":2}');
});

it("answers an empty array if no event arrives in time", async () => {
  const answer = await consume(requestBody({ batch_max_wait_time_ms: 1 }));
  expect([answer.status, answer.body]).toEqual([200, []]);
});

it("reads with a default group for each account, or with the named group", async () => {
  await json(single(), "{}");
  expect((await consume(requestBody())).body).toHaveLength(1);
  expect((await consume(requestBody({ consumer_group: "g" }))).body).toHaveLength(1);
  expect((await stations.gateway.broker.committed("stationgate-root", "plain"))[0]?.offset).toBe(1n);
  expect((await stations.gateway.broker.committed("g", "plain"))[0]?.offset).toBe(1n);
});

it("gives each principal without declared groups its own group for the same name", async () => {
  await json(single(), "{}");
  const token = await stations.gateway.token("reader");
  const body = requestBody({ consumer_group: "g" });
  expect((await stations.post(CONSUME, token).send(body)).body).toHaveLength(1);
  const byKey = request(stations.gateway.app).post(CONSUME).set("X-Api-Key", "sink-key-0123456789");
  expect((await byKey.send(body)).body).toHaveLength(1);
  expect((await consume(body)).body).toHaveLength(1);
  for (const group of ["stationgate-reader/g", "stationgate-sink/g", "g"])
    expect((await stations.gateway.broker.committed(group, "plain"))[0]?.offset).toBe(1n);
});

it.each(["connect-crm", "stationgate-billing", "group-client-status-callback-w", "G", "other"])(
  "refuses group %s, and names the setting that declares groups",
  async (group) => {
    const answer = await consume(requestBody({ consumer_group: group }));
    expect([answer.status, answer.body]).toEqual([
      403,
      { error: expect.stringContaining('"groups"') as string, success: false },
    ]);
  },
);

it("refuses a group name with control characters", async () => {
  const answer = await consume(requestBody({ consumer_group: "etl-\n" }));
  expect([answer.status, answer.body]).toEqual([
    400,
    { error: "consumer_group must be text without control characters", success: false },
  ]);
});

it("answers 401 to a waiting call when its key expires", async () => {
  const clock = createFakeClock(4_000_000_000_000 - 1000);
  await stations.start({ clock });
  const waiting = request(stations.gateway.app)
    .post(CONSUME)
    .set("X-Api-Key", "brief-key-0123456789")
    .send(requestBody({ batch_max_wait_time_ms: 300_000 }));
  const [answer] = await Promise.all([
    waiting,
    clock.pending(1000).then(() => {
      clock.advance(1000);
    }),
  ]);
  expect([answer.status, answer.body]).toEqual([401, { message: "Unauthorized" }]);
});

it("answers bytes that are not UTF-8 in base64", async () => {
  const value = Buffer.from([0xff, 0x00, 0xfe]);
  await stations.gateway.broker.append("plain", [{ key: null, value, headers: [], timestamp: 1 }]);
  expect((await consume(requestBody())).body).toEqual([
    { message: value.toString("base64"), headers: { "stationgate-encoding": "base64" } },
  ]);
});

it.each([
  [{}, "Consumer name is required"],
  [{ consumer_name: "" }, "Consumer name is required"],
  [{ consumer_name: "c", batch_size: 5001 }, "Batch size can not be greater than 5000 or less than 1"],
  [{ consumer_name: "c", batch_size: 0 }, "Batch size can not be greater than 5000 or less than 1"],
  [{ consumer_name: 7 }, "Invalid request body"],
  [{ consumer_name: "c", batch_size: "10" }, "Invalid request body"],
  [{ consumer_name: "c", batch_max_wait_time_ms: -1 }, "Invalid request body"],
  [[], "Invalid request body"],
])("refuses %j", async (body, error) => {
  const answer = await consume(body);
  expect([answer.status, answer.body]).toEqual([400, { error, success: false }]);
});

it.each(["{", ""])("refuses the body '%s'", async (body) => {
  const answer = await json(stations.post(CONSUME), body);
  expect([answer.status, answer.body]).toEqual([400, { error: "Invalid request body", success: false }]);
});

it("checks the permission to read before the station", async () => {
  const app = await stations.gateway.token("app");
  const answer = await stations.post(CONSUME, app).send(requestBody());
  const error = "user app is not allowed to access station plain";
  expect([answer.status, answer.body]).toEqual([403, { error, success: false }]);
  const unknown = await consume(requestBody(), "nowhere");
  expect([unknown.status, unknown.body]).toEqual([
    404,
    { error: "Station nowhere does not exist", success: false },
  ]);
});
