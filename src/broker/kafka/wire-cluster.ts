/** Cluster metadata (leaders, coordinators, topic ids) and connections, on @platformatic/kafka. */
import { isIP } from "node:net";
import {
  Connection,
  findCoordinatorV4,
  initProducerIdV4,
  metadataV12,
  metadataV9,
  ResponseError,
} from "@platformatic/kafka";
import { GatewayError } from "../../errors.ts";
import { tlsOf } from "./client.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";

/** The names of existing topics, with the id that Kafka gave each when it was created. */
export type TopicIds = ReadonlyMap<string, string>;

export interface WireCluster extends Connections {
  /** The leader of each partition; undefined: no leader now. The answer is cached until `forget`. */
  leaders(topic: string): Promise<readonly (Address | undefined)[]>;
  forget(topic: string): void;
  /**
   * Number of partitions, with those that have no leader; undefined: no such topic. Not cached. Rejects with TOPIC_REFUSED if
   * the gateway may not describe the topic, and as the brokers do.
   */
  partitionCount(topic: string): Promise<number | undefined>;
  /** The broker that stores each group's positions. Rejects with the brokers' error. */
  coordinators(groups: readonly string[]): Promise<ReadonlyMap<string, Address>>;
  /** The existing ones of these topics. Rejects with the brokers' error. */
  topicIds(topics: readonly string[]): Promise<TopicIds>;
  newProducerId(): Promise<{ readonly producerId: bigint; readonly epoch: number }>;
  /**
   * The cluster id, from the first broker that answers. `timeoutMs` bounds the connection to a broker, and its answer;
   * default: `connectTimeout`.
   */
  clusterId(timeoutMs?: number): Promise<string>;
  /** This machine's address on the connection to a broker that answers now. Rejects if none does. */
  localAddress(): Promise<string>;
  /** A broker that answers now, as host:port. Rejects if none does. */
  answering(): Promise<string>;
}

/** The key type of a coordinator lookup: a group, not a transaction. */
const GROUP_KEY = 0;

type Metadata = Awaited<ReturnType<typeof metadataV9.api.async>>;

const addressOf = (broker: string): Address => {
  const colon = broker.lastIndexOf(":");
  return { host: broker.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(broker.slice(colon + 1)) };
};

/** If one partition has no leader, the library rejects with an error that contains the whole answer. */
const withAnswer = async <T>(asked: Promise<T>): Promise<T> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ResponseError) return error["response"] as T;
    throw error;
  }
};

const metadataOf = (topics: string[], via: Connection): Promise<Metadata> =>
  withAnswer(metadataV9.api.async(via, topics, false, false));

/** Error codes of a missing topic and of an invalid topic name. */
const UNKNOWN_TOPIC = [3, 17];

const topicIdsOf = async (topics: string[], via: Connection): Promise<TopicIds> => {
  const answer = await withAnswer(metadataV12.api.async(via, topics, false, false));
  const known = answer.topics.filter(({ errorCode }) => !UNKNOWN_TOPIC.includes(errorCode));
  return new Map(known.map(({ name, topicId }) => [name ?? "", topicId]));
};

const topicNamesOf = async (topics: string[], via: Connection): Promise<TopicIds> => {
  const answer = await metadataOf(topics, via);
  const known = answer.topics.filter(({ errorCode }) => !UNKNOWN_TOPIC.includes(errorCode));
  return new Map(known.map(({ name }) => [name ?? "", ""]));
};

const TOPIC_AUTHORIZATION_FAILED = 29;

const partitionCountOf = ({ topics: [topic] }: Metadata): number | undefined => {
  if (topic !== undefined && UNKNOWN_TOPIC.includes(topic.errorCode)) return undefined;
  const count = Math.max(0, ...(topic?.partitions ?? []).map(({ partitionIndex }) => partitionIndex + 1));
  if (count > 0) return count;
  const isRefused = topic?.errorCode === TOPIC_AUTHORIZATION_FAILED;
  throw new GatewayError(isRefused ? "TOPIC_REFUSED" : "BROKER_UNAVAILABLE", {
    cause: `metadata without partitions (error ${topic?.errorCode})`,
  });
};

type Question<T> = (via: Connection, address: Address) => Promise<T>;

