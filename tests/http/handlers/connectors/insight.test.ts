import { bodyOf, useConnectors } from "./rig.ts";

const rig = useConnectors();

interface Letters {
  readonly topic: string;
  readonly records: readonly Record<string, unknown>[];
}

const letters = () => bodyOf<Letters>(rig.http.get("/connectors/crm/dead-letters/records").expect(200));

const failures = async () =>
  (
    await bodyOf<{ failures: Record<string, unknown>[] }>(
      rig.http.get("/connectors/crm/failures").expect(200),
    )
  ).failures;

it("lists dead letters, newest first, with the reason of the failure", async () => {
  rig.sink.answer(() => ({ status: 500, body: "no" }));
  await rig.create("crm", { "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" }).expect(201);
  expect(await letters()).toEqual({ topic: "dead", records: [] });
  await rig.produce("first", "second");
  await rig.sink.received(2);
  let found = await letters();
  while (found.records.length < 2) found = await letters();

  expect(found.topic).toBe("dead");
  expect(found.records.map(({ value }) => (value as { text: string }).text).sort()).toEqual([
    "first",
    "second",
  ]);
  expect(found.records.find(({ of }) => (of as { offset: string }).offset === "0")).toMatchObject({
    of: { topic: "orders", partition: 0, offset: "0" },
    key: null,
    headers: [],
    attempts: 1,
    status: 500,
  });
});

it("lists failed attempts, newest first", async () => {
  rig.sink.answer(() => ({ status: 500, body: "no" }));
  await rig.create("crm", { "exception.strategy": "DROP_MESSAGE" }).expect(201);
  expect(await failures()).toEqual([]);
  await rig.produce("first", "second");
  let found = await failures();
  while (found.length < 2) found = await failures();

  expect(found.map(({ offset }) => offset)).toEqual(["1", "0"]);
  expect(found[0]).toEqual({
    at: expect.any(Number) as number,
    topic: "orders",
    partition: 0,
    offset: "1",
    attempt: 1,
    outcome: "dropped",
    status: 500,
    error: null,
    retryInMs: null,
  });
});

it("answers 404 for an unknown connector and 400 without a dead letter topic", async () => {
  await rig.http.get("/connectors/nobody/failures").expect(404);
  await rig.http.get("/connectors/nobody/dead-letters/records").expect(404);
  await rig.create("crm").expect(201);
  await rig.http.get("/connectors/crm/dead-letters/records").expect(400);
});
