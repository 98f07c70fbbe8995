/** The spool with real Kafka: Kafka is killed, the gateway is killed while Kafka is away, and nothing that got 2xx is lost. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const newDirectory = (): string => temporaryDirectory("spool-e2e-");

interface Answer {
  readonly status: number;
  readonly stored: string | null;
  readonly text: string;
}

describeOwnKafka("the spool", () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterEach(() => kafka.heal(), 120_000);
  afterAll(() => kafka.stop());

  const start = (dir: string, spool: object = {}, station = "hooks"): Promise<Gateway> =>
    startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers], deliveryTimeout: "3s" } },
        spool: { dir, after: "300ms", for: ["station:*", "beacon", "webhooks"], ...spool },
        webhooks: [{ source: "open", station: "hooks", scheme: "none" }],
        stations: [{ name: "hooks" }, ...(station === "hooks" ? [] : [{ name: station, key: "/key" }])],
      },
    });

  const post = async (url: string, body: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    return {
      status: answer.status,
      stored: answer.headers.get("stationgate-stored"),
      text: await answer.text(),
    };
  };

  const producer = async (gateway: Gateway, station: string) => {
    const token = await signIn(gateway);
    return (value: number): Promise<Answer> =>
      post(`${gateway.url}/stations/${station}/produce/single`, JSON.stringify({ n: value, key: "k" }), {
        authorization: `Bearer ${token}`,
        prefer: "return=representation",
      });
  };

  const numbersIn = async (station: string): Promise<readonly number[]> =>
    (await readTopic(kafka.brokers, station)).map(
      ({ value }) => (JSON.parse(value.toString()) as { n: number }).n,
    );

  /** Waits until the gateway does not spool any more. */
  const drained = async (gateway: Gateway): Promise<void> => {
    for (;;) {
      const answer = await fetch(`${gateway.url}/readyz`);
      if (answer.status === 200 && !(await answer.text()).includes("spooling")) return;
      await sleep(100);
    }
  };

  const firstOf = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)];

  it("keeps every event that got 2xx, in order, while Kafka and the gateway are killed", async () => {
    const dir = newDirectory();
    const station = uniqueName("spooled");
    let gateway = await start(dir, {}, station);
    let send = await producer(gateway, station);
    const acknowledged: number[] = [];
    const statuses = new Set<string>();
    let n = 0;
    const sendSome = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        const value = (n += 1);
        const { status, text } = await send(value);
        statuses.add(`${status} ${/"status":"\w+"/.exec(text)?.[0] ?? ""}`);
        if (status === 200) acknowledged.push(value);
      }
    };
    await sendSome(20);
    await kafka.kill();
    await sendSome(50);
    expect(await (await fetch(`${gateway.url}/readyz`)).json()).toEqual({ status: "ok", spooling: true });
    await gateway.stop("SIGKILL");
    gateway = await start(dir, {}, station);
    send = await producer(gateway, station);
    await sendSome(20);
    await kafka.start();
    await sendSome(20);
    await drained(gateway);
    await sendSome(5);
    // A slow machine may spool them.
    await drained(gateway);
    const numbers = await numbersIn(station);
    expect(firstOf(numbers).filter((value) => acknowledged.includes(value))).toEqual(acknowledged);
    // On a busy machine the first event can wait for its new topic for longer than spool.after.
    expect([...statuses].sort()).toEqual(['200 "status":"spooled"', '200 "status":"stored"']);
    await gateway[Symbol.asyncDispose]();
  }, 120_000);

  it("says in each shape of the answer that the event is spooled", async () => {
    const gateway = await start(newDirectory());
    const token = await signIn(gateway);
    const headers = { authorization: `Bearer ${token}`, prefer: "return=representation" };
    const station = `${gateway.url}/stations/hooks/produce`;
    await post(`${station}/single`, "{}", headers);
    const { data } = (await (await fetch(`${gateway.url}/v3/clusters`, { headers })).json()) as {
      data: { cluster_id: string }[];
    };
    await kafka.kill();
    const spooled = '"status":"spooled","partition":null,"offset":null';
    expect(await post(`${station}/single`, "{}", headers)).toMatchObject({
      ...{ status: 200, stored: "spool" },
      text: expect.stringContaining(spooled) as string,
    });
    expect(await post(`${station}/batch`, "[{},{}]", headers)).toMatchObject({
      ...{ status: 200, stored: "spool" },
      text: expect.stringContaining(spooled) as string,
    });
    expect(await post(`${gateway.url}/webhooks/open`, "{}")).toEqual({
      status: 202,
      stored: "spool",
      text: "",
    });
    const records = `${gateway.url}/v3/clusters/${data[0]?.cluster_id ?? ""}/topics/hooks/records`;
    expect(await post(records, '{"value":{"type":"JSON","data":{}}}', headers)).toMatchObject({
      ...{ status: 200, stored: "spool" },
      text: expect.stringContaining('"partition_id":null,"offset":null,"status":"spooled"') as string,
    });
    const v2 = { ...headers, "content-type": "application/vnd.kafka.json.v2+json" };
    expect(await post(`${gateway.url}/topics/hooks`, '{"records":[{"value":{}}]}', v2)).toMatchObject({
      ...{ status: 200, stored: "spool" },
      text: expect.stringContaining('"error":null,"status":"spooled"') as string,
    });
    await kafka.start();
    await drained(gateway);
    await gateway[Symbol.asyncDispose]();
  }, 120_000);

  it("answers 503 when a spool of 1 MB is full, and loses nothing", async () => {
    const dir = newDirectory();
    const gateway = await start(dir, { maxBytes: "1mb" });
    const token = await signIn(gateway);
    const station = uniqueName("full");
    const send = (value: number): Promise<Answer> =>
      post(
        `${gateway.url}/stations/${station}/produce/single`,
        JSON.stringify({ n: value, pad: "x".repeat(20_000) }),
        {
          authorization: `Bearer ${token}`,
        },
      );
    const acknowledged: number[] = [];
    await send(0);
    await kafka.kill();
    let refused = 0;
    for (let n = 1; n <= 70; n += 1) {
      const { status } = await send(n);
      if (status === 200) acknowledged.push(n);
      else if (status === 503) refused += 1;
    }
    expect(acknowledged.length).toBeGreaterThan(40);
    expect(refused).toBe(70 - acknowledged.length);
    expect(refused).toBeGreaterThan(10);
    expect(await (await fetch(`${gateway.url}/readyz`)).json()).toMatchObject({
      status: 503,
      code: "SPOOL_FULL",
    });
    await kafka.start();
    await drained(gateway);
    // Events without a key have no order: each append goes to a partition of its own.
    const numbers = firstOf(await numbersIn(station)).filter((n) => n > 0);
    expect([...numbers].sort((one, other) => one - other)).toEqual(acknowledged);
    await gateway[Symbol.asyncDispose]();
  }, 120_000);

  it("puts a record that Kafka refuses into refused/ and drains the others", async () => {
    const dir = newDirectory();
    const gateway = await start(dir);
    const token = await signIn(gateway);
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/vnd.kafka.json.v2+json",
    };
    const station = uniqueName("refused");
    const send = (value: object): Promise<Answer> =>
      post(`${gateway.url}/topics/${station}`, JSON.stringify({ records: [value] }), headers);
    await post(`${gateway.url}/stations/${station}/produce/single`, '{"n":0}', {
      authorization: `Bearer ${token}`,
    });
    await kafka.kill();
    await send({ value: { n: 1 } });
    // Kafka has no partition 99.
    expect(await send({ value: { n: 2 }, partition: 99 })).toMatchObject({ status: 200, stored: "spool" });
    await send({ value: { n: 3 } });
    await kafka.start();
    await drained(gateway);
    expect([...firstOf(await numbersIn(station))].sort()).toEqual([0, 1, 3]);
    const folder = path.join(
      dir,
      readdirSync(dir).find((name) => existsSync(path.join(dir, name, "refused"))) ?? "",
    );
    const lines = readFileSync(path.join(folder, "refused", `${station}.ndjson`), "utf8")
      .trim()
      .split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { code: string }).code)).toEqual(["PARTITION_UNKNOWN"]);
    await gateway[Symbol.asyncDispose]();
  }, 120_000);

  it("stops the start with one line if another process uses the directory", async () => {
    const dir = newDirectory();
    const gateway = await start(dir);
    await expect(start(dir)).rejects.toThrow(`spool.dir: another process uses the spool in ${dir}`);
    await gateway[Symbol.asyncDispose]();
  }, 120_000);
});
