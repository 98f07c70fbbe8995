/**
 * Wraps internal calls of a kafkajs 2.2 consumer. kafkajs doesn't report the events that a subscription needs, and returns
 * aborted records as if they were committed. Each consumer has its own cluster object, which kafkajs passes to the
 * assigner; the cluster creates the broker objects whose methods are wrapped here.
 */
import { partitionId } from "../partitions.ts";
import type { Cluster } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { GroupPosition, TopicPartition, TopicPartitionOffset } from "../broker.ts";
import { committedOnly, type FetchedPartition } from "./read-committed.ts";

/** Callbacks of a member for the internal calls of its consumer. */
export interface Inside {
  /** Called before each join of the group. The join waits for the promise. */
  beforeJoin(): Promise<void>;
  /** The group has answered a request that this member sent at this time (`performance.now`). */
  onAnswered(sentAt: number): void;
  /** The group has this committed position. Called before the partition is read. */
  onCommitted(position: GroupPosition): void;
  onFetching(from: TopicPartitionOffset): void;
  /** From `from` up to `offset` the partition has only records that readers don't get: markers and aborted records. */
  onNothingFor(position: TopicPartitionOffset & { readonly from: bigint }): void;
  /** The fetch offset doesn't exist in the partition. kafkajs fetches again when the promise resolves. */
  onOutOfRange(partition: TopicPartition): Promise<void>;
  onUnknownTopic(): void;
  /** Number of assignments so far. A fetch that was sent before the current assignment is discarded. */
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

/** The methods of a kafkajs broker that are wrapped. */
interface Wrapped {
  fetch: Call<FetchRequest, FetchResponse>;
  offsetFetch: Call<unknown, OffsetFetchResponse>;
  joinGroup: Call<unknown, unknown>;
  syncGroup: Call<unknown, unknown>;
  heartbeat: Call<unknown, unknown>;
}

const CALLS = ["fetch", "offsetFetch", "joinGroup", "syncGroup", "heartbeat"] as const;

const requireFunctions = (className: string, object: object, names: readonly string[]): void => {
  const missing = names.filter((name) => typeof (object as Record<string, unknown>)[name] !== "function");
  if (missing.length === 0) return;
  const message = `The gateway needs kafkajs 2.2; the installed version has no ${className}.${missing.join(", ")}`;
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

const reportFetching = ({ topics }: FetchRequest, inside: Inside): void => {
  for (const { topic, partitions } of topics)
    for (const { partition, fetchOffset } of partitions)
      inside.onFetching({ topic, partition, offset: BigInt(fetchOffset) });
};

/** Reports an answer that has no records for readers. kafkajs skips such an answer and emits no event. */
const reportNothingFor = (
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
    reportFetching(request, inside);
    const response = await fetch(request).catch(failed);
    if (inside.assignments() !== assignments) return { ...response, ...NOTHING };
    const from = offsetsOf(request);
    const responses = response.responses.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map((fetched) => {
        const committed = committedOnly(fetched);
        reportNothingFor(
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

/** Throws INTERNAL if a method that is wrapped doesn't exist, as in another version of kafkajs. */
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
  // A consumer looks up the coordinator at the start of each join, and at no other time.
  cluster.findGroupCoordinator = async (group) => {
    await inside.beforeJoin();
    return findGroupCoordinator(group);
  };
};
