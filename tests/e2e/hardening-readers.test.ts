/** Readers that could harm others or lose events, with the real program on both brokers. */
import { connect } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { Agent } from "undici";
import { describeOnEachBroker, type BrokerUnderTest } from "../support/each-broker.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { watchStrain } from "../support/health-delay.ts";
import { uniqueName } from "../support/kafka/describe.ts";

interface Wish {
  readonly group?: string;
  readonly consumer?: string;
  readonly count?: number;
  readonly waitMs?: number;
}

const bodyOf = ({ group, consumer = "c", count = 40, waitMs = 10_000 }: Wish): string =>
  JSON.stringify({
    consumer_name: consumer,
    consumer_group: group,
    batch_size: count,
    batch_max_wait_time_ms: waitMs,
  });

/** Reads on one connection, which one worker serves. */
const readOn = async (agent: Agent, url: string, token: string, wish: Wish): Promise<number> => {
  const { statusCode, body } = await agent.request({
    origin: new URL(url).origin,
    path: new URL(url).pathname,
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: bodyOf(wish),
  });
  const answer = (await body.json()) as readonly unknown[];
  expect(statusCode).toBe(200);
  return answer.length;
};

const suite = (broker: BrokerUnderTest): void => {
  let gateway: Gateway;
  let token: string;
  let station: string;

  const start = async (settings: object = {}): Promise<void> => {
    station = uniqueName("read");
    gateway = await startGateway({
      settings: { broker: broker.settings(), stations: [{ name: station, partitions: 1 }], ...settings },
    });
    token = await signIn(gateway);
  };

  afterEach(() => gateway[Symbol.asyncDispose]());

  const call = (path: string, body: string): Promise<Response> =>
    fetch(`${gateway.url}/stations/${station}/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body,
    });

  const produce = async (values: readonly unknown[]): Promise<void> => {
    const answer = await call("produce/batch", JSON.stringify(values));
    expect(answer.status).toBe(200);
  };

  const read = async (wish: Wish): Promise<readonly { readonly n: number }[]> => {
    const answer = await call("consume/batch", bodyOf(wish));
    if (answer.status !== 200) throw new Error(`consume was answered ${answer.status}`);
    const messages = (await answer.json()) as { readonly message: string }[];
    return messages.map(({ message }) => JSON.parse(message) as { n: number });
  };

  /** Sends the request, reads the first bytes of the answer and resets the connection. */
  const readAndReset = async (wish: Wish): Promise<void> => {
    const { hostname, port } = new URL(gateway.url);
    const body = bodyOf(wish);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /stations/${station}/consume/batch HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(first.toString("latin1", 0, 12)).toBe("HTTP/1.1 200");
    const closed = once(socket, "close");
    socket.resetAndDestroy();
    await closed;
  };

  it("get the events of an interrupted answer again", async () => {
    await start();
    const text = "x".repeat(300 * 1024);
    for (let n = 0; n < 40; n += 10)
      await produce(Array.from({ length: 10 }, (_, i) => ({ n: n + i, text })));
    await readAndReset({ group: "g" });
    const again = await read({ group: "g" });
    expect(again.map(({ n }) => n)).toEqual(Array.from({ length: 40 }, (_, n) => n));
  }, 60_000);

  it("get their answer when the gateway ends while they wait", async () => {
    await start();
    await produce([{ n: 1 }]);
    expect(await read({ group: "g", count: 1 })).toHaveLength(1);
    const waiting = read({ group: "g", count: 1, waitMs: 120_000 });
    await sleep(500);
    const ended = gateway.stop("SIGTERM");
    expect(await waiting).toEqual([]);
    expect(await ended).toBe(0);
  }, 60_000);

  it("use limited memory for sixty groups with large events, and lose no event", async () => {
    await start();
    const text = "x".repeat(16 * 1024);
    for (let n = 0; n < 1000; n += 100)
      await produce(Array.from({ length: 100 }, (_, i) => ({ n: n + i, text })));
    const strain = await watchStrain(gateway);
    const groups = Array.from({ length: 60 }, (_, n) => `group-${n}`);
    const all = Array.from({ length: 1000 }, (_, n) => n);
    // Each group reads from the first event. How many events an answer has depends on the memory that other groups use.
    const readFrom = async (group: string, first: number, count: number): Promise<number> => {
      const numbers = (await read({ group, count })).map(({ n }) => n);
      expect(numbers).toEqual(all.slice(first, first + numbers.length));
      return first + numbers.length;
    };
    const nexts = await Promise.all(
      groups.map(async (group) => {
        let next = 0;
        while (next === 0) next = await readFrom(group, 0, 10);
        return next;
      }),
    );
    let next = nexts[0] ?? 0;
    while (next < 1000) next = await readFrom("group-0", next, 1000 - next);
    // reading.maxBuffered is 96 MiB, of which one principal gets half; reading also creates garbage.
    expect((await strain.stop()).memoryMiB).toBeLessThan(192);
  }, 120_000);

  // The embedded log has one process.
  (broker.kind === "kafka" ? it : it.skip)(
    "get their events within seconds if a consumer keeps one of its two connections",
    async () => {
      await start({ server: { host: "127.0.0.1", port: 0, workers: 2 } });
      const url = `${gateway.url}/stations/${station}/consume/batch`;
      const agents = [new Agent({ connections: 1 }), new Agent({ connections: 1 })] as const;
      const wish = { group: uniqueName("two"), count: 40, waitMs: 1000 };
      // One worker is the home of the group; the other one passes its calls on.
      for (const [index, kept] of agents.entries()) {
        await Promise.all(agents.map((agent) => readOn(agent, url, token, wish)));
        await produce(Array.from({ length: 40 }, (_, n) => ({ n: n + index })));
        const began = Date.now();
        let count = 0;
        while (count < 40 && Date.now() - began < 60_000) count += await readOn(kept, url, token, wish);
        expect(count).toBe(40);
        expect(Date.now() - began).toBeLessThan(16_000);
      }
      await Promise.all(agents.map((agent) => agent.close()));
    },
    120_000,
  );

  // Topics of the embedded log can't be deleted.
  (broker.kind === "kafka" ? it : it.skip)(
    "get the events of a station that is deleted and created again",
    async () => {
      await start();
      const client = new Kafka({
        brokers: (broker.settings() as { kafka: { brokers: string[] } }).kafka.brokers,
        logLevel: logLevel.NOTHING,
      });
      const admin = client.admin();
      await admin.connect();
      const group = uniqueName("recreated");
      const topics = [{ topic: station, numPartitions: 1 }];
      const numbers = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, n) => ({ n: from + n }));
      await produce(numbers(0, 5));
      expect(await read({ group, count: 5 })).toHaveLength(5);
      await admin.deleteTopics({ topics: [station] });
      // False while the old topic exists. With a wait for leaders, a created topic could count as failed, and then as existing for ever.
      const create = () => admin.createTopics({ topics, waitForLeaders: false }).catch(() => false);
      while (!(await create())) await sleep(50);
      while ((await call("produce/batch", JSON.stringify(numbers(100, 103)))).status !== 200)
        await sleep(100);

      const began = Date.now();
      const seen = new Set<number>();
      while (seen.size < 3 && Date.now() - began < 60_000)
        for (const { n } of await read({ group, count: 5, waitMs: 1000 }).catch(() => [])) seen.add(n);
      expect([...seen].filter((n) => n >= 100)).toEqual([100, 101, 102]);
      expect(Date.now() - began).toBeLessThan(30_000);
      await admin.disconnect();
    },
    120_000,
  );
};

describeOnEachBroker("readers", suite);
