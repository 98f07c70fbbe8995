/** `Broker.read` on Kafka: reads of single partitions without a group, gathered into one Fetch request for each leader. */
import { protocolErrorsCodesById } from "./client-library.ts";
import { GatewayError } from "../../errors.ts";
import type { PartitionRead, ReadOptions } from "../broker.ts";
import { partitionId } from "../partitions.ts";
import type { TopicPartitionOffset } from "../positions.ts";
import { createLeases, type Leases } from "./coordinators.ts";
import { fetchRecords, type FetchedRecords, type FetchRequest } from "./fetch-request.ts";
import { createLeaderRequests, Misplaced } from "./leader-requests.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import { decodeRecords } from "./record-batch.ts";
import type { Address, WireCluster } from "./wire-cluster.ts";

export interface KafkaReads {
  /** As `Broker.read`. */
  readonly read: (from: TopicPartitionOffset, options: ReadOptions) => Promise<PartitionRead>;
  /** Fails the reads in flight, and all later ones. Doesn't close the cluster. */
  readonly close: () => void;
}

export interface ReadsOptions extends KafkaOptions {
  /** Maximum bytes of the records of one answer. Default: 32 MiB. */
  readonly maxAnswerBytes?: number;
}

/** Connections to each leader. A request that waits for records occupies a connection, whatever the number of its reads. */
const CONNECTIONS = 8;
/** The last free connection waits for this time at most, so that a new read soon finds a connection. Milliseconds. */
const SHORT_WAIT_MS = 20;
/** Limit of one answer for reads of callers, which each have a limit of their own. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** A read that waits for its turn or for its answer. */
interface PendingRead {
  readonly from: TopicPartitionOffset;
  readonly isolation: FetchRequest["isolation"];
  readonly maxBytes: number;
  /** Time of `performance.now()` at which the read ends, even without a record. */
  readonly until: number;
  readonly resolve: (read: PartitionRead) => void;
  readonly reject: (error: unknown) => void;
  isSettled: boolean;
}

const MISPLACED = new Set([
  "NOT_LEADER_OR_FOLLOWER",
  "LEADER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "KAFKA_STORAGE_ERROR",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
]);

const errorOf = ({ from }: PendingRead, answer: FetchedRecords): Error => {
  const name = protocolErrorsCodesById[answer.errorCode] ?? `error ${answer.errorCode}`;
  if (MISPLACED.has(name)) return new Misplaced(name);
  if (name === "TOPIC_AUTHORIZATION_FAILED") return new GatewayError("TOPIC_REFUSED", { cause: name });
  if (name !== "OFFSET_OUT_OF_RANGE") return new GatewayError("BROKER_UNAVAILABLE", { cause: name });
  return new GatewayError("OFFSET_OUT_OF_RANGE", {
    message: `${partitionId(from)} has no offset ${from.offset}: retention has deleted it, or it is beyond the end`,
  });
};

/** Settles reads by their answers. Returns the reads that need another request: `first` for the front of the queue, `last` for its end. */
const settle = (
  reads: readonly PendingRead[],
  answers: readonly FetchedRecords[],
): { readonly first: readonly PendingRead[]; readonly last: readonly PendingRead[] } => {
  const byPartition = new Map(answers.map((answer) => [partitionId(answer), answer]));
  const first: PendingRead[] = [];
  const last: PendingRead[] = [];
  const settleOne = (read: PendingRead, answer: FetchedRecords): void => {
    const { logStartOffset: low } = answer;
    const high = read.isolation === "committed" ? answer.lastStableOffset : answer.highWatermark;
    const decoded = decodeRecords(answer.records, read.from, { ...answer, maxBytes: read.maxBytes });
    const isStill = decoded.next === read.from.offset;
    // The records of other partitions have filled the answer.
    if (isStill && decoded.next < high) first.push(read);
    // To the end of the queue: a request has only the first read of each partition, so this read must not hide a newer one.
    else if (isStill && performance.now() < read.until) last.push(read);
    else read.resolve({ ...decoded, low, high });
  };
  for (const read of reads) {
    const answer = byPartition.get(partitionId(read.from));
    try {
      if (answer === undefined) throw new Misplaced("no answer for the partition");
      if (answer.errorCode !== 0) throw errorOf(read, answer);
      settleOne(read, answer);
    } catch (error) {
      read.reject(error);
    }
  }
  return { first, last };
};

