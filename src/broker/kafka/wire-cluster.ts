/** Cluster metadata (leaders, coordinators, topic ids) and connections, on @platformatic/kafka. */
import { isIP } from "node:net";
import { type Connection, findCoordinatorV4, initProducerIdV4, ResponseError } from "./client-library.ts";
import type { PartitionInfo } from "../broker.ts";
import { tlsOf } from "./client.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import { GatedConnection } from "./sign-in/gated-connection.ts";
import {
  changeSettings,
  metadataOf,
  partitionsOf,
  topicIdsOf,
  type TopicIds,
  topicNamesOf,
} from "./topic-metadata.ts";

export interface Reach {
  readonly known: number;
  readonly reached: number;
  readonly failure?: unknown;
}

export interface WireCluster extends Connections {
  /** Asks one broker after the other until a broker answers. Rejects with the last error. */
  ask<T>(question: Question<T>): Promise<T>;
  /** The leader of each partition; undefined: no leader now. The answer is cached until `forget`. */
  leaders(topic: string): Promise<readonly (Address | undefined)[]>;
  forget(topic: string): void;
  /**
   * As `Broker.partitions`, with those that have no leader. Not cached. Rejects with TOPIC_REFUSED if the gateway may not
   * describe the topic, and as the brokers do.
   */
  partitions(topic: string): Promise<readonly PartitionInfo[] | undefined>;
  /** The broker that stores each group's positions. Rejects with the brokers' error. */
  coordinators(groups: readonly string[]): Promise<ReadonlyMap<string, Address>>;
  /** The existing ones of these topics. Rejects with the brokers' error. */
  topicIds(topics: readonly string[]): Promise<TopicIds>;
  /** Sets settings of a topic, and leaves its others as they are. Rejects with the brokers' error. */
  changeTopicSettings(topic: string, settings: ReadonlyMap<string, string>): Promise<void>;
  newProducerId(): Promise<{ readonly producerId: bigint; readonly epoch: number }>;
  /** From the first broker that answers. */
  clusterId(): Promise<string>;
  /**
   * The number of brokers that the metadata lists, and how many of them have a connection within `timeoutMs`. If no broker
   * answers: the number of the last answer, 0 and why.
   */
  reach(timeoutMs: number): Promise<Reach>;
  /** This machine's address on the connection to a broker that answers now. Rejects if none does. */
  localAddress(): Promise<string>;
  /** A broker that answers now, as host:port. Rejects if none does. */
  answering(): Promise<string>;
}

/** The key type of a coordinator lookup: a group, not a transaction. */
const GROUP_KEY = 0;

const addressOf = (broker: string): Address => {
  const colon = broker.lastIndexOf(":");
  return { host: broker.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(broker.slice(colon + 1)) };
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

  /** Asks one broker after the other until a broker answers. The next call asks that broker first. */
  const ask = async <T>(question: Question<T>, timeoutMs = options.connectTimeout): Promise<T> => {
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
  };

  return {
    ask,
    /** Stores the brokers that the cluster's metadata lists. */
    found: (brokers: readonly Address[]): void => {
      known = brokers;
    },
    /** As `WireCluster.reach`. */
    reach: async (timeoutMs: number): Promise<Reach> => {
      try {
        const { brokers } = await ask((via) => metadataOf([], via), timeoutMs);
        known = brokers.map(({ host, port }) => ({ host, port }));
      } catch (failure) {
        return { known: known.length, reached: 0, failure };
      }
      const all = known;
      const opened = await Promise.allSettled(
        all.map((broker) => settledWithin(timeoutMs, connections.to(broker))),
      );
      return { known: all.length, reached: opened.filter(({ status }) => status === "fulfilled").length };
    },
  };
};

export const createWireCluster = (options: KafkaOptions): WireCluster => {
  const connections = createConnections(options);
  const { ask, found, reach } = createQuestions(options, connections);
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
    ask: (question) => ask(question),
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
    partitions: async (topic) => partitionsOf(await ask((via) => metadataOf([topic], via))),
    clusterId: async () => {
      const { clusterId } = await ask((via) => metadataOf([], via));
      return clusterId ?? "";
    },
    reach,
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
    changeTopicSettings: (topic, settings) => ask((via) => changeSettings(topic, settings, via)),
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
  signIn: sasl,
});

const discard = (connection: Connection): void => {
  connection.socket.destroy();
};

/** Rejects if the broker can't be connected. A connection with an error is destroyed. */
export const openConnection = async (
  options: KafkaOptions,
  { host, port }: Address,
): Promise<GatedConnection> => {
  const connection = new GatedConnection(options.clientId, connectionOptions(options, host));
  connection.on("error", () => {
    discard(connection);
  });
  await connection.open(host, port);
  connection.socket.setKeepAlive(true, KEEP_ALIVE);
  return connection;
};

export const createConnections = (options: KafkaOptions): Connections => {
  const byName = new Map<string, Promise<GatedConnection>>();
  let closed = false;

  const connect = async (address: Address): Promise<GatedConnection> => {
    if (closed) throw new TypeError("the connections are closed");
    return openConnection(options, address);
  };

  const open = (address: Address): Promise<GatedConnection> => {
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
      if (connection.isUsable) return connection;
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
