import { DONE, RETRY } from "../../../support/http-sink.ts";
import { bodyOf, useConnectors } from "./rig.ts";

const rig = useConnectors();

const DROPPING = { "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" };

describe("offsets", () => {
  const at = (offset: Record<string, unknown> | null) => ({
    offsets: [{ partition: { kafka_topic: "orders", kafka_partition: 0 }, offset }],
  });

  beforeEach(async () => {
    await rig.produce("a", "b", "c");
    await rig.create("crm").expect(201);
    await rig.sink.received(3);
  });

  it("can be changed only while the connector is stopped", async () => {
    const body = await bodyOf(
      rig.http
        .patch("/connectors/crm/offsets")
        .send(at({ kafka_offset: 1 }))
        .expect(400),
    );

    expect(body.message).toMatch(/^Connectors must be in the STOPPED state/);
    await rig.http.delete("/connectors/crm/offsets").expect(400);
  });

  it("are shown and can be set to an offset, a time and the beginning", async () => {
    await rig.http.put("/connectors/crm/stop").expect(204);
    await rig.http.get("/connectors/crm/tasks").expect(200, []);
    await rig.http.get("/connectors/crm/offsets").expect(200, at({ kafka_offset: 3 }));
    await rig.http
      .patch("/connectors/crm/offsets")
      .send(at({ kafka_offset: 2 }))
      .expect(200, { message: "The offsets for this connector have been altered successfully" });
    await rig.http.put("/connectors/crm/resume").expect(202);
    await rig.sink.received(4);
    await rig.http.put("/connectors/crm/stop").expect(204);
    await rig.http
      .patch("/connectors/crm/offsets")
      .send(at({ kafka_timestamp: 0 }))
      .expect(200);
    await rig.http.put("/connectors/crm/resume").expect(202);
    await rig.sink.received(7);
    await rig.http.put("/connectors/crm/stop").expect(204);
    await rig.http
      .delete("/connectors/crm/offsets")
      .expect(200, { message: "The offsets for this connector have been reset successfully" });
    await rig.http.put("/connectors/crm/resume").expect(202);
    await rig.sink.received(10);

    expect(rig.sink.bodies.join("")).toBe("abccabcabc");
  });

  it.each([{}, { offsets: [] }, at({ kafka_offset: -1 }), at({ other: 1 })])(
    "are refused as %j",
    async (body) => {
      await rig.http.put("/connectors/crm/stop").expect(204);
      await rig.http.patch("/connectors/crm/offsets").send(body).expect(400);
    },
  );

  it("are refused for an unknown partition", async () => {
    await rig.http.put("/connectors/crm/stop").expect(204);
    const offsets = [
      { partition: { kafka_topic: "orders", kafka_partition: 9 }, offset: { kafka_offset: 0 } },
    ];
    await rig.http.patch("/connectors/crm/offsets").send({ offsets }).expect(400);
  });
});

describe("dead letters", () => {
  it("are counted, and replayed with the id of the original record", async () => {
    rig.sink.answer(({ body }, index) => (body === "b" || index < 2 ? RETRY : DONE));
    await rig.create("crm", DROPPING).expect(201);
    await rig.http
      .get("/connectors/crm/dead-letters")
      .expect(200, { topic: "dead", records: 0, replaying: false });
    await rig.produce("a", "b", "c");
    await rig.sink.received(3);
    while ((await rig.broker.topic("dead")) === undefined) await new Promise(setImmediate);
    await rig.http
      .get("/connectors/crm/dead-letters")
      .expect(200, { topic: "dead", records: 2, replaying: false });
    await rig.http
      .post("/connectors/crm/dead-letters/replay")
      .expect(202, { topic: "dead", records: 2, replaying: true });
    await rig.sink.received(5);
    const ids = (body: string) =>
      new Set(
        rig.sink.requests
          .filter((request) => request.body === body)
          .map(({ headers }) => headers["x-b3-traceid"]),
      );
    let letters = { records: 0, replaying: true };
    while (letters.replaying) letters = await bodyOf(rig.http.get("/connectors/crm/dead-letters"));

    expect(rig.sink.bodies.toSorted()).toStrictEqual(["a", "a", "b", "b", "c"]);
    expect([ids("a").size, ids("b").size]).toStrictEqual([1, 1]);
    expect(letters.records).toBe(1);
  });

  describe("that fail again", () => {
    const letters = () =>
      bodyOf<{ records: number; replaying: boolean }>(rig.http.get("/connectors/crm/dead-letters"));

    beforeEach(async () => {
      rig.sink.answer((_, index) => (index < 2 ? RETRY : { status: 500 }));
      await rig.create("crm", DROPPING).expect(201);
      await rig.produce("a", "b");
      await rig.sink.received(2);
      while ((await letters().catch(() => ({ records: 0 }))).records < 2) await new Promise(setImmediate);
      rig.sink.answer(() => "hang");
      await rig.http.post("/connectors/crm/dead-letters/replay").expect(202);
      await rig.sink.received(3);
    });

    it.each([
      ["paused", () => rig.http.put("/connectors/crm/pause").expect(202)],
      ["stopped", () => rig.http.put("/connectors/crm/stop").expect(204)],
      [
        "changed",
        () => rig.http.patch("/connectors/crm/config").send({ "callback.timeout.read.ms": 9000 }).expect(200),
      ],
    ])("are replayed until the connector is %s, and stay dead letters", async (_, end) => {
      await end();
      while ((await letters()).replaying) await new Promise((resolve) => setTimeout(resolve, 20));

      expect(rig.sink.requests).toHaveLength(3);
      expect((await letters()).records).toBe(2);
    });

    it("are replayed until the connector is deleted", async () => {
      await rig.http.delete("/connectors/crm").expect(204);
      await rig.create("crm", { "dead.letter.topic": "dead" });
      while ((await letters()).replaying) await new Promise((resolve) => setTimeout(resolve, 20));

      expect((await letters()).records).toBe(2);
    });

    it("are replayed while the connector is restarted, but not while it is paused", async () => {
      await rig.http.post("/connectors/crm/restart").expect(204);

      expect((await letters()).replaying).toBe(true);

      await rig.http.put("/connectors/crm/pause").expect(202);
      const { message } = await bodyOf(rig.http.post("/connectors/crm/dead-letters/replay").expect(400));

      expect(message).toBe("Connector crm is PAUSED; resume it before you replay its dead letters");
    });
  });

  it("are answered with 400 for a connector without a dead letter topic", async () => {
    await rig.create("crm").expect(201);
    await rig.http.get("/connectors/crm/dead-letters").expect(400);
  });
});
