/** The simplest gateway: Express with one kafkajs `send` for each request. Arguments: broker, topic. */
import type { AddressInfo } from "node:net";
import express from "express";
import { Kafka, logLevel } from "kafkajs";

const [broker = "", topic = ""] = process.argv.slice(2);
const producer = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).producer();
await producer.connect();

const app = express();
app.use(express.json());
app.post("/", async (request, response) => {
  await producer.send({ topic, acks: -1, messages: [{ value: JSON.stringify(request.body) }] });
  response.json({ success: true, error: null });
});
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
