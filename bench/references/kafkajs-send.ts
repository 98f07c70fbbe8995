/** kafkajs without a gateway: one record for each `send`, sequentially. Arguments: broker, topic, seconds. */
import { Kafka, logLevel } from "kafkajs";
import { EVENT } from "../load/events.ts";

const [broker = "", topic = "", seconds = ""] = process.argv.slice(2);
const producer = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).producer();
await producer.connect();
const messages = [{ value: EVENT }];

const times: number[] = [];
const began = performance.now();
let now = began;
while (now < began + Number(seconds) * 1000) {
  await producer.send({ topic, acks: -1, messages });
  const after = performance.now();
  times.push(after - now);
  now = after;
}
await producer.disconnect();

times.sort((one, other) => one - other);
const percentile = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
const eventsPerSecond = (times.length * 1000) / (now - began);
process.stdout.write(`${JSON.stringify({ eventsPerSecond, p50: percentile(0.5), p99: percentile(0.99) })}\n`);
