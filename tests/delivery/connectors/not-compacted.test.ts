import type { TopicInfo } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import { createDelivery } from "../../../src/delivery/connectors/connector-delivery.ts";

it("warns at the start of a topic of definitions that Kafka deletes from, and says how to repair it", async () => {
  const memory = createMemoryBroker();
  await memory.open();
  const ensureTopic = async (spec: Parameters<typeof memory.ensureTopic>[0]): Promise<TopicInfo> => ({
    ...(await memory.ensureTopic(spec)),
    compacted: false,
  });
  const faults: string[] = [];
  const delivery = createDelivery({
    broker: { ...memory, ensureTopic },
    connectorsTopic: "_stationgate-connectors",
    allowTargets: [],
    declared: [],
    workerId: "one",
    observer: {
      attempted: () => undefined,
      dropped: () => undefined,
      fault: (_, { message }) => faults.push(message),
    },
  });
  await delivery.open();
  await delivery.close();
  await memory.close();

  expect(faults).toEqual([
    "Kafka will delete connectors: the topic _stationgate-connectors exists without cleanup.policy=compact; " +
      "set it: kafka-configs.sh --alter --topic _stationgate-connectors --add-config cleanup.policy=compact",
  ]);
});
