/** A process that reads a topic in a group, and commits and prints each record: `node … <brokers> <topic> <group>`. */
import kafkajs from "kafkajs";

const [brokers, topic, groupId] = process.argv.slice(2);
const client = new kafkajs.Kafka({ brokers: brokers.split(","), logLevel: kafkajs.logLevel.NOTHING });
const consumer = client.consumer({ groupId, sessionTimeout: 10_000 });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ partition, message }) => {
    await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }]);
    process.stdout.write(`${partition}@${message.offset}\n`);
  },
});
