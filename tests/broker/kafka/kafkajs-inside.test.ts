/** What a member is told of the inside of its consumer, by a cluster and a broker as kafkajs has them. */
import kafkajs, { type Cluster } from "kafkajs";
import { lookInside, type Inside } from "../../../src/broker/kafka/kafkajs-inside.ts";
import { GatewayError } from "../../../src/errors.ts";

const PARTITION = { topic: "t", partition: 0 };

const brokerOf = (fetch: () => Promise<unknown>, heartbeat: () => Promise<void>) => ({
  fetch,
  offsetFetch: () =>
    Promise.resolve({
      responses: [
        {
          topic: "t",
          partitions: [
            { partition: 0, offset: "7", metadata: "m" },
            { partition: 1, offset: "-1", metadata: "" },
          ],
        },
      ],
    }),
  joinGroup: () => Promise.resolve(),
  syncGroup: () => Promise.resolve(),
  heartbeat,
});

type FakeBroker = ReturnType<typeof brokerOf>;

interface FetchAnswer {
  readonly responses: readonly object[];
}

const open = async (
  fetch: () => Promise<unknown>,
  heartbeat: () => Promise<void> = () => Promise.resolve(),
) => {
  const told: unknown[] = [];
  const state = { assignments: 1, answered: 0 };
  const inside: Inside = {
    beforeJoin: () => Promise.resolve(),
    onAnswered: (sentAt) => {
      state.answered = sentAt;
    },
    onCommitted: (position) => told.push(["committed", position]),
    onFetching: (from) => told.push(["fetching", from]),
    onNothingFor: (position) => told.push(["nothing", position]),
    onOutOfRange: (partition) => {
      told.push(["out of range", partition]);
      return Promise.resolve();
    },
    onUnknownTopic: () => told.push(["unknown topic"]),
    assignments: () => state.assignments,
  };
  const broker = brokerOf(fetch, heartbeat);
  const cluster = {
    findBroker: () => Promise.resolve(broker),
    findGroupCoordinator: () => Promise.resolve(broker),
  } as unknown as Cluster;
  lookInside(cluster, inside);
  const found = (await cluster.findBroker({ nodeId: "1" })) as unknown as FakeBroker;
  const fetchFrom = (offset: string): Promise<FetchAnswer> =>
    (found.fetch as unknown as (request: object) => Promise<FetchAnswer>)({
      topics: [{ topic: "t", partitions: [{ partition: 0, fetchOffset: offset }] }],
    });
  return { told, state, broker: found, fetchFrom };
};

const message = (offset: number, isControlRecord: boolean) => ({
  offset: String(offset),
  key: null,
  value: null,
  isControlRecord,
});

const answer = (...messages: readonly object[]) => ({
  responses: [{ topicName: "t", partitions: [{ partition: 0, abortedTransactions: [], messages }] }],
});

describe("the inside of a consumer", () => {
  it("is what the installed kafkajs has", () => {
    const kafka = new kafkajs.Kafka({ brokers: ["127.0.0.1:1"], logLevel: kafkajs.logLevel.NOTHING });
    const clusters: Cluster[] = [];
    kafka.consumer({
      groupId: "g",
      partitionAssigners: [
        ({ cluster }) => {
          clusters.push(cluster);
          return { name: "a", version: 0, assign: () => Promise.resolve([]), protocol: () => null as never };
        },
      ],
    });

    expect(clusters).toHaveLength(1);
    expect(() => {
      for (const cluster of clusters) lookInside(cluster, null as never);
    }).not.toThrow();
  });

  it("is refused, by name and version, where it is another one", () => {
    const cluster = { findBroker: () => undefined } as unknown as Cluster;

    expect(() => {
      lookInside(cluster, null as never);
    }).toThrow(
      new GatewayError("INTERNAL", {
        message: "The gateway needs kafkajs 2.2; the installed version has no Cluster.findGroupCoordinator",
      }),
    );
  });

  it("tells where an answer has nothing for readers, and not where it has", async () => {
    const { told, fetchFrom } = await open(() => Promise.resolve(answer(message(4, true), message(5, true))));
    await fetchFrom("4");

    expect(told).toContainEqual(["nothing", { ...PARTITION, from: 4n, offset: 6n }]);

    const other = await open(() => Promise.resolve(answer(message(4, false), message(5, true))));
    await other.fetchFrom("4");

    expect(other.told).toStrictEqual([["fetching", { ...PARTITION, offset: 4n }]]);
  });

  it("drops an answer that was asked for before the partitions were assigned", async () => {
    const { told, state, fetchFrom } = await open(() => {
      state.assignments += 1;
      return Promise.resolve(answer(message(4, true)));
    });
    const { responses } = await fetchFrom("4");

    expect(responses).toStrictEqual([]);
    expect(told).toStrictEqual([["fetching", { ...PARTITION, offset: 4n }]]);
  });

  it("keeps from kafkajs that a position is out of range, which it would answer by a commit", async () => {
    const error = Object.assign(new Error("out of range"), { name: "KafkaJSOffsetOutOfRange", ...PARTITION });
    const { told, fetchFrom } = await open(() => Promise.reject(error));

    expect((await fetchFrom("4")).responses).toStrictEqual([]);
    expect(told).toContainEqual(["out of range", PARTITION]);
  });

  it("tells of a topic that is unknown, and fails as kafkajs expects", async () => {
    const error = Object.assign(new Error("unknown"), { type: "UNKNOWN_TOPIC_OR_PARTITION" });
    const { told, fetchFrom } = await open(() => Promise.reject(error));

    await expect(fetchFrom("4")).rejects.toBe(error);
    expect(told).toContainEqual(["unknown topic"]);
  });

  it("tells positions with their metadata, and none where the group has none", async () => {
    const { told, broker } = await open(() => Promise.resolve(answer()));
    await broker.offsetFetch();

    expect(told).toStrictEqual([["committed", { ...PARTITION, offset: 7n, metadata: "m" }]]);
  });

  it("counts an answer of the group from when its request was sent, however late it is read", async () => {
    let beat = (): void => undefined;
    const heartbeat = (): Promise<void> => new Promise((resolve) => (beat = resolve));
    const { state, broker } = await open(() => Promise.resolve(answer()), heartbeat);
    const before = performance.now();
    const told = broker.heartbeat();
    const sent = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 30));
    beat();
    await told;

    expect(state.answered).toBeGreaterThanOrEqual(before);
    expect(state.answered).toBeLessThanOrEqual(sent);
  });
});
