/** Twelve transactional producers write to one partition at the same time. Readers get the committed records. */
import { Kafka, logLevel, type Producer } from "kafkajs";
import type { Broker, SubscriptionHandlers } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { pullsOn } from "../../consume/pulls.ts";
import { describeKafka, uniqueName } from "../../support/kafka/describe.ts";
import { kafkaOptions } from "./options.ts";

const PRODUCERS = 12;
const TRANSACTIONS = 4;

interface Reading {
  readonly values: readonly string[];
  /** All offsets before it were read or passed. */
  readonly position: bigint;
}

describeKafka("transactions", (kafka) => {
  const topic = uniqueName("transactions");
  let broker: Broker;
  let client: Kafka;
  let committed: string[];
  let high: bigint;

  /** One transaction of each producer. All are open at the same time, and end in a different order. */
  const round = async (producers: readonly Producer[], number: number): Promise<void> => {
    const open = await Promise.all(producers.map((producer) => producer.transaction()));
    const values = (index: number, part: number): string[] =>
      [0, 1].map((record) => `${number}/${index}/${part}/${record}`);
    for (const part of [0, 1]) {
      for (const [index, transaction] of open.entries()) {
        await transaction.send({
          topic,
          messages: values(index, part).map((value) => ({ value, partition: 0 })),
        });
      }
    }
    const order = [...open.keys()].sort(
      (a, b) => ((a * 7 + number) % PRODUCERS) - ((b * 7 + number) % PRODUCERS),
    );
    for (const index of order) {
      if ((index + number) % 4 === 0) {
        await open[index]?.commit();
        committed.push(...values(index, 0), ...values(index, 1));
      } else await open[index]?.abort();
    }
  };

  beforeAll(async () => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers));
    await broker.open();
    await broker.ensureTopic({ name: topic, partitions: 1 });
    client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    const producers = Array.from({ length: PRODUCERS }, (_, index) =>
      client.producer({ transactionalId: `${topic}-${index}`, maxInFlightRequests: 1, idempotent: true }),
    );
    await Promise.all(producers.map((producer) => producer.connect()));
    committed = [];
    for (let number = 0; number < TRANSACTIONS; number += 1) await round(producers, number);
    await Promise.all(producers.map((producer) => producer.disconnect()));
    high = (await broker.watermarks(topic))[0]?.high ?? 0n;
  }, 120_000);

  afterAll(() => broker.close());

  const readFrom = async (start: bigint, group?: string): Promise<Reading> => {
    const values: string[] = [];
    let position = start;
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const reach = (offset: bigint): void => {
      position = offset;
      if (offset >= high) finish();
    };
    const handlers: SubscriptionHandlers = {
      onRecords: (records) => {
        for (const record of records) {
          values.push(String(record.value));
          reach(record.offset + 1n);
        }
      },
      onPassed: ({ offset }) => {
        reach(offset);
      },
    };
    if (group !== undefined) await broker.setCommitted(group, [{ topic, partition: 0, offset: start }]);
    const reader = await broker.subscribe({ topics: [topic], from: "earliest", group }, handlers);
    await finished;
    await reader.close();
    return { values, position };
  };

  it("are read only if committed, and the position reaches the end of the partition", async () => {
    const { values, position } = await readFrom(0n);

    expect([...values].sort()).toEqual([...committed].sort());
    expect(position).toBe(high);
  });

  it("are read only if committed, by a group from any position", async () => {
    const { values: all } = await readFrom(0n);
    for (const start of [1n, 17n, 40n, 77n, 111n, high - 30n, high - 3n]) {
      const { values, position } = await readFrom(start, uniqueName("start"));

      expect(values).toEqual(all.slice(all.length - values.length));
      expect(position).toBe(high);
    }
  });

  it("are read only if committed, by pulls, which move the group's position to the end", async () => {
    const group = uniqueName("pulls");
    const pulls = await pullsOn(broker, systemClock);
    const values: string[] = [];
    const pull = async (): Promise<number> => {
      const pulled = await pulls.pull({ group, topic, max: 7, waitMs: 2000 });
      values.push(...pulled.events.map(String));
      await pulled.consume();
      return pulled.events.length;
    };
    while ((await pull()) > 0);

    expect([...values].sort()).toEqual([...committed].sort());
    expect((await broker.committed(group, topic))[0]?.offset).toBe(high);
    await pulls.close();
  }, 60_000);
});
