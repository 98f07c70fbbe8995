import type { BrokerRecord } from "../../../src/broker/broker.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { DONE, RETRY, type SinkScript } from "../../support/http-sink.ts";
import { createRig, TOPIC, type Rig } from "../rig.ts";

let rig: Rig;

const DONE_ANSWER = { status: 200, body: '{"retry":false}' };

const record = (value: string): BrokerRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: 1,
  partition: 0,
});

afterEach(async () => {
  await rig.close();
});

/** Asks for a retry of bodies that begin with "bad". */
const retryBad: SinkScript = ({ body }) => (body.startsWith("bad") ? RETRY : DONE);

describe("one request per record", () => {
  it("sends the value byte for byte, with headers that identify the record", async () => {
    rig = await createRig();
    await rig.produce(['{"n":1.50}']);
    rig.run({ "callback.request.headers": "X-Own:a:b|Authorization:Bearer t" });
    await rig.sink.received(1);

    expect(rig.sink.requests[0]).toMatchObject({ method: "POST", url: "/hook?x=1", body: '{"n":1.50}' });
    expect(rig.sink.requests[0]?.headers).toMatchObject({
      "x-own": "a:b",
      authorization: "Bearer t",
      "x-kafka-topic": TOPIC,
      "x-b3-sampled": "Defer",
      "x-b3-info": `topic=${TOPIC}|partition=0|offset=0`,
    });
    expect(rig.sink.requests[0]?.headers["x-b3-traceid"]).toMatch(/^[0-9a-f]{16}$/);
    expect(rig.sink.requests[0]?.headers["x-b3-spanid"]).toBe(rig.sink.requests[0]?.headers["x-b3-traceid"]);
  });

  it("commits delivered records, and continues there after a restart", async () => {
    rig = await createRig();
    await rig.produce(["a", "b"]);
    const runner = rig.run();
    await rig.sink.received(2);
    await runner.stop();

    expect(await rig.committed()).toBe(2n);

    await rig.produce(["c"]);
    rig.run();
    await rig.sink.received(3);

    expect(rig.sink.bodies).toStrictEqual(["a", "b", "c"]);
  });
});

