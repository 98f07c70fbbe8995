/**
 * All that the gateway does with the inside of kafkajs, written for its version 2.2. A consumer has its own cluster object,
 * which its assigner is handed, and that one makes the brokers. Their calls are wrapped here: kafkajs tells too little of
 * them, and reads aborted records as if they were committed.
 */
import { partitionId } from "../partitions.ts";
import type { Cluster } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { GroupPosition, TopicPartition, TopicPartitionOffset } from "../broker.ts";
import { committedOnly, type FetchedPartition } from "./read-committed.ts";

/** What a member is told of its consumer, and asked. */
export interface Inside {
  /** The consumer is about to join its group, or to join once more. */
  beforeJoin(): Promise<void>;
  /** The group has answered a request of this member that was sent at this time (`performance.now`). */
  onAnswered(sentAt: number): void;
  /** A position that the group has stored, before it is read from. */
  onCommitted(position: GroupPosition): void;
  onFetching(from: TopicPartitionOffset): void;
  /** From `from` up to the offset there are no records for readers. */
  onNothingFor(position: TopicPartitionOffset & { readonly from: bigint }): void;
  /** The position isn't in the partition. kafkajs goes on once this has resolved. */
  onOutOfRange(partition: TopicPartition): Promise<void>;
  onUnknownTopic(): void;
  /** How often partitions have been assigned: what was asked for before an assignment is not handed over after it. */
  assignments(): number;
}

interface FetchRequest {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[];
  }[];
}

interface FetchResponse {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly FetchedPartition[];
  }[];
}

interface OffsetFetchResponse {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly offset: string;
      readonly metadata: string | null;
    }[];
  }[];
}

type Call<Request, Response> = (request: Request) => Promise<Response>;

/** The part of kafkajs's broker that is wrapped. */
interface Wrapped {
  fetch: Call<FetchRequest, FetchResponse>;
  offsetFetch: Call<unknown, OffsetFetchResponse>;
  joinGroup: Call<unknown, unknown>;
  syncGroup: Call<unknown, unknown>;
  heartbeat: Call<unknown, unknown>;
}

const CALLS = ["fetch", "offsetFetch", "joinGroup", "syncGroup", "heartbeat"] as const;

const requireFunctions = (what: string, object: object, names: readonly string[]): void => {
  const missing = names.filter((name) => typeof (object as Record<string, unknown>)[name] !== "function");
  if (missing.length === 0) return;
  const message = `The gateway is written for kafkajs 2.2: its ${what} has no ${missing.join(", ")}`;
  throw new GatewayError("INTERNAL", { message });
};

const offsetsOf = ({ topics }: FetchRequest): ReadonlyMap<string, bigint> =>
  new Map(
    topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, fetchOffset }) => [
        partitionId({ topic, partition }),
        BigInt(fetchOffset),
      ]),
    ),
  );

const tellFetching = ({ topics }: FetchRequest, inside: Inside): void => {
  for (const { topic, partitions } of topics)
    for (const { partition, fetchOffset } of partitions)
      inside.onFetching({ topic, partition, offset: BigInt(fetchOffset) });
};

/** Where the answer has nothing of the partition that kafkajs would hand over, kafkajs tells nobody. */
const tellNothingFor = (
  topic: string,
  { partition, messages }: FetchedPartition,
  from: bigint | undefined,
  inside: Inside,
): void => {
  const last = messages.at(-1);
  if (last === undefined || from === undefined) return;
  const isForReaders = ({ offset, isControlRecord }: (typeof messages)[number]): boolean =>
    isControlRecord !== true && BigInt(offset) >= from;
  const offset = BigInt(last.offset) + 1n;
  if (offset > from && !messages.some(isForReaders)) inside.onNothingFor({ topic, partition, from, offset });
};

const NOTHING: FetchResponse = { responses: [] };

const createFetch = (fetch: Wrapped["fetch"], inside: Inside): Wrapped["fetch"] => {
  const failed = async (error: unknown): Promise<FetchResponse> => {
    const { name, type, topic, partition } = error as Partial<Error & TopicPartition & { type: string }>;
    if (type === "UNKNOWN_TOPIC_OR_PARTITION") inside.onUnknownTopic();
    if (name !== "KafkaJSOffsetOutOfRange" || topic === undefined || partition === undefined) throw error;
    await inside.onOutOfRange({ topic, partition });
    return NOTHING;
  };

  return async (request) => {
    const assignments = inside.assignments();
    tellFetching(request, inside);
    const response = await fetch(request).catch(failed);
    if (inside.assignments() !== assignments) return { ...response, ...NOTHING };
    const from = offsetsOf(request);
    const responses = response.responses.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map((fetched) => {
        const committed = committedOnly(fetched);
        tellNothingFor(
          topicName,
          committed,
          from.get(partitionId({ topic: topicName, partition: fetched.partition })),
          inside,
        );
        return committed;
      }),
    }));
    return { ...response, responses };
  };
};

const createOffsetFetch = (offsetFetch: Wrapped["offsetFetch"], inside: Inside): Wrapped["offsetFetch"] => {
  return async (request) => {
    const response = await offsetFetch(request);
    for (const { topic, partitions } of response.responses) {
      for (const { partition, offset, metadata } of partitions) {
        const position = { topic, partition, offset: BigInt(offset) };
        if (position.offset >= 0n) inside.onCommitted(metadata ? { ...position, metadata } : position);
      }
    }
    return response;
  };
};

const timed =
  <Request, Response>(call: Call<Request, Response>, inside: Inside): Call<Request, Response> =>
  async (request) => {
    const sentAt = performance.now();
    const response = await call(request);
    inside.onAnswered(sentAt);
    return response;
  };

const wrapBroker = (broker: Wrapped, inside: Inside): void => {
  requireFunctions("Broker", broker, CALLS);
  Object.assign(broker, {
    fetch: createFetch(broker.fetch.bind(broker), inside),
    offsetFetch: createOffsetFetch(broker.offsetFetch.bind(broker), inside),
    joinGroup: timed(broker.joinGroup.bind(broker), inside),
    syncGroup: timed(broker.syncGroup.bind(broker), inside),
    heartbeat: timed(broker.heartbeat.bind(broker), inside),
  } satisfies Wrapped);
};

/** Throws INTERNAL where kafkajs isn't as it is expected. */
export const lookInside = (cluster: Cluster, inside: Inside): void => {
  requireFunctions("Cluster", cluster, ["findBroker", "findGroupCoordinator"]);
  const wrapped = new WeakSet<object>();
  const findBroker = cluster.findBroker.bind(cluster);
  const findGroupCoordinator = cluster.findGroupCoordinator.bind(cluster);
  cluster.findBroker = async (node) => {
    const broker = await findBroker(node);
    if (!wrapped.has(broker)) {
      wrapped.add(broker);
      wrapBroker(broker as unknown as Wrapped, inside);
    }
    return broker;
  };
  // The first step of each join, and of nothing else that a consumer does.
  cluster.findGroupCoordinator = async (group) => {
    await inside.beforeJoin();
    return findGroupCoordinator(group);
  };
};
