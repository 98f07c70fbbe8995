/**
 * Writing with the connections of @platformatic/kafka (TLS, SASL, framing, correlation) and record batches of our own.
 * Its Producer would do all of it, but loses repeated headers, fails all partitions of a call together, and takes
 * several times as long for a record (record-batch.ts).
 */
import { partitionId } from "../partitions.ts";
import { type Connection, protocolErrorsCodesById } from "@platformatic/kafka";
import { COMPRESSIONS } from "./compression.ts";
import type { KafkaOptions } from "./options.ts";
import {
  type EncodedBatch,
  encodeRecordBatch,
  type PartitionAnswer,
  produce,
  type ProducerIdentity,
} from "./produce-request.ts";
import {
  failedBatch,
  faultOfCode,
  FINAL,
  type PartitionBatch,
  type Producer,
  type SendResult,
} from "./producer.ts";
import { type Address, createWireCluster, type WireCluster } from "./wire-cluster.ts";

type Results = ReadonlyMap<number, SendResult>;

const forAll = (batches: readonly PartitionBatch[], result: SendResult): Results =>
  new Map(batches.map(({ partition }) => [partition, result]));

/** Sends the batches of one topic that one broker leads, in one request. */
const createSender = (options: KafkaOptions, cluster: WireCluster, sequences: Sequences | undefined) => {
  const compression = options.compression === "none" ? undefined : COMPRESSIONS[options.compression];

  const encode = async (topic: string, batch: PartitionBatch): Promise<EncodedBatch> => {
    const identity = await sequences?.of(topic, batch);
    const bytes = encodeRecordBatch(batch.records, { identity, compression });
    return { partition: batch.partition, bytes };
  };

  return async (leader: Address, topic: string, batches: readonly PartitionBatch[]): Promise<Results> => {
    let connection: Connection;
    let encoded: readonly EncodedBatch[];
    try {
      connection = await cluster.to(leader);
      encoded = await Promise.all(batches.map((batch) => encode(topic, batch)));
    } catch (error) {
      cluster.forget(topic);
      return forAll(batches, failedBatch("unavailable", error));
    }
    try {
      const request = { topic, batches: encoded, timeout: options.requestTimeout };
      const answers = await produce.async(connection, request);
      return new Map(answers.map((answer) => [answer.partition, resultOf(answer)]));
    } catch (error) {
      // A connection that has kept one answer back may bring it later, where the client doesn't expect it any more.
      cluster.discard(connection);
      cluster.forget(topic);
      return forAll(batches, failedBatch("ambiguous", error));
    }
  };
};

export const createPlatformaticProducer = (options: KafkaOptions): Producer => {
  const cluster = createWireCluster(options);
  const sequences = options.idempotent ? createSequences(() => cluster.newProducerId()) : undefined;
  const sendTo = createSender(options, cluster, sequences);

  const sendAll = async (
    topic: string,
    batches: readonly PartitionBatch[],
  ): Promise<readonly SendResult[]> => {
    const leaders = await cluster.leaders(topic);
    const results = new Map<number, SendResult>();
    const requests = [...byLeader(batches, leaders)].map(async ([leader, theirs]) => {
      for (const [partition, result] of await sendTo(leader, topic, theirs)) results.set(partition, result);
    });
    await Promise.all(requests);
    return batches.map(
      ({ partition }) =>
        results.get(partition) ?? failedBatch("moved", `partition ${partition} has no leader`),
    );
  };

  return {
    send: async (topic, batches) => {
      const sent = await sendAll(topic, batches).catch((error: unknown) =>
        batches.map(() => failedBatch("unavailable", error)),
      );
      if (sent.some(isMisplaced)) cluster.forget(topic);
      if (sequences !== undefined) settleSequences(sequences, batches, sent);
      return sent;
    },
    abandon: (batches) => {
      for (const batch of batches) sequences?.abandoned(batch);
    },
    close: () => cluster.close(),
  };
};

/** The leaders are to be asked for again. */
const isMisplaced = (result: SendResult): boolean =>
  result.status === "failed" && (result.fault === "moved" || result.fault === "ambiguous");

const byLeader = (
  batches: readonly PartitionBatch[],
  leaders: readonly (Address | undefined)[],
): ReadonlyMap<Address, PartitionBatch[]> => {
  const groups = new Map<Address, PartitionBatch[]>();
  for (const batch of batches) {
    const leader = leaders[batch.partition];
    if (leader === undefined) continue;
    const group = groups.get(leader);
    if (group === undefined) groups.set(leader, [batch]);
    else group.push(batch);
  }
  return groups;
};