describe("retries", () => {
  it("end with a drop at 995 s on the default schedule, then the next record is sent", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(retryBad);
    await rig.produce(["bad", "next"]);
    const start = clock.now();
    const times: number[] = [];
    rig.run();
    for (const [index, seconds] of [5, 30, 60, 300, 600].entries()) {
      await rig.sink.received(index + 1);
      times.push(clock.now() - start);
      await clock.pending(seconds * 1000);
      clock.advance(seconds * 1000);
    }
    await rig.sink.until((requests) => requests.at(-1)?.body === "next");
    times.push(clock.now() - start);

    expect(times).toStrictEqual([0, 5000, 35_000, 95_000, 395_000, 995_000]);
    expect(rig.sink.bodies.filter((body) => body === "bad")).toHaveLength(6);
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: false }]);
    expect(new Set(rig.sink.requests.slice(0, 6).map(({ headers }) => headers["x-b3-traceid"])).size).toBe(1);
  });

  it("hold back only the record's own partition, and repeat no other record", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(retryBad);
    await rig.produce(["a", "bad", "c"], { partition: 0 });
    await rig.produce(["x", "y", "z"], { partition: 1 });
    rig.run();
    await rig.sink.until((requests) => requests.some(({ body }) => body === "z"));
    await rig.sink.until((requests) => requests.some(({ body }) => body === "bad"));
    await clock.pending(5000);

    expect(rig.sink.bodies.filter((body) => "abadc".includes(body))).toStrictEqual(["a", "bad"]);

    rig.sink.answer(() => DONE);
    clock.advance(5000);
    await rig.sink.until((requests) => requests.some(({ body }) => body === "c"));

    expect(rig.sink.bodies.filter((body) => ["a", "bad", "c"].includes(body))).toStrictEqual([
      "a",
      "bad",
      "bad",
      "c",
    ]);
    expect(rig.sink.bodies.filter((body) => ["x", "y", "z"].includes(body))).toStrictEqual(["x", "y", "z"]);
  });

  it("wait while the connector is paused, and continue with the same record", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(retryBad);
    await rig.produce(["bad", "next"]);
    const runner = rig.run();
    await rig.sink.received(1);
    await clock.pending(5000);
    runner.pause();
    rig.sink.answer(() => DONE);
    clock.advance(60_000);
    await rig.produce(["more"], { partition: 1 });

    expect(rig.sink.bodies).toStrictEqual(["bad"]);

    runner.resume();
    await rig.sink.received(4);

    expect(rig.sink.bodies.filter((body) => body !== "more")).toStrictEqual(["bad", "bad", "next"]);
  });

  it("stop the task if the endpoint stays down, and begin again after a restart", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(({ body }) => (body === "a" ? DONE : { status: 503 }));
    await rig.produce(["a", "b", "c"]);
    const runner = rig.run();
    for (const seconds of [5, 10, 15]) {
      await clock.pending(seconds * 1000);
      clock.advance(seconds * 1000);
    }
    await rig.sink.received(5);
    await runner.stop();

    expect(rig.sink.bodies).toStrictEqual(["a", "b", "b", "b", "b"]);
    expect(rig.traces).toStrictEqual(["Delivery stopped at orders-0@1 after attempt 4: HTTP status 503"]);
    expect(await rig.committed()).toBe(1n);

    rig.sink.answer(() => DONE);
    rig.run();
    await rig.sink.received(7);

    expect(rig.sink.bodies.slice(5)).toStrictEqual(["b", "c"]);
  });

  it.each([302, 307])("treat a %i as one failed request", async (status) => {
    rig = await createRig();
    rig.sink.answer(() => ({ status, headers: { location: `${rig.sink.url}/elsewhere` } }));
    await rig.produce(["a", "b"]);
    rig.run({ "exception.strategy": "drop_message" });
    await rig.sink.received(2);

    expect(rig.sink.requests.map(({ method, url }) => `${method} ${url}`)).toStrictEqual([
      "POST /hook?x=1",
      "POST /hook?x=1",
    ]);
    expect(rig.attempts[0]).toMatchObject({ outcome: "dropped", status });
  });

  it("send one request per attempt when the connection breaks", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer((_, index) => (index < 3 ? "drop" : DONE));
    await rig.produce(["a"]);
    rig.run({ "retry.backoff.sec": "1, 2,3" });
    for (const [index, seconds] of [1, 2, 3].entries()) {
      await rig.sink.received(index + 1);
      await clock.pending(seconds * 1000);
      clock.advance(seconds * 1000);
    }
    await rig.sink.received(4);

    expect(rig.sink.bodies).toStrictEqual(["a", "a", "a", "a"]);
  });
});

/** The bodies with this prefix (a key or a partition), in the order of their arrival. */
const bodiesOf = (prefix: string): readonly string[] =>
  rig.sink.bodies.filter((body) => body.startsWith(prefix));

