import type { TopicInfo, TopicSpec } from "../../../src/broker/broker.ts";
import { createPods } from "./pods.ts";

it("warns at the start if the connectors' topic is not compacted, with the command that repairs it", async () => {
  const pods = await createPods();
  const ensureTopic = async (spec: TopicSpec): Promise<TopicInfo> => ({
    ...(await pods.broker.ensureTopic(spec)),
    compacted: false,
  });
  const faults: string[] = [];
  await pods.start("one", {
    broker: { ...pods.broker, ensureTopic },
    observer: {
      attempted: () => undefined,
      dropped: () => undefined,
      skipped: () => undefined,
      fault: (_, { message }) => faults.push(message),
    },
  });
  await pods.close();

  expect(faults).toEqual([
    "Kafka will delete connectors: the topic _stationgate-connectors exists without cleanup.policy=compact; " +
      "set it: kafka-configs.sh --alter --topic _stationgate-connectors --add-config cleanup.policy=compact",
  ]);
});
