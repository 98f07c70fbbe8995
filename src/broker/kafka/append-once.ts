/**
 * `Broker.appendOnce` on Kafka: one Produce request for each leader, on connections that no other request uses, whatever
 * `broker.kafka.producer` is. Each connection carries one request at a time: Kafka reads the next request of a connection
 * only after it has answered the one before, so a pipelined request could be stored long after it was written.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { protocolErrorsCodesById } from "./client-library.ts";
import { GatewayError } from "../../errors.ts";
import { createSemaphore, type Semaphore } from "../../lib/semaphore.ts";
import type { AppendOnce, OnceBatch, OnceBatchResult, OnceOptions } from "../broker.ts";
import { COMPRESSIONS } from "./compression.ts";
import { createLeases } from "./coordinators.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import { type EncodedBatch, encodeRecordBatch, type PartitionAnswer, produce } from "./produce-request.ts";
import { byLeader } from "./producer.ts";
import type { GatedConnection } from "./sign-in/gated-connection.ts";
import type { Address, WireCluster } from "./wire-cluster.ts";

export interface OnceAppends {
  readonly appendOnce: AppendOnce;
  /** Refuses later appends, waits for those in flight, and closes the connections. Doesn't close the cluster. */
  readonly close: () => Promise<void>;
}

/** Connections to each broker. */
const CONNECTIONS = 8;
/** Appends to each broker that may wait for a connection. */
const MAX_WAITING = 1000;
/** Milliseconds. */
const LOOK_AGAIN_MS = 50;
const DRAIN_CHECK_MS = 5;

type Results = Map<number, OnceBatchResult>;

const unsent = (cause: unknown): OnceBatchResult => ({
  status: "unsent",
  error: new GatewayError("BROKER_UNAVAILABLE", { cause }),
});
const unknown = (cause: unknown): OnceBatchResult & { readonly status: "unknown" } => ({
  status: "unknown",
  error: new GatewayError("BROKER_AMBIGUOUS", { cause }),
});
const refused = (error: GatewayError): OnceBatchResult => ({ status: "refused", error });

const REFUSALS: Readonly<Record<string, "RECORD_TOO_LARGE" | "RECORD_REFUSED" | "TOPIC_REFUSED">> = {
  MESSAGE_TOO_LARGE: "RECORD_TOO_LARGE",
  RECORD_LIST_TOO_LARGE: "RECORD_TOO_LARGE",
  INVALID_RECORD: "RECORD_REFUSED",
  INVALID_TIMESTAMP: "RECORD_REFUSED",
  CORRUPT_MESSAGE: "RECORD_REFUSED",
  POLICY_VIOLATION: "TOPIC_REFUSED",
  TOPIC_AUTHORIZATION_FAILED: "TOPIC_REFUSED",
};

/**
 * The meaning of a partition's answer. Every other error is `unknown`: Kafka can answer NOT_LEADER_OR_FOLLOWER, for example,
 * for a batch that it has appended. An answer with an offset belongs to an appended batch, whatever its error is.
 */