describe("a runner with several requests in flight", () => {
  it("keeps the order of each key with many requests in flight", async () => {
    rig = await createRig();
    rig.sink.answer((_, index) => ({ ...DONE_ANSWER, delayMs: (index * 7) % 5 }));
    const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for (let round = 0; round < 20; round += 1) {
      for (const key of keys) await rig.produce([`${key}${round}`], { key, partition: key < "e" ? 0 : 1 });
    }
    let maxInFlight = 0;
    const runner = rig.run({ ordering: "key", concurrency: "6" });
    await rig.sink.until((requests) => {
      maxInFlight = Math.max(maxInFlight, runner.inFlight);
      return requests.length >= 160;
    });

    expect(maxInFlight).toBe(6);
    for (const key of keys) {
      expect(bodiesOf(key)).toStrictEqual(Array.from({ length: 20 }, (_, round) => `${key}${round}`));
    }
  });

  it("holds back only the key of a record that waits for a retry, and commits no offset beyond it", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(retryBad);
    await rig.produce(["bad1"], { key: "bad" });
    await rig.produce(["ok1", "ok2"], { key: "ok" });
    await rig.produce(["bad2"], { key: "bad" });
    await rig.produce(["none1"]);
    rig.run({ ordering: "key", concurrency: "4" });
    await rig.sink.received(4);
    await clock.pending(5000);
    clock.advance(600);
    await rig.produce(["ok3"], { key: "ok" });
    await rig.sink.received(5);

    expect(rig.sink.bodies.toSorted()).toStrictEqual(["bad1", "none1", "ok1", "ok2", "ok3"]);
    expect((await rig.committed()) ?? 0n).toBe(0n);

    rig.sink.answer(() => DONE);
    clock.advance(4400);
    await rig.sink.received(7);

    expect(bodiesOf("bad")).toStrictEqual(["bad1", "bad1", "bad2"]);
  });

  it("sends up to the concurrency with ordering: none", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(retryBad);
    await rig.produce(["bad1", "bad2", "ok1"]);
    const runner = rig.run({ ordering: "none", concurrency: "2" });
    await rig.sink.received(3);
    await clock.pending(5000);

    expect(runner.waiting).toBe(2);
  });

  it("multiplies the concurrency by tasks.max", async () => {
    rig = await createRig();
    rig.sink.answer(() => "hang");
    await rig.produce(["a", "b", "c", "d"]);
    const runner = rig.run({ ordering: "none", "tasks.max": "3" });
    await rig.sink.received(3);

    expect(runner.inFlight).toBe(3);
  });
});

describe("waits", () => {
  it("delay a record by request.delay.sec after its timestamp, but not its retries", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(retryBad);
    await rig.produce(["bad"]);
    clock.advance(4000);
    rig.run({ "request.delay.sec": "10", "retry.backoff.sec": "2" });
    await clock.pending(6000);

    expect(rig.sink.requests).toHaveLength(0);

    clock.advance(6000);
    await rig.sink.received(1);
    await clock.pending(2000);
    clock.advance(2000);
    await rig.sink.received(2);

    expect(rig.sink.bodies).toStrictEqual(["bad", "bad"]);
  });

  it.each([
    [{ "retry.after": "honour" }, "30", 30_000],
    [{ "retry.after": "honour" }, "1", 5000],
    [{ "retry.after": "honour" }, "1000000000", 86_400_000],
    [{ "retry.after": "honour" }, "Fri, 31 Dec 2999 23:59:59 GMT", 86_400_000],
    [{ "retry.after": "honour", "retry.after.max.sec": "2592000" }, "1000000000", 2_592_000_000],
    [{}, "30", 5000],
    [{ "request.jitter": "0.4" }, "30", 6000],
  ])("with %j and Retry-After: %s the wait is %i ms", async (config, retryAfter, ms) => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(() => ({ status: 429, headers: { "retry-after": retryAfter } }));
    await rig.produce(["a"]);
    rig.run(config);
    await rig.sink.received(1);
    await clock.pending(ms);

    expect(rig.attempts[0]).toMatchObject({ outcome: "retry", status: 429, retryInMs: ms });
  });

  it("follow the rate limit", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    await rig.produce(["a", "b", "c", "d", "e"]);
    rig.run({ "rate.limit.per.sec": "2" });
    await rig.sink.received(2);
    await clock.pending(500);

    expect(rig.sink.bodies).toStrictEqual(["a", "b"]);

    clock.advance(500);
    await rig.sink.received(3);
    await clock.pending(500);
    clock.advance(500);
    await rig.sink.received(4);

    expect(rig.sink.bodies).toStrictEqual(["a", "b", "c", "d"]);
  });
});

