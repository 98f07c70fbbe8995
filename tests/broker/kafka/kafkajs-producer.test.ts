import { createRequire } from "node:module";
import type { Kafka, ProducerRecord } from "kafkajs";
import type { RecordHeader } from "../../../src/broker/broker.ts";
import { createKafkaJsProducer } from "../../../src/broker/kafka/kafkajs-producer.ts";
import { kafkaOptions } from "./options.ts";

/** kafkajs's own encoder of records. */
const encode = createRequire(import.meta.url)("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (
  record: object,
) => { readonly buffer: Buffer };

/** A fake of kafkajs that keeps the sent messages. */
const recordingKafka = (): { readonly kafka: Kafka; readonly sent: ProducerRecord[] } => {
  const sent: ProducerRecord[] = [];
  const producer = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    send: (record: ProducerRecord) => {
      sent.push(record);
      return Promise.resolve([{ baseOffset: "0" }]);
    },
  };
  return { kafka: { producer: () => producer } as unknown as Kafka, sent };
};

const bytesOf = (headers: readonly RecordHeader[]): Buffer =>
  Buffer.concat(
    headers.flatMap(({ name, value }) => {
      const key = Buffer.from(name);
      // Zigzag encoding: -1 is 1, and a short length is doubled.
      return [
        Buffer.from([2 * key.length]),
        key,
        Buffer.from([value === null ? 1 : 2 * value.length]),
        value ?? "",
      ].map((part) => Buffer.from(part));
    }),
  );

it("writes headers in their order, with any names", async () => {
  const headers = [
    { name: "b", value: Buffer.from("1") },
    { name: "a", value: null },
    { name: "7", value: Buffer.alloc(0) },
    { name: "b", value: Buffer.from("2") },
    { name: "constructor", value: Buffer.from("3") },
  ];
  const { kafka, sent } = recordingKafka();
  const producer = createKafkaJsProducer(kafka, kafkaOptions([]));
  const records = [{ key: null, value: null, headers, timestamp: 1 }];
  await producer.send("t", [{ partition: 0, records }]);
  const message = sent[0]?.messages[0];
  const { buffer } = encode({ ...message, timestampDelta: 0 });
  const written = bytesOf(headers);
  expect(buffer.subarray(buffer.length - written.length)).toEqual(written);
  await producer.close();
});