/** The reads of one leader. */
const createLeaderReads = (leader: Address, leases: Leases, options: ReadsOptions) => {
  let queue: PendingRead[] = [];
  let inFlight = 0;
  let isScheduled = false;

  /** Takes the reads of the next request out of the queue: one for each partition, all with the same isolation. */
  const takeReads = (): readonly PendingRead[] => {
    const taken = new Map<string, PendingRead>();
    const waiting = queue.filter(({ isSettled }) => !isSettled);
    for (const read of waiting) {
      const name = partitionId(read.from);
      if (!taken.has(name) && read.isolation === waiting[0]?.isolation) taken.set(name, read);
    }
    const reads = [...taken.values()];
    queue = waiting.filter((read) => !reads.includes(read));
    return reads;
  };

  const fetch = (reads: readonly PendingRead[]): Promise<FetchedRecords[]> => {
    const now = performance.now();
    const wait = Math.max(0, Math.min(...reads.map(({ until }) => until - now)));
    const maxWaitMs = Math.floor(inFlight < CONNECTIONS ? wait : Math.min(wait, SHORT_WAIT_MS));
    const request: FetchRequest = {
      positions: reads.map(({ from, maxBytes }) => ({ ...from, maxBytes })),
      ...{ maxWaitMs, maxBytes: options.maxAnswerBytes ?? MAX_ANSWER_BYTES },
      isolation: reads[0]?.isolation ?? "committed",
    };
    return leases.use(leader, { timeoutMs: options.connectTimeout }, (connection) =>
      settledWithin(maxWaitMs + options.requestTimeout, fetchRecords.async(connection, request)),
    );
  };

  const run = async (reads: readonly PendingRead[]): Promise<void> => {
    inFlight += 1;
    try {
      const answers = await fetch(reads);
      const { first, last } = settle(reads, answers);
      queue = [...first, ...queue, ...last];
    } catch (error) {
      for (const { reject } of reads) reject(error);
    } finally {
      inFlight -= 1;
      schedule();
    }
  };

  // Runs in a later turn of the event loop, so that reads of one turn share a request.
  const schedule = (): void => {
    if (isScheduled || queue.length === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (inFlight >= CONNECTIONS) return;
      const reads = takeReads();
      if (reads.length > 0) void run(reads);
      schedule();
    });
  };

  return {
    add: (read: PendingRead): void => {
      queue.push(read);
      schedule();
    },
  };
};

type LeaderReads = ReturnType<typeof createLeaderReads>;

interface PendingParts {
  readonly until: number;
  /** Time of `performance.now()` at which the read fails, even if it was not sent. */
  readonly giveUpAt: number;
  readonly add: LeaderReads["add"];
}

/** Adds a read to the queue. It is settled by its answer, by the abort signal, or at `giveUpAt`. */
const pendingRead = async (
  from: TopicPartitionOffset,
  { maxBytes, signal, isolation = "committed" }: ReadOptions,
  { until, giveUpAt, add }: PendingParts,
): Promise<PartitionRead> => {
  const { promise, ...ends } = withEnds<PartitionRead>();
  const read: PendingRead = { from, maxBytes, isolation, until, isSettled: false, ...ends };
  const abort = (): void => {
    read.reject(signal.reason);
  };
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  else add(read);
  try {
    return await settledWithin(giveUpAt - performance.now(), promise);
  } finally {
    read.isSettled = true;
    signal.removeEventListener("abort", abort);
  }
};

const withEnds = <T>() => {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onResult, onError) => {
    resolve = onResult;
    reject = onError;
  });
  return { promise, resolve, reject };
};

/** Connects with the first read. */
export const createKafkaReads = (options: ReadsOptions, cluster: WireCluster): KafkaReads => {
  const leases = createLeases(options);
  let isClosed = false;
  const byLeader = new Map<string, LeaderReads>();
  const atLeader = createLeaderRequests(cluster);

  const readsOf = (leader: Address): LeaderReads => {
    const name = `${leader.host}:${leader.port}`;
    const reads = byLeader.get(name) ?? createLeaderReads(leader, leases, options);
    byLeader.set(name, reads);
    return reads;
  };

  return {
    read: (from, given) => {
      const until = performance.now() + given.maxWaitMs;
      const giveUpAt = until + options.requestTimeout;
      const isOver = (): boolean => isClosed || given.signal.aborted;
      return atLeader(from, { giveUpAt, isOver }, (leader) =>
        pendingRead(from, given, { until, giveUpAt, add: readsOf(leader).add }),
      );
    },
    close: () => {
      isClosed = true;
      leases.close();
    },
  };
};