describe("a runner", () => {
  it("shares the partitions, and takes over those of a leaving member", async () => {
    rig = await createRig();
    const first = rig.run();
    const second = rig.run();
    while (first.claims.length !== 1 || second.claims.length !== 1) await new Promise(setImmediate);
    await rig.produce(["a1", "a2"], { partition: 0 });
    await rig.produce(["b1", "b2"], { partition: 1 });
    await rig.sink.received(4);
    await first.stop();
    await rig.produce(["a3"], { partition: 0 });
    await rig.produce(["b3"], { partition: 1 });
    await rig.sink.received(6);

    expect(bodiesOf("a")).toStrictEqual(["a1", "a2", "a3"]);
    expect(bodiesOf("b")).toStrictEqual(["b1", "b2", "b3"]);
  });

  it("finishes the requests in flight before a partition is assigned to another member", async () => {
    rig = await createRig();
    rig.sink.answer(() => ({ ...DONE_ANSWER, delayMs: 30 }));
    await rig.produce(
      Array.from({ length: 6 }, (_, index) => `a${index}`),
      { partition: 0 },
    );
    await rig.produce(
      Array.from({ length: 6 }, (_, index) => `b${index}`),
      { partition: 1 },
    );
    rig.run({ "tasks.max": "2" });
    await rig.sink.received(4);
    rig.run({ "tasks.max": "2" });
    await rig.sink.received(12);

    expect(bodiesOf("a")).toStrictEqual(["a0", "a1", "a2", "a3", "a4", "a5"]);
    expect(bodiesOf("b")).toStrictEqual(["b0", "b1", "b2", "b3", "b4", "b5"]);
  });

  it("continues a record's retry schedule after a rebalance", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock, 1);
    rig.sink.answer(() => RETRY);
    await rig.produce(["a"]);
    const member = rig.run({ "retry.backoff.sec": "5,30" });
    await rig.sink.received(1);
    await clock.pending(5000);
    clock.advance(2000);
    const other = await rig.broker.subscribe(
      { group: "connect-crm", topics: ["orders"], from: "earliest" },
      { onRecords: () => undefined },
    );
    await other.close();
    while (member.waiting === 0) await new Promise(setImmediate);

    expect(rig.sink.requests).toHaveLength(1);

    clock.advance(3000);
    await rig.sink.received(2);
    await clock.pending(30_000);

    expect(rig.attempts.map(({ attempt }) => attempt)).toStrictEqual([1, 2]);
  });

  it("doesn't rebalance because of an unrelated new topic", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock, 1);
    const member = rig.run();
    while (member.claims.length === 0) await new Promise(setImmediate);
    const [claim] = member.claims;
    await rig.broker.ensureTopic({ name: "other" });
    await new Promise(setImmediate);
    await new Promise(setImmediate);

    expect(member.claims[0]).toBe(claim);
    expect(claim?.revoked).toBe(false);
  });

  it("waits for topics that don't exist yet", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.run({ topics: "orders,later" });
    await clock.pending(1000);
    await rig.broker.ensureTopic({ name: "later", partitions: 1 });
    await rig.broker.append("later", [record("x")]);
    clock.advance(1000);
    await rig.sink.received(1);

    expect(rig.sink.requests[0]?.headers["x-kafka-topic"]).toBe("later");
  });

  it("finds new topics of a pattern", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.run({ topics: "", "topics.regex": "o.*" });
    await clock.pending(5000);
    await rig.broker.ensureTopic({ name: "other", partitions: 1 });
    await rig.broker.append("other", [record("x")]);
    clock.advance(5000);
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual(["x"]);
  });

  it("buffers a limited number of records while the endpoint is slow", async () => {
    rig = await createRig(undefined, 1);
    rig.sink.answer(() => "hang");
    const value = "x".repeat(100_000);
    for (let round = 0; round < 10; round += 1) await rig.produce(Array<string>(100).fill(value));
    const runner = rig.run();
    while (runner.claims[0]?.paused !== true) await new Promise(setImmediate);
    const { records } = runner.claims[0];
    await rig.produce(["more"]);

    expect(records).toBeLessThan(500);
    expect(runner.claims[0].records).toBe(records);
  });
});