/**
 * A broker that refuses a batch gives no offset. One that has appended it and then loses the lead, while it waits for the
 * others, answers NOT_LEADER_OR_FOLLOWER too, and tells the offset: the next leader may have the batch.
 */
export const resultOf = ({ errorCode, baseOffset, logAppendTime }: PartitionAnswer): SendResult => {
  if (errorCode === 0) {
    const timestamp = logAppendTime < 0n ? undefined : Number(logAppendTime);
    return { status: "stored", baseOffset, timestamp };
  }
  const name = protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`;
  return failedBatch(baseOffset < 0n ? faultOfCode(name) : "ambiguous", name);
};

const settleSequences = (
  sequences: Sequences,
  batches: readonly PartitionBatch[],
  results: readonly SendResult[],
): void => {
  for (const [i, batch] of batches.entries()) {
    const result = results[i];
    if (result === undefined || result.status === "stored") continue;
    if (SEQUENCE_LOST.has(String(result.cause))) sequences.unrecognised(batch);
    else if (result.fault === "ambiguous") sequences.doubted(batch);
    else if (FINAL.has(result.fault)) sequences.refused(batch);
  }
};

/** The broker doesn't know this producer's sequence (any more): only a new identity goes on. */
const SEQUENCE_LOST = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
]);

/** Sequence numbers of an idempotent producer (KIP-98): a batch that is sent again is known by them, and stored once. */

type ProducerId = Pick<ProducerIdentity, "producerId" | "epoch">;

interface Sequences {
  /** The identity of a batch: the same one each time it is asked for. Rejects when none can be had. */
  readonly of: (topic: string, batch: PartitionBatch) => Promise<ProducerIdentity>;
  /** An attempt ended without a known outcome: the broker may have used up its numbers. */
  readonly doubted: (batch: PartitionBatch) => void;
  /**
   * The broker has refused it. If no attempt of it was doubted, it isn't stored, and its numbers go to the next batch of
   * the partition. Otherwise the next batch gets another producer id: under numbers that are used up the broker would
   * acknowledge it without storing it.
   */
  readonly refused: (batch: PartitionBatch) => void;
  /** The broker doesn't know its identity: the next time it is asked for it gets another one. */
  readonly unrecognised: (batch: PartitionBatch) => void;
  /** It is not sent again, and whether its numbers are used up isn't known. */
  readonly abandoned: (batch: PartitionBatch) => void;
}

/** Sequences are 31 bits and wrap around. */
const WRAP = 2 ** 31;

/** One producer id, and the next number of each partition. */
interface Era {
  readonly producer: Promise<ProducerId>;
  readonly next: Map<string, number>;
}

interface Numbered {
  readonly partition: string;
  readonly era: Era;
  readonly identity: ProducerIdentity;
  isDoubted: boolean;
  /** The number behind its last record. */
  readonly end: number;
}

export const createSequences = (newProducerId: () => Promise<ProducerId>): Sequences => {
  const numbered = new WeakMap<PartitionBatch, Numbered>();
  let era: Era | undefined;

  const end = (ended: Era): void => {
    if (era === ended) era = undefined;
  };

  const current = (): Era => {
    if (era !== undefined) return era;
    const begun: Era = { producer: newProducerId(), next: new Map() };
    begun.producer.catch(() => {
      end(begun);
    });
    era = begun;
    return begun;
  };

  return {
    of: async (topic, batch) => {
      const known = numbered.get(batch);
      if (known !== undefined) return known.identity;
      const its = current();
      const id = await its.producer;
      const partition = partitionId({ topic, partition: batch.partition });
      const baseSequence = its.next.get(partition) ?? 0;
      const identity = { ...id, baseSequence };
      const after = (baseSequence + batch.records.length) % WRAP;
      its.next.set(partition, after);
      numbered.set(batch, { partition, era: its, identity, isDoubted: false, end: after });
      return identity;
    },
    doubted: (batch) => {
      const entry = numbered.get(batch);
      if (entry !== undefined) entry.isDoubted = true;
    },
    refused: (batch) => {
      const entry = numbered.get(batch);
      if (entry === undefined) return;
      const { era: its, partition, identity, isDoubted } = entry;
      // Where the numbers behind it are given out already, the gap can't be closed any more.
      if (!isDoubted && its.next.get(partition) === entry.end) its.next.set(partition, identity.baseSequence);
      else end(its);
    },
    unrecognised: (batch) => {
      const entry = numbered.get(batch);
      if (entry === undefined) return;
      numbered.delete(batch);
      end(entry.era);
    },
    abandoned: (batch) => {
      const entry = numbered.get(batch);
      if (entry !== undefined) end(entry.era);
    },
  };
};