export const onceResultOf = ({ errorCode, baseOffset, logAppendTime }: PartitionAnswer): OnceBatchResult => {
  if (errorCode === 0) {
    const timestamp = logAppendTime < 0n ? undefined : Number(logAppendTime);
    return { status: "stored", baseOffset, timestamp };
  }
  const name = protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`;
  const refusal = baseOffset < 0n ? REFUSALS[name] : undefined;
  if (refusal !== undefined) return refused(new GatewayError(refusal, { cause: name }));
  if (name === "NOT_ENOUGH_REPLICAS" && baseOffset < 0n) return unsent(name);
  return { ...unknown(name), isAnswered: true };
};

/**
 * Writes the request as soon as the connection has no unsent bytes and no renewal of its session, and `mayWrite` allows it, in
 * one turn of the event loop. undefined: nothing was written.
 */
export const writeOnce = async <T>(
  connection: Pick<GatedConnection, "isConnected" | "isRenewing"> & {
    readonly socket: Pick<GatedConnection["socket"], "destroyed" | "writableLength">;
  },
  { mayWrite, signal }: Pick<OnceOptions, "mayWrite"> & { readonly signal: AbortSignal },
  write: () => Promise<T>,
): Promise<T | undefined> => {
  const { socket } = connection;
  const mustWait = (): boolean => socket.writableLength > 0 || connection.isRenewing;
  while (mustWait() && !signal.aborted && !socket.destroyed) await sleep(DRAIN_CHECK_MS);
  if (signal.aborted || socket.destroyed || !connection.isConnected() || !mayWrite()) return undefined;
  return write();
};

interface LeaderAppend {
  readonly leader: Address;
  readonly topic: string;
  readonly batches: readonly EncodedBatch[];
  readonly mayWrite: () => boolean;
  /** Time of `performance.now()`. */
  readonly giveUpAt: number;
}

/** Sends requests to leaders. Never rejects; without an answer, the result holds for all batches. */
const createSender = (options: KafkaOptions, cluster: Pick<WireCluster, "forget">) => {
  const leases = createLeases(options, CONNECTIONS);
  const turns = new Map<string, Semaphore>();

  const turnsOf = ({ host, port }: Address): Semaphore => {
    const name = `${host}:${port}`;
    const known = turns.get(name) ?? createSemaphore({ permits: CONNECTIONS, maxWaiting: MAX_WAITING });
    turns.set(name, known);
    return known;
  };

  const resultsOf = (answers: readonly PartitionAnswer[], { batches, topic }: LeaderAppend) => {
    const byPartition = new Map(answers.map((answer) => [answer.partition, onceResultOf(answer)]));
    const results: Results = new Map();
    for (const { partition } of batches)
      results.set(partition, byPartition.get(partition) ?? unknown("no answer for the partition"));
    const isClear = [...results.values()].every(({ status }) => status !== "unknown");
    if (!isClear) cluster.forget(topic);
    return { results, isClear };
  };

  const send = async (append: LeaderAppend): Promise<Results | OnceBatchResult> => {
    const { leader, topic, batches, mayWrite, giveUpAt } = append;
    const over = new AbortController();
    const { signal } = over;
    const state = { isWritten: false };
    const request = async (connection: GatedConnection): Promise<Results | undefined> => {
      const answers = await writeOnce(connection, { mayWrite, signal }, () => {
        state.isWritten = true;
        const timeout = Math.max(1, Math.floor(giveUpAt - performance.now()));
        return produce.async(connection, { topic, batches, timeout });
      });
      if (answers === undefined) return undefined;
      const { results, isClear } = resultsOf(answers, append);
      if (!isClear) connection.socket.destroy();
      return results;
    };
    const lease = { timeoutMs: options.connectTimeout, signal };
    const sent = turnsOf(leader).tryRun(() => leases.use(leader, lease, request));
    if (sent === undefined) return unsent(`${MAX_WAITING} appends wait for a connection to the broker`);
    try {
      const results = await settledWithin(giveUpAt - performance.now(), sent);
      return results ?? unsent("the caller did not allow the write");
    } catch (error) {
      over.abort(); // closes the connection
      cluster.forget(topic);
      return state.isWritten ? unknown(error) : unsent(error);
    }
  };
  return {
    send,
    close: (): void => {
      leases.close();
    },
  };
};

const createLeaderLookup = (cluster: WireCluster) => {
  const isMissing = (leaders: readonly unknown[], batches: readonly OnceBatch[]): boolean =>
    batches.some(({ partition }) => leaders[partition] === undefined);

  /** Asks again once if a leader is missing: a broker may learn of a new topic a little later than the others. */
  return async (topic: string, batches: readonly OnceBatch[]) => {
    let leaders = await cluster.leaders(topic);
    for (let tries = 0; tries < 2 && isMissing(leaders, batches); tries += 1) {
      if (tries > 0) await sleep(LOOK_AGAIN_MS);
      cluster.forget(topic);
      leaders = await cluster.leaders(topic);
    }
    if (isMissing(leaders, batches)) cluster.forget(topic);
    return leaders;
  };
};

/** Why a partition has no leader. */
const whyWithoutLeader = async (cluster: WireCluster, topic: string, partition: number) => {
  try {
    const partitions = await cluster.partitions(topic);
    if (partitions === undefined) return refused(new GatewayError("STATION_UNKNOWN", { cause: topic }));
    if (!partitions.some((one) => one.partition === partition))
      return refused(new GatewayError("PARTITION_UNKNOWN"));
    return unsent(`partition ${partition} has no leader`);
  } catch (error) {
    const isRefusal = error instanceof GatewayError && error.code === "TOPIC_REFUSED";
    return isRefusal ? refused(error) : unsent(error);
  }
};

export const createOnceAppends = (options: KafkaOptions, cluster: WireCluster): OnceAppends => {
  const compression = options.compression === "none" ? undefined : COMPRESSIONS[options.compression];
  const { send, close } = createSender(options, cluster);
  const leadersOf = createLeaderLookup(cluster);
  const inFlight = new Set<Promise<unknown>>();
  let isClosed = false;

  const encode = ({ partition, records }: OnceBatch): EncodedBatch => ({
    partition,
    bytes: encodeRecordBatch(records, { compression }),
  });

  /** Rejects only if nothing was written. */
  const append = async (
    topic: string,
    batches: readonly OnceBatch[],
    { mayWrite, timeoutMs }: OnceOptions,
  ): Promise<readonly OnceBatchResult[]> => {
    const giveUpAt = performance.now() + timeoutMs;
    const leaders = await settledWithin(timeoutMs, leadersOf(topic, batches));
    const requests = [...byLeader(batches, leaders)].map(([leader, led]) => {
      return { leader, topic, batches: led.map(encode), mayWrite, giveUpAt };
    });
    const results: Results = new Map();
    const sends = requests.map(async (request) => {
      const sent = await send(request);
      for (const { partition } of request.batches)
        results.set(partition, sent instanceof Map ? (sent.get(partition) ?? unknown("no result")) : sent);
    });
    const others = batches
      .filter(({ partition }) => leaders[partition] === undefined)
      .map(async ({ partition }) => {
        const why = whyWithoutLeader(cluster, topic, partition);
        results.set(partition, await settledWithin(giveUpAt - performance.now(), why).catch(unsent));
      });
    await Promise.all([...sends, ...others]);
    return batches.map(({ partition }) => results.get(partition) ?? unknown("no result"));
  };

  return {
    appendOnce: async (topic, batches, once) => {
      if (isClosed) return batches.map(() => unsent("the broker is closed"));
      const appended = append(topic, batches, once).catch((error: unknown) =>
        batches.map(() => unsent(error)),
      );
      inFlight.add(appended);
      return appended.finally(() => inFlight.delete(appended));
    },
    close: async () => {
      isClosed = true;
      await Promise.all(inFlight);
      close();
    },
  };
};