/** Asks questions that any broker of the cluster can answer. */
const createQuestions = (options: KafkaOptions, connections: Connections) => {
  const bootstrap = options.brokers.map(addressOf);
  let known: readonly Address[] = [];
  let last: readonly Address[] = [];

  const askOne = async <T>(address: Address, question: Question<T>, timeoutMs: number): Promise<T> => {
    const via = await settledWithin(timeoutMs, connections.to(address));
    try {
      // Shorter than the request timeout, because the next broker may answer.
      return await settledWithin(timeoutMs, question(via, address));
    } catch (error) {
      if (!(error instanceof ResponseError)) connections.discard(via);
      throw error;
    }
  };

  return {
    /** Stores the brokers that the cluster's metadata lists. */
    found: (brokers: readonly Address[]): void => {
      known = brokers;
    },
    /** Asks one broker after the other until a broker answers. The next call asks that broker first. */
    ask: async <T>(question: Question<T>, timeoutMs = options.connectTimeout): Promise<T> => {
      const candidates = new Map(
        [...last, ...known, ...bootstrap].map((address) => [nameOf(address), address]),
      );
      let failure: unknown;
      for (const address of candidates.values()) {
        try {
          const answer = await askOne(address, question, timeoutMs);
          last = [address];
          return answer;
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },
  };
};

export const createWireCluster = (options: KafkaOptions): WireCluster => {
  const connections = createConnections(options);
  const { ask, found } = createQuestions(options, connections);
  const leadersByTopic = new Map<string, Promise<readonly (Address | undefined)[]>>();

  const askForLeaders = async (topic: string): Promise<readonly (Address | undefined)[]> => {
    const { brokers, topics } = await ask((via) => metadataOf([topic], via));
    const byId = new Map(
      brokers.map(({ nodeId, host, port }): [number, Address] => [nodeId, { host, port }]),
    );
    found([...byId.values()]);
    const leaders: (Address | undefined)[] = [];
    for (const { partitionIndex, leaderId } of topics[0]?.partitions ?? [])
      leaders[partitionIndex] = byId.get(leaderId);
    return leaders;
  };

  return {
    ...connections,
    leaders: (topic) => {
      const known = leadersByTopic.get(topic);
      if (known !== undefined) return known;
      const asked = askForLeaders(topic);
      leadersByTopic.set(topic, asked);
      asked.catch(() => {
        if (leadersByTopic.get(topic) === asked) leadersByTopic.delete(topic);
      });
      return asked;
    },
    forget: (topic) => {
      leadersByTopic.delete(topic);
    },
    partitionCount: async (topic) => partitionCountOf(await ask((via) => metadataOf([topic], via))),
    clusterId: async (timeoutMs) => {
      const { clusterId } = await ask((via) => metadataOf([], via), timeoutMs);
      return clusterId ?? "";
    },
    localAddress: () =>
      ask(async (via) => {
        await metadataOf([], via);
        const { localAddress } = via.socket;
        if (localAddress === undefined) throw new TypeError("the connection to the broker was closed");
        return localAddress;
      }),
    answering: () => ask((via, address) => metadataOf([], via).then(() => nameOf(address))),
    coordinators: async (groups) => {
      const answer = await ask((via) => findCoordinatorV4.api.async(via, GROUP_KEY, [...groups]));
      return new Map(answer.coordinators.map(({ key, host, port }) => [key, { host, port }]));
    },
    // Kafka before 2.8 has no topic ids and closes the connection of a client that asks for them.
    topicIds: (topics) =>
      ask((via) => topicIdsOf([...topics], via)).catch(() => ask((via) => topicNamesOf([...topics], via))),
    newProducerId: async () => {
      const { producerId, producerEpoch } = await ask((via) =>
        initProducerIdV4.api.async(via, null, 0, -1n, -1),
      );
      return { producerId, epoch: producerEpoch };
    },
  };
};

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One connection per broker, opened with the first request and reopened after a fault. */
interface Connections {
  /** Rejects if the broker can't be connected; nothing has been sent then. */
  to(address: Address): Promise<Connection>;
  /** Destroys a connection that may be out of step. All requests in flight on it fail. */
  discard(connection: Connection): void;
  close(): Promise<void>;
}

/** Requests in flight on one connection. The gateway sends one per topic, so this large number is never reached. */
const MAX_IN_FLIGHT = 10_000;
/** Milliseconds for which a failed connection is not retried, so that many topics don't flood an unavailable broker. */
const RECONNECT_PAUSE = 100;
const KEEP_ALIVE = 60_000;

const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

const connectionOptions = ({ connectTimeout, requestTimeout, ssl, sasl }: KafkaOptions, host: string) => ({
  connectTimeout,
  requestTimeout,
  maxInflights: MAX_IN_FLIGHT,
  // RFC 6066 doesn't allow IP addresses as server names.
  ...(ssl === undefined ? undefined : { tls: tlsOf(ssl), tlsServerName: isIP(host) === 0 }),
  ...(sasl === undefined
    ? undefined
    : {
        sasl: {
          mechanism: sasl.mechanism.toUpperCase() as "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512",
          username: sasl.username,
          password: sasl.password,
        },
      }),
});

const discard = (connection: Connection): void => {
  connection.socket.destroy();
};

/** False also during re-authentication, when a broker accepts no other request and closes the connection. */
const isUsable = (connection: Connection): boolean =>
  connection.isConnected() && !connection.socket.destroyed;

/** Rejects if the broker can't be connected. A connection with an error is destroyed. */
export const openConnection = async (options: KafkaOptions, { host, port }: Address): Promise<Connection> => {
  const connection = new Connection(options.clientId, connectionOptions(options, host));
  connection.on("error", () => {
    discard(connection);
  });
  await connection.connect(host, port);
  connection.socket.setKeepAlive(true, KEEP_ALIVE);
  return connection;
};

export const createConnections = (options: KafkaOptions): Connections => {
  const byName = new Map<string, Promise<Connection>>();
  let closed = false;

  const connect = async (address: Address): Promise<Connection> => {
    if (closed) throw new TypeError("the connections are closed");
    return openConnection(options, address);
  };

  const open = (address: Address): Promise<Connection> => {
    const name = nameOf(address);
    const opening = connect(address);
    byName.set(name, opening);
    const forget = (): void => {
      if (byName.get(name) === opening) byName.delete(name);
    };
    opening.then(
      (connection) => connection.once("close", forget),
      () => setTimeout(forget, RECONNECT_PAUSE).unref(),
    );
    return opening;
  };

  return {
    to: async (address) => {
      const known = byName.get(nameOf(address));
      if (known === undefined) return open(address);
      const connection = await known;
      if (isUsable(connection)) return connection;
      // Requests in flight on the old connection may take the request timeout.
      setTimeout(discard, options.requestTimeout, connection).unref();
      const replaced = byName.get(nameOf(address));
      return replaced === undefined || replaced === known ? open(address) : replaced;
    },
    discard,
    close: async () => {
      closed = true;
      const opened = await Promise.allSettled(byName.values());
      for (const result of opened) if (result.status === "fulfilled") discard(result.value);
    },
  };
};
