/** The events `{"n": …}` of a test. They are stored without a gateway, so that the place of each event is known. */
import { Kafka, logLevel } from "kafkajs";

export interface Place {
  readonly partition: number;
  readonly offset: bigint;
}

/** Event n is in partition n mod `partitions`. */
export const placeOf = (n: number, partitions: number): Place => ({
  partition: n % partitions,
  offset: BigInt(Math.floor(n / partitions)),
});

export interface EventProducer {
  /** Stores the next events of the topic. Resolves to the number of events that it has then. `bytes`: size of an event. */
  produce(topic: string, count: number, bytes?: number): Promise<number>;
  stop(): Promise<void>;
}

export const startProducer = async (
  brokers: readonly string[],
  partitions: number,
): Promise<EventProducer> => {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const totals = new Map<string, number>();
  return {
    produce: async (topic, count, bytes = 200) => {
      const first = totals.get(topic) ?? 0;
      totals.set(topic, first + count);
      const messages = Array.from({ length: count }, (_, i) => {
        const n = first + i;
        return { value: JSON.stringify({ n, text: "x".repeat(bytes) }), partition: n % partitions };
      });
      await producer.send({ topic, messages });
      return first + count;
    },
    stop: () => producer.disconnect(),
  };
};
