/**
 * The isolation level `read_committed`, as the Java client applies it to an answer of Kafka. kafkajs expects the aborted
 * transactions in the order of their first offsets and takes one for each message; Kafka lists them in the order of
 * their markers, and delivers aborted records with kafkajs's own filter.
 */

/** A batch as far as transactions concern it; offsets and ids are decimal. */
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
  /** kafkajs hands such a message to nobody, and reads on behind it. */
  readonly isControlRecord?: boolean;
  readonly batchContext?: BatchContext;
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** The partition's part of a fetch answer, as kafkajs decodes it. */
export interface FetchedPartition {
  readonly partition: number;
  readonly abortedTransactions?: readonly AbortedTransaction[] | null;
  readonly messages: readonly FetchedMessage[];
}

/** Key of a control record: a version, then 0 for an abort marker or 1 for a commit marker, 16 bits each. */
const ABORT = 0;
const TYPE_AT = 2;
const CONTROL_KEY_BYTES = 4;

const isAbortMarker = ({ key }: FetchedMessage, { isControlBatch }: BatchContext): boolean =>
  isControlBatch && key !== null && key.length >= CONTROL_KEY_BYTES && key.readInt16BE(TYPE_AT) === ABORT;

const lastOffsetOf = ({ firstOffset, lastOffsetDelta }: BatchContext): bigint =>
  BigInt(firstOffset) + BigInt(lastOffsetDelta);

/** Judges the batches of an answer in their order: are the records of this one aborted? */
const createJudge = (listed: readonly AbortedTransaction[]) => {
  const begun = new Set<string>();
  const coming = listed
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .sort((one, other) => Number(one.firstOffset - other.firstOffset));

  return (batch: BatchContext, first: FetchedMessage): boolean => {
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

/** Compaction may have removed the last records of a batch: without this one a reader stays before their offsets. */
const endOfBatch = (messages: readonly FetchedMessage[]): readonly FetchedMessage[] => {
  const last = messages.at(-1);
  if (last?.batchContext === undefined) return [];
  const end = lastOffsetOf(last.batchContext);
  if (BigInt(last.offset) >= end) return [];
  return [{ ...last, offset: end.toString(), key: null, value: null, isControlRecord: true }];
};

/** The same partition for kafkajs, in which aborted records are marked as records for nobody. */
export const committedOnly = <T extends FetchedPartition>(fetched: T): T => {
  const { abortedTransactions, messages } = fetched;
  const marked =
    abortedTransactions == null || abortedTransactions.length === 0
      ? messages
      : markAborted(messages, abortedTransactions);
  return { ...fetched, abortedTransactions: [], messages: [...marked, ...endOfBatch(messages)] };
};
