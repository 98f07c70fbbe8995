/** A broker that accepts connections and answers nothing, as a frozen one does, is the first of the bootstrap servers. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { describeKafka, uniqueName } from "../../support/kafka/describe.ts";
import { record, subscribe } from "../conformance/tools.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

describeKafka("the first bootstrap server doesn't answer", (kafka) => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).resume();
  });
  let broker: Broker;

  beforeAll(async () => {
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
  });

  afterEach(() => broker.close());

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, "close");
  });

  it.each(WRITERS)("%s creates a topic, writes and reads", async (_, settings) => {
    const { port } = silent.address() as AddressInfo;
    broker = createKafkaBroker(kafkaOptions([`127.0.0.1:${port}`, ...kafka.brokers], settings));
    await broker.open();
    const topic = uniqueName("first");

    // Kafka refuses a replication factor that exceeds the number of its brokers.
    await expect(
      broker.ensureTopic({ name: topic, partitions: 1, replicasAtMost: 3 }),
    ).resolves.toMatchObject({ name: topic });
    expect(await broker.append(topic, [record("a")])).toMatchObject([{ status: "stored", offset: 0n }]);
    const reader = await subscribe(broker, { topics: [topic], group: uniqueName("readers") });
    await reader.until(() => reader.values().length > 0);
    expect(reader.values()).toEqual(["a"]);
    await reader.close();
  });
});
