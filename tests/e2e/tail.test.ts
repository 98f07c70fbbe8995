/** The operators' views of the log on both brokers: the live tail, and the newest dead letters. */
import { Kafka, logLevel } from "kafkajs";
import { admin, createConnector, produceBatch } from "../support/connector-api.ts";
import { describeOnEachBroker, type BrokerUnderTest } from "../support/each-broker.ts";
import { ADMIN_TOKEN, READERS_GROUP, startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { describeKafkaApart, uniqueName } from "../support/kafka/describe.ts";

interface Shown {
  readonly partition: number;
  readonly offset: string;
  readonly value: { readonly text: string };
}

/**
 * The events of a tail. "record" is an event without a name. "open" is the first block, which has an id only: the position of
 * each partition is known.
 */
const eventsOf = async function* (answer: Response): AsyncGenerator<{ event: string; data: unknown }> {
  let pending = "";
  let isOpen = false;
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (pending + chunk).split("\n\n");
    pending = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      const [, event = "record"] = /^event: (\w+)$/m.exec(block) ?? [];
      if (data !== undefined) yield { event, data: JSON.parse(data) };
      else if (block.startsWith("id: ") && !isOpen) {
        isOpen = true;
        yield { event: "open", data: undefined };
      }
    }
  }
};

const numberOf = ({ value }: Shown): number => (JSON.parse(value.text) as { n: number }).n;

const suite = (broker: BrokerUnderTest): void => {
  let gateway: Gateway;
  let sink: HttpSink;
  let topic: string;

  beforeEach(async () => {
    topic = uniqueName("received");
    sink = await startHttpSink(() => ({ status: 500 }));
    gateway = await startGateway({
      settings: {
        broker: broker.settings(),
        delivery: { allowTargets: ["127.0.0.0/8"] },
        stations: [{ name: topic, partitions: 2 }],
      },
    });
  }, 60_000);

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await sink.close();
  });

  const numbers = (from: number, to: number): readonly { n: number }[] =>
    Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));

  it("the last records of a station and new records, each once, and the end of the stream when the program stops", async () => {
    // Each call writes to one partition, and the topic may be created after the start.
    for (let n = 1; n <= 6; n += 1) await produceBatch(gateway, topic, [{ n }]);
    const answer = await fetch(`${gateway.adminUrl}/stations/${topic}/tail?last=1000`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const received: Shown[] = [];
    let exit: Promise<number | null> | undefined;
    const kinds: string[] = [];
    for await (const { event, data } of eventsOf(answer)) {
      kinds.push(event);
      // These records belong to the tail, although Kafka may not have assigned the partitions yet.
      if (event === "open") await produceBatch(gateway, topic, numbers(7, 30));
      if (event !== "record") continue;
      received.push(data as Shown);
      if (received.length === 30) exit = gateway.stop();
    }
    expect(received.map(numberOf).sort((a, b) => a - b)).toEqual(numbers(1, 30).map(({ n }) => n));
    for (const partition of [0, 1]) {
      const own = received.filter((record) => record.partition === partition);
      expect(own.map(({ offset }) => offset)).toEqual(own.map((_, i) => String(i)));
    }
    expect([kinds[0], kinds.at(-1)]).toEqual(["open", "end"]);
    expect(await exit).toBe(0);
  }, 60_000);

  interface Letter extends Shown {
    readonly status: number;
    readonly attempts: number;
  }

  /** Polls until there are three letters. While a topic is being created it has no leader, and the answer is 503. */
  const threeLetters = async (): Promise<readonly Letter[]> => {
    for (;;) {
      const asked = admin(gateway, "GET", `/connectors/${topic}/dead-letters/records`);
      const { records } = (await asked.catch((error: unknown) => {
        if (String(error).includes("answered 503")) return { records: [] };
        throw error;
      })) as { readonly records: readonly Letter[] };
      if (records.length === 3) return records;
    }
  };

  it("the newest dead letters of a connector", async () => {
    await createConnector(gateway, topic, {
      sink,
      topic,
      "exception.strategy": "DROP_MESSAGE",
      "dead.letter.topic": `${topic}.dead`,
    });
    await produceBatch(gateway, topic, numbers(1, 3));
    const letters = await threeLetters();
    expect(letters.map(numberOf).sort()).toEqual([1, 2, 3]);
    expect(letters.map(({ status, attempts }) => [status, attempts])).toEqual(Array(3).fill([500, 1]));
    await admin(gateway, "DELETE", `/connectors/${topic}`);
  }, 60_000);
};

describeOnEachBroker("operators see", suite, describeKafkaApart);

describeKafkaApart("a tail", (kafka) => {
  it.each([
    ["whose reader disconnects", "reader"],
    ["whose gateway stops", "gateway"],
  ])(
    "%s leaves no group and no position in Kafka",
    async (_, end) => {
      const topic = uniqueName("tailed");
      const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
      await client.connect();
      const groups = async () => (await client.listGroups()).groups.map(({ groupId }) => groupId);
      await using gateway = await startGateway({
        settings: {
          broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
          stations: [{ name: topic, partitions: 2 }],
        },
      });
      // The gateway has its own reader of the connectors' topic, and is a member of its own group, from then on.
      while (
        (await fetch(`${gateway.adminUrl}/health`)).status !== 200 ||
        !(await groups()).includes(READERS_GROUP)
      )
        await new Promise((resolve) => setTimeout(resolve, 100));
      const before = await groups();
      const tailClient = new AbortController();
      const answer = await fetch(`${gateway.adminUrl}/stations/${topic}/tail?last=10`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        signal: tailClient.signal,
      });
      for await (const { event } of eventsOf(answer)) {
        if (event === "open") await produceBatch(gateway, topic, [{ n: 1 }]);
        if (event === "record") break;
      }
      tailClient.abort();
      if (end === "gateway") await gateway.stop();
      const added = async () => (await groups()).filter((group) => !before.includes(group));
      while ((await added()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      // A deleted group has no positions. A group without members would still be listed.
      const left = await added();
      await client.disconnect();

      expect(left).toStrictEqual([]);
    },
    60_000,
  );
});
