/** The cluster as a producing client needs it: who leads which partition, and a connection to each of them. */
import { isIP } from "node:net";
import {
  Connection,
  findCoordinatorV4,
  initProducerIdV4,
  metadataV12,
  metadataV9,
  ResponseError,
} from "@platformatic/kafka";
import { tlsOf } from "./client.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";

/** Topics that exist, by name, each with the id that Kafka gave it when it was created. */
export type TopicIds = ReadonlyMap<string, string>;

export interface WireCluster extends Connections {
  /** The leader of each partition, by partition; undefined: none at the moment. Asked for again after `forget`. */
  leaders(topic: string): Promise<readonly (Address | undefined)[]>;
  forget(topic: string): void;
  /** The broker that keeps each group's positions. Rejects with what the brokers answer. */
  coordinators(groups: readonly string[]): Promise<ReadonlyMap<string, Address>>;
  /** Of these topics those that exist. Rejects with what the brokers answer. */
  topicIds(topics: readonly string[]): Promise<TopicIds>;
  newProducerId(): Promise<{ readonly producerId: bigint; readonly epoch: number }>;
  /**
   * The cluster's own name, from the first broker that tells it. `patience`: milliseconds for a broker to be connected,
   * and to answer; default: `connectTimeout`.
   */
  clusterId(patience?: number): Promise<string>;
}

/** What a coordinator is asked for by: a group, not a transaction. */
const GROUP_KEY = 0;

type Metadata = Awaited<ReturnType<typeof metadataV9.api.async>>;

const addressOf = (broker: string): Address => {
  const colon = broker.lastIndexOf(":");
  return { host: broker.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(broker.slice(colon + 1)) };
};

/** A topic without a leader for one partition comes as an error that carries the whole answer. */
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

/** The topic can't be told from one that is missing: it was deleted, or its name is none. */
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

/** Questions that any broker of the cluster can answer. */
const createQuestions = (options: KafkaOptions, connections: Connections) => {
  const bootstrap = options.brokers.map(addressOf);
  let known: readonly Address[] = [];
  let last: readonly Address[] = [];

  const askOne = async <T>(
    address: Address,
    question: (via: Connection) => Promise<T>,
    patience: number,
  ): Promise<T> => {
    const via = await settledWithin(patience, connections.to(address));
    try {
      // The next broker may answer, so that one which is silent doesn't get the whole time of a request.
      return await settledWithin(patience, question(via));
    } catch (error) {
      if (!(error instanceof ResponseError)) connections.discard(via);
      throw error;
    }
  };

  return {
    /** The brokers that the cluster says it has. */
    found: (brokers: readonly Address[]): void => {
      known = brokers;
    },
    /** Asks one broker after the other until one answers; that one is asked first the next time. */
    ask: async <T>(
      question: (via: Connection) => Promise<T>,
      patience = options.connectTimeout,
    ): Promise<T> => {
      const candidates = new Map(
        [...last, ...known, ...bootstrap].map((address) => [nameOf(address), address]),
      );
      let failure: unknown;
      for (const address of candidates.values()) {
        try {
          const answer = await askOne(address, question, patience);
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
    clusterId: async (patience) => {
      const { clusterId } = await ask((via) => metadataOf([], via), patience);
      return clusterId ?? "";
    },
    coordinators: async (groups) => {
      const answer = await ask((via) => findCoordinatorV4.api.async(via, GROUP_KEY, [...groups]));
      return new Map(answer.coordinators.map(({ key, host, port }) => [key, { host, port }]));
    },
    // Before its version 2.8 Kafka has no ids, and hangs up on who asks for them.
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

/** One connection of @platformatic/kafka to each broker, opened when it is needed, and anew after a fault. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Connections {
  /** Rejects when none can be had; nothing has been sent then. */
  to(address: Address): Promise<Connection>;
  /** Cuts a connection that can't be trusted any more: what waits for an answer on it fails. */
  discard(connection: Connection): void;
  close(): Promise<void>;
}

/** Requests on one connection without an answer: ours come one a topic, so this is no bound but a large number. */
const MAX_IN_FLIGHT = 10_000;
/** An attempt that has failed speaks for so many milliseconds: many topics together don't storm a broker that is away. */
const RECONNECT_PAUSE = 100;
const KEEP_ALIVE = 60_000;

const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

const connectionOptions = ({ connectTimeout, requestTimeout, ssl, sasl }: KafkaOptions, host: string) => ({
  connectTimeout,
  requestTimeout,
  maxInflights: MAX_IN_FLIGHT,
  // RFC 6066 allows no addresses as server names.
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

/** Not while it authenticates once more: a broker takes nothing else then, and hangs up. */
const isUsable = (connection: Connection): boolean =>
  connection.isConnected() && !connection.socket.destroyed;

export const createConnections = (options: KafkaOptions): Connections => {
  const byName = new Map<string, Promise<Connection>>();
  let closed = false;

  const connect = async ({ host, port }: Address): Promise<Connection> => {
    if (closed) throw new TypeError("the connections are closed");
    const connection = new Connection(options.clientId, connectionOptions(options, host));
    connection.on("error", () => {
      discard(connection);
    });
    await connection.connect(host, port);
    connection.socket.setKeepAlive(true, KEEP_ALIVE);
    return connection;
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
      // What is under way on it has its time to end.
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
