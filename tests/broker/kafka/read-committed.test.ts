/** Fetch answers with interleaved transactions of several producers, read from each offset. */
import { createRequire } from "node:module";
import {
  committedOnly,
  type AbortedTransaction,
  type FetchedMessage,
  type FetchedPartition,
} from "../../../src/broker/kafka/read-committed.ts";

interface KafkaJsBatch {
  readonly messages: readonly FetchedMessage[];
  lastOffset(): string;
}

/** kafkajs's own class, because the result must fit its internals. */
const Batch = createRequire(import.meta.url)("kafkajs/src/consumer/batch.js") as new (
  topic: string,
  fetchedOffset: string,
  partition: FetchedPartition,
) => KafkaJsBatch;

type Marker = "commit" | "abort";

interface LogBatch {
  readonly producer: string;
  readonly first: number;
  readonly records: number;
  readonly marker?: Marker;
}

interface Log {
  readonly batches: readonly LogBatch[];
  readonly committed: readonly number[];
  /** In the order of their markers, as Kafka returns them. */
  readonly aborted: readonly (AbortedTransaction & { readonly marker: number })[];
  readonly end: number;
}

/** Reproducible random numbers from 0 (inclusive) to 1 (exclusive). */
const randomFrom = (seed: number) => (): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
};

/** Twelve producers write at the same time. Each ends its transactions after a few batches, mostly with an abort. */
const writeLog = (seed: number): Log => {
  const random = randomFrom(seed);
  const open = new Map<string, { first: number; offsets: number[] }>();
  const batches: LogBatch[] = [];
  const committed: number[] = [];
  const aborted: (AbortedTransaction & { marker: number })[] = [];
  let end = 0;

  const add = (batch: Omit<LogBatch, "first">): number => {
    batches.push({ ...batch, first: end });
    end += batch.records;
    return end - batch.records;
  };
  const finish = (producer: string, { first, offsets }: { first: number; offsets: number[] }): void => {
    const marker: Marker = random() < 0.7 ? "abort" : "commit";
    const at = add({ producer, records: 1, marker });
    open.delete(producer);
    if (marker === "commit") committed.push(...offsets);
    else aborted.push({ producerId: producer, firstOffset: String(first), marker: at });
  };

  for (let step = 0; step < 120; step += 1) {
    const producer = String(Math.floor(random() * 13) - 1);
    const records = 1 + Math.floor(random() * 3);
    if (producer === "-1") {
      const first = add({ producer, records });
      committed.push(...Array.from({ length: records }, (_, index) => first + index));
      continue;
    }
    const transaction = open.get(producer);
    if (transaction !== undefined && random() < 0.4) finish(producer, transaction);
    else {
      const first = add({ producer, records });
      const begun = transaction ?? { first, offsets: [] };
      begun.offsets.push(...Array.from({ length: records }, (_, index) => first + index));
      open.set(producer, begun);
    }
  }
  for (const [producer, transaction] of [...open]) finish(producer, transaction);
  return { batches, committed: committed.sort((a, b) => a - b), aborted, end };
};

const controlKey = (marker: Marker): Buffer => Buffer.from([0, 0, 0, marker === "abort" ? 0 : 1]);

const messagesOf = ({ producer, first, records, marker }: LogBatch): FetchedMessage[] => {
  const batchContext = {
    firstOffset: String(first),
    lastOffsetDelta: records - 1,
    producerId: producer,
    inTransaction: producer !== "-1",
    isControlBatch: marker !== undefined,
  };
  return Array.from({ length: records }, (_, index) => ({
    offset: String(first + index),
    // A record's key may look like a marker's.
    key: marker === undefined ? controlKey("abort") : controlKey(marker),
    value: Buffer.from("v"),
    isControlRecord: marker !== undefined,
    batchContext,
  }));
};

/** The answer of a broker: whole batches from the offset's batch on, and the aborted transactions whose markers follow. */
const answer = ({ batches, aborted }: Log, offset: number, size: number): FetchedPartition => {
  const from = batches.findIndex(({ first, records }) => first + records > offset);
  const sent = batches.slice(from, from + size);
  const last = sent.at(-1);
  const upTo = last === undefined ? offset : last.first + last.records;
  return {
    partition: 0,
    messages: sent.flatMap(messagesOf),
    abortedTransactions: aborted.filter(
      ({ firstOffset, marker }) => marker >= offset && Number(firstOffset) < upTo,
    ),
  };
};

/** Reads the log to its end in answers of `size` batches. */
const readFrom = (log: Log, start: number, size: number): { offsets: number[]; position: number } => {
  const offsets: number[] = [];
  let position = start;
  while (position < log.end) {
    const batch = new Batch("t", String(position), committedOnly(answer(log, position, size)));
    offsets.push(...batch.messages.map(({ offset }) => Number(offset)));
    const next = Number(batch.lastOffset()) + 1;
    if (next <= position) throw new Error(`no progress at ${position}`);
    position = next;
  }
  return { offsets, position };
};

describe("reading committed records", () => {
  it.each([1, 2, 3, 4, 5])(
    "returns exactly the committed records, from each offset and with each answer size (log %i)",
    (seed) => {
      const log = writeLog(seed);
      expect(log.aborted.length).toBeGreaterThan(10);
      for (const size of [1, 2, 3, 5, 8, 13, 40, log.batches.length]) {
        for (let start = 0; start < log.end; start += 1) {
          expect(readFrom(log, start, size)).toEqual({
            offsets: log.committed.filter((offset) => offset >= start),
            position: log.end,
          });
        }
      }
    },
  );

  it("skips an abort marker whose transaction is not listed", () => {
    const messages = [
      ...messagesOf({ producer: "7", first: 5, records: 1, marker: "abort" }),
      ...messagesOf({ producer: "7", first: 6, records: 2 }),
    ];
    const other = { producerId: "8", firstOffset: "2" };
    const batch = new Batch(
      "t",
      "5",
      committedOnly({ partition: 0, messages, abortedTransactions: [other] }),
    );

    expect(batch.messages.map(({ offset }) => offset)).toEqual(["6", "7"]);
  });

  it("passes offsets that compaction has removed from the end of a batch", () => {
    const messages = messagesOf({ producer: "-1", first: 0, records: 10 }).slice(0, 3);
    const batch = new Batch("t", "5", committedOnly({ partition: 0, messages, abortedTransactions: [] }));

    expect(batch.messages).toEqual([]);
    expect(batch.lastOffset()).toBe("9");
  });

  it("returns messages of formats without batches unchanged", () => {
    const messages = [{ offset: "3", key: null, value: Buffer.from("v") }];
    const fetched = { partition: 0, messages, abortedTransactions: [{ producerId: "1", firstOffset: "0" }] };

    expect(committedOnly(fetched).messages).toEqual(messages);
  });
});
