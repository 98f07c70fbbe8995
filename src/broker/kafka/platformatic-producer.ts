/**
 * Writing with the connections of @platformatic/kafka (TLS, SASL, framing, correlation) and record batches of our own.
 * Its Producer would do all of it, but loses repeated headers, fails all partitions of a call together, and takes
 * several times as long for a record (record-batch.ts).
 */
import { protocolErrorsCodesById, type Connection } from "@platformatic/kafka";
import { COMPRESSIONS } from "./compression.ts";
import type { KafkaOptions } from "./options.ts";
import { produce, type EncodedBatch, type PartitionAnswer } from "./produce-request.ts";
import {
  failedBatch,
  faultOfCode,
  FINAL,
  type PartitionBatch,
  type Producer,
  type SendResult,
} from "./producer.ts";
import { encodeRecordBatch } from "./record-batch.ts";
import { createSequences, type Sequences } from "./sequences.ts";
import { createWireCluster, type WireCluster } from "./wire-cluster.ts";
import type { Address } from "./wire-connections.ts";

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
