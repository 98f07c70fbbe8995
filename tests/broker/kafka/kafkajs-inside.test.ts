/** The hooks into kafkajs, with a fake cluster and a fake broker in the shape of kafkajs. */
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
  const events: unknown[] = [];
  const state = { assignments: 1, answered: 0 };
  const inside: Inside = {
    beforeJoin: () => Promise.resolve(),
    onAnswered: (sentAt) => {
      state.answered = sentAt;
    },
    onCommitted: (position) => events.push(["committed", position]),
    onFetching: (from) => events.push(["fetching", from]),
    onNothingFor: (position) => events.push(["nothing", position]),
    onOutOfRange: (partition) => {
      events.push(["out of range", partition]);
      return Promise.resolve();
    },
    onUnknownTopic: () => events.push(["unknown topic"]),
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
  return { events, state, broker: found, fetchFrom };
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

describe("the hooks into a kafkajs consumer", () => {
  it("fit the installed kafkajs", () => {
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

  it("are refused, with the missing name and the needed version, if kafkajs has another shape", () => {
    const cluster = { findBroker: () => undefined } as unknown as Cluster;

    expect(() => {
      lookInside(cluster, null as never);
    }).toThrow(
      new GatewayError("INTERNAL", {
        message: "The gateway needs kafkajs 2.2; the installed version has no Cluster.findGroupCoordinator",
      }),
    );
  });

  it("report the offsets of a fetch answer without records for the reader", async () => {
    const { events, fetchFrom } = await open(() =>
      Promise.resolve(answer(message(4, true), message(5, true))),
    );
    await fetchFrom("4");

    expect(events).toContainEqual(["nothing", { ...PARTITION, from: 4n, offset: 6n }]);

    const other = await open(() => Promise.resolve(answer(message(4, false), message(5, true))));
    await other.fetchFrom("4");

    expect(other.events).toStrictEqual([["fetching", { ...PARTITION, offset: 4n }]]);
  });

  it("drop the answer of a fetch that was sent before an assignment", async () => {
    const { events, state, fetchFrom } = await open(() => {
      state.assignments += 1;
      return Promise.resolve(answer(message(4, true)));
    });
    const { responses } = await fetchFrom("4");

    expect(responses).toStrictEqual([]);
    expect(events).toStrictEqual([["fetching", { ...PARTITION, offset: 4n }]]);
  });

  it("hide an out-of-range error from kafkajs, which would commit an offset", async () => {
    const error = Object.assign(new Error("out of range"), { name: "KafkaJSOffsetOutOfRange", ...PARTITION });
    const { events, fetchFrom } = await open(() => Promise.reject(error));

    expect((await fetchFrom("4")).responses).toStrictEqual([]);
    expect(events).toContainEqual(["out of range", PARTITION]);
  });

  it("report an unknown topic, and reject with the error that kafkajs expects", async () => {
    const error = Object.assign(new Error("unknown"), { type: "UNKNOWN_TOPIC_OR_PARTITION" });
    const { events, fetchFrom } = await open(() => Promise.reject(error));

    await expect(fetchFrom("4")).rejects.toBe(error);
    expect(events).toContainEqual(["unknown topic"]);
  });

  it("report committed positions with their metadata, and nothing for a partition without position", async () => {
    const { events, broker } = await open(() => Promise.resolve(answer()));
    await broker.offsetFetch();

    expect(events).toStrictEqual([["committed", { ...PARTITION, offset: 7n, metadata: "m" }]]);
  });

  it("count a heartbeat's answer from the time of its request, also if it is read late", async () => {
    let beat = (): void => undefined;
    const heartbeat = (): Promise<void> => new Promise((resolve) => (beat = resolve));
    const { state, broker } = await open(() => Promise.resolve(answer()), heartbeat);
    const before = performance.now();
    const answered = broker.heartbeat();
    const sent = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 30));
    beat();
    await answered;

    expect(state.answered).toBeGreaterThanOrEqual(before);
    expect(state.answered).toBeLessThanOrEqual(sent);
  });
});
