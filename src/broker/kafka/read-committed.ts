/**
 * Applies the isolation level `read_committed` to an answer of Kafka, as the Java client does. The filter of kafkajs
 * delivers aborted records: it expects the aborted transactions in the order of their first offsets, but Kafka lists them
 * in the order of their markers.
 */

/** The transaction fields of a batch; offsets and ids are decimal numbers. */
export interface BatchContext {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
}

/** A message as kafkajs decodes it. Messages of one batch share one context; old message formats have none. */
export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** kafkajs skips a message with this flag and continues after it. */
  readonly isControlRecord?: boolean;
  readonly batchContext?: BatchContext;
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** One partition of a fetch answer, as kafkajs decodes it. */
export interface FetchedPartition {
  readonly partition: number;
  readonly abortedTransactions?: readonly AbortedTransaction[] | null;
  readonly messages: readonly FetchedMessage[];
}

/** The key of a control record has two 16-bit fields: a version, and the type (0: abort marker, 1: commit marker). */
const ABORT = 0;
const TYPE_AT = 2;
const CONTROL_KEY_BYTES = 4;

const isAbortMarker = ({ key }: Pick<FetchedMessage, "key">, { isControlBatch }: BatchContext): boolean =>
  isControlBatch && key !== null && key.length >= CONTROL_KEY_BYTES && key.readInt16BE(TYPE_AT) === ABORT;

const lastOffsetOf = ({ firstOffset, lastOffsetDelta }: BatchContext): bigint =>
  BigInt(firstOffset) + BigInt(lastOffsetDelta);

/** Returns a function that tells whether a batch is aborted. It must get the batches of an answer in order. */
export const createJudge = (listed: readonly AbortedTransaction[]) => {
  const begun = new Set<string>();
  const coming = listed
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .sort((one, other) => Number(one.firstOffset - other.firstOffset));

  return (batch: BatchContext, first: Pick<FetchedMessage, "key">): boolean => {
    const last = lastOffsetOf(batch);
    for (let next = coming[0]; next !== undefined && next.firstOffset <= last; next = coming[0]) {
      begun.add(next.producerId);
      coming.shift();
    }
    if (isAbortMarker(first, batch)) begun.delete(batch.producerId);
    return batch.inTransaction && !batch.isControlBatch && begun.has(batch.producerId);
  };
};

const markAborted = (
  messages: readonly FetchedMessage[],
  aborted: readonly AbortedTransaction[],
): readonly FetchedMessage[] => {
  const judge = createJudge(aborted);
  let batch: BatchContext | undefined;
  let isAborted = false;
  return messages.map((message) => {
    const { batchContext } = message;
    if (batchContext !== batch) isAborted = batchContext !== undefined && judge(batchContext, message);
    batch = batchContext;
    return isAborted ? { ...message, isControlRecord: true } : message;
  });
};

/**
 * Returns a control record for the end of the last batch if compaction has removed the batch's last records. Without it a
 * reader would fetch the same batch again and again.
 */
const endOfBatch = (messages: readonly FetchedMessage[]): readonly FetchedMessage[] => {
  const last = messages.at(-1);
  if (last?.batchContext === undefined) return [];
  const end = lastOffsetOf(last.batchContext);
  if (BigInt(last.offset) >= end) return [];
  return [{ ...last, offset: end.toString(), key: null, value: null, isControlRecord: true }];
};

/** The partition for kafkajs, with aborted records marked as control records, which kafkajs skips. */
export const committedOnly = <T extends FetchedPartition>(fetched: T): T => {
  const { abortedTransactions, messages } = fetched;
  const marked =
    abortedTransactions == null || abortedTransactions.length === 0
      ? messages
      : markAborted(messages, abortedTransactions);
  return { ...fetched, abortedTransactions: [], messages: [...marked, ...endOfBatch(messages)] };
};
