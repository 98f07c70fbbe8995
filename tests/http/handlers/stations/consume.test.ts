import request, { type Test } from "supertest";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { createTestGateway, type TestGateway, type TestOptions } from "../../support.ts";

let gateway: TestGateway;
let token: string;

const start = async (options?: TestOptions): Promise<void> => {
  gateway = await createTestGateway(options);
  token = await gateway.token();
};

beforeEach(() => start());

afterEach(() => gateway.consumers.close());

const post = (path: string, bearer = token): Test =>
  request(gateway.app).post(path).set("Authorization", `Bearer ${bearer}`);
const single = (): Test => post("/stations/plain/produce/single");
const consume = (body: object, station = "plain"): Test =>
  post(`/stations/${station}/consume/batch`).send(body);
const json = (test: Test, body: string): Test => test.set("Content-Type", "application/json").send(body);

const wish = (more: object = {}): object => ({ consumer_name: "c", batch_size: 1, ...more });

it("gives messages with their headers, and goes on where it was", async () => {
  await json(single().set("X-N", "1"), '{"n":1}');
  await json(single(), '{"n":2}');
  const first = await consume(wish());
  expect(first.status).toBe(200);
  expect(first.body).toEqual([
    { message: '{"n":1}', headers: { "content-type": "application/json", "x-n": "1" } },
  ]);
  const second = await consume(wish());
  expect((second.body as { message: string }[])[0]?.message).toBe('{"n":2}');
});

it("gives an empty array when there is nothing in time", async () => {
  const answer = await consume(wish({ batch_max_wait_time_ms: 1 }));
  expect([answer.status, answer.body]).toEqual([200, []]);
});

it("keeps a group of its own for each account, and for each that is named", async () => {
  await json(single(), "{}");
  expect((await consume(wish())).body).toHaveLength(1);
  expect((await consume(wish({ consumer_group: "g" }))).body).toHaveLength(1);
  expect((await gateway.broker.committed("stationgate-root", "plain"))[0]?.offset).toBe(1n);
  expect((await gateway.broker.committed("g", "plain"))[0]?.offset).toBe(1n);
});

it("keeps the groups of principals without groups apart, and shares no name of theirs", async () => {
  await json(single(), "{}");
  const reader = { username: "reader", password: "reader-password" };
  const token = await gateway.token(reader.username);
  const asked = wish({ consumer_group: "g" });
  expect((await post("/stations/plain/consume/batch", token).send(asked)).body).toHaveLength(1);
  const byKey = request(gateway.app)
    .post("/stations/plain/consume/batch")
    .set("X-Api-Key", "sink-key-0123456789");
  expect((await byKey.send(asked)).body).toHaveLength(1);
  expect((await consume(asked)).body).toHaveLength(1);
  for (const group of ["stationgate-reader/g", "stationgate-sink/g", "g"])
    expect((await gateway.broker.committed(group, "plain"))[0]?.offset).toBe(1n);
});

it.each(["connect-crm", "stationgate-billing", "group-client-status-callback-w", "G", "other"])(
  "refuses group %s, and says where groups are declared",
  async (group) => {
    const answer = await consume(wish({ consumer_group: group }));
    expect([answer.status, answer.body]).toEqual([
      403,
      { error: expect.stringContaining('"groups"') as string, success: false },
    ]);
  },
);

it("refuses a group whose name is not text", async () => {
  const answer = await consume(wish({ consumer_group: "etl-\n" }));
  expect([answer.status, answer.body]).toEqual([
    400,
    { error: "consumer_group must be text without control characters", success: false },
  ]);
});

it("ends a call that waits when its key expires", async () => {
  await gateway.consumers.close();
  const clock = createFakeClock(4_000_000_000_000 - 1000);
  await start({ clock });
  const waiting = request(gateway.app)
    .post("/stations/plain/consume/batch")
    .set("X-Api-Key", "brief-key-0123456789")
    .send(wish({ batch_max_wait_time_ms: 300_000 }));
  const [answer] = await Promise.all([
    waiting,
    clock.pending(1000).then(() => {
      clock.advance(1000);
    }),
  ]);
  expect([answer.status, answer.body]).toEqual([401, { message: "Unauthorized" }]);
});

it("gives bytes that are no text in base64", async () => {
  const value = Buffer.from([0xff, 0x00, 0xfe]);
  await gateway.broker.append("plain", [{ key: null, value, headers: [], timestamp: 1 }]);
  expect((await consume(wish())).body).toEqual([
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

it.each(["{", ""])("refuses body '%s'", async (body) => {
  const answer = await json(post("/stations/plain/consume/batch"), body);
  expect([answer.status, answer.body]).toEqual([400, { error: "Invalid request body", success: false }]);
});

it("asks for the permission to read, then for the station", async () => {
  const app = await gateway.token("app");
  const answer = await post("/stations/plain/consume/batch", app).send(wish());
  const error = "user app is not allowed to access station plain";
  expect([answer.status, answer.body]).toEqual([403, { error, success: false }]);
  const unknown = await consume(wish(), "nowhere");
  expect([unknown.status, unknown.body]).toEqual([
    404,
    { error: "Station nowhere does not exist", success: false },
  ]);
});
