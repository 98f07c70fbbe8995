/**
 * A producer that uses the connections of @platformatic/kafka (TLS, SASL, framing, correlation) and our own record batches.
 * The Producer of that library loses repeated headers, fails all partitions of a call together, and needs several times
 * as long per record (produce-request.ts).
 */
import { partitionId } from "../partitions.ts";
import { type Connection, protocolErrorsCodesById } from "./client-library.ts";
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
  byLeader,
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

/** Sends the batches of one topic to the broker that leads their partitions, in one request. */
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
      // A late answer on this connection would arrive when the client no longer expects it.
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
    const requests = [...byLeader(batches, leaders)].map(async ([leader, led]) => {
      for (const [partition, result] of await sendTo(leader, topic, led)) results.set(partition, result);
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

/** After such a result the leaders are looked up again. */
const isMisplaced = (result: SendResult): boolean =>
  result.status === "failed" && (result.fault === "moved" || result.fault === "ambiguous");

/**
 * The meaning of a partition's answer. A broker that refuses a batch returns no offset. A broker that has appended the
 * batch and then loses the leadership also answers NOT_LEADER_OR_FOLLOWER, but with an offset: the next leader may have
 * the batch, so its outcome is ambiguous.
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

/** The broker doesn't know the producer's sequence. Only a new producer id can continue. */
const SEQUENCE_LOST = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
]);

type ProducerId = Pick<ProducerIdentity, "producerId" | "epoch">;

/** Sequence numbers of an idempotent producer (KIP-98). The broker stores a batch once, however often it is sent. */
interface Sequences {
  /** The identity of a batch; each call returns the same one. Rejects if the broker gives no producer id. */
  readonly of: (topic: string, batch: PartitionBatch) => Promise<ProducerIdentity>;
  /** An attempt ended with an unknown outcome: the broker may have used the batch's sequence numbers. */
  readonly doubted: (batch: PartitionBatch) => void;
  /**
   * The broker refused the batch. If no attempt was doubted, the batch isn't stored, and the next batch of the partition
   * gets its sequence numbers. Otherwise the next batch gets a new producer id, because the broker acknowledges a batch
   * with used sequence numbers without storing it.
   */
  readonly refused: (batch: PartitionBatch) => void;
  /** The broker doesn't know the batch's identity: the next `of` returns a new one. */
  readonly unrecognised: (batch: PartitionBatch) => void;
  /** The batch is not sent again, and its sequence numbers may be used. Later batches get a new producer id. */
  readonly abandoned: (batch: PartitionBatch) => void;
}

/** Sequences are 31 bits and wrap around. */
const WRAP = 2 ** 31;

/** One producer id, and the next sequence number of each partition. */
interface Era {
  readonly producer: Promise<ProducerId>;
  readonly next: Map<string, number>;
}

interface Numbered {
  readonly partition: string;
  readonly era: Era;
  readonly identity: ProducerIdentity;
  isDoubted: boolean;
  /** The sequence number after the batch's last record. */
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
    const started: Era = { producer: newProducerId(), next: new Map() };
    started.producer.catch(() => {
      end(started);
    });
    era = started;
    return started;
  };

  return {
    of: async (topic, batch) => {
      const known = numbered.get(batch);
      if (known !== undefined) return known.identity;
      const used = current();
      const id = await used.producer;
      const partition = partitionId({ topic, partition: batch.partition });
      const baseSequence = used.next.get(partition) ?? 0;
      const identity = { ...id, baseSequence };
      const after = (baseSequence + batch.records.length) % WRAP;
      used.next.set(partition, after);
      numbered.set(batch, { partition, era: used, identity, isDoubted: false, end: after });
      return identity;
    },
    doubted: (batch) => {
      const entry = numbered.get(batch);
      if (entry !== undefined) entry.isDoubted = true;
    },
    refused: (batch) => {
      const entry = numbered.get(batch);
      if (entry === undefined) return;
      const { era: used, partition, identity, isDoubted } = entry;
      // If later batches already have the following numbers, the gap stays, and the broker would refuse them.
      if (!isDoubted && used.next.get(partition) === entry.end)
        used.next.set(partition, identity.baseSequence);
      else end(used);
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
