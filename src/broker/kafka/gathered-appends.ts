/**
 * Puts the appends of one topic that are asked for without a pause into one. A batch of events has ids of many slots, and each
 * slot makes an append of its intents and one of its events: a batch of 100 made 24 requests of about four events each. With
 * this, requests of a process under load had 240 records. The slots of a process ask together (`src/once/turn.ts`), so nothing
 * is gained by waiting for the rest of the turn.
 */
import type { AppendOnce, OnceBatch, OnceBatchResult, OnceOptions } from "../append-once.ts";
import { MAX_APPEND_BYTES, recordBytes } from "../record-bytes.ts";
import type { BrokerRecord } from "../records.ts";

/** An append as its caller has asked for it. */
interface Asked {
  readonly batches: readonly OnceBatch[];
  readonly once: OnceOptions;
  readonly resolve: (results: readonly OnceBatchResult[]) => void;
}

/** Appends that go together. */
interface Gathered {
  readonly asked: Asked[];
  /** Bytes of the records for each partition. */
  readonly bytes: Map<number, number>;
  all: number;
}

/** Maximum bytes of appends that go together. */
const MAX_GATHERED_BYTES = 4 * MAX_APPEND_BYTES;

/** `append`, but with the appends of a topic together that begin before the event loop goes on. */
export const createGatheredAppends = (append: AppendOnce): AppendOnce => {
  const topics = new Map<string, Gathered[]>();

  const flush = (topic: string): void => {
    const groups = topics.get(topic) ?? [];
    topics.delete(topic);
    for (const { asked } of groups) void appendTogether(append, topic, asked);
  };

  return (topic, batches, once) =>
    new Promise((resolve) => {
      const groups = topics.get(topic);
      const asked: Asked = { batches, once, resolve };
      if (groups === undefined) {
        topics.set(topic, [gatheredOf(asked)]);
        process.nextTick(flush, topic);
        return;
      }
      const last = groups.at(-1);
      if (last === undefined || !joins(last, asked)) groups.push(gatheredOf(asked));
    });
};

const bytesOf = ({ records }: OnceBatch): number =>
  records.reduce((sum, record) => sum + recordBytes(record), 0);

const gatheredOf = (asked: Asked): Gathered => {
  const gathered: Gathered = { asked: [], bytes: new Map(), all: 0 };
  add(gathered, asked, asked.batches.map(bytesOf));
  return gathered;
};

const add = (gathered: Gathered, asked: Asked, sizes: readonly number[]): void => {
  gathered.asked.push(asked);
  asked.batches.forEach(({ partition }, index) => {
    const size = sizes[index] ?? 0;
    gathered.bytes.set(partition, (gathered.bytes.get(partition) ?? 0) + size);
    gathered.all += size;
  });
};

/** Adds the append if the batches don't become too large with it. */
const joins = (gathered: Gathered, asked: Asked): boolean => {
  const sizes = asked.batches.map(bytesOf);
  const fits = asked.batches.every(
    ({ partition }, index) => (gathered.bytes.get(partition) ?? 0) + (sizes[index] ?? 0) <= MAX_APPEND_BYTES,
  );
  const isSmall = gathered.all + sizes.reduce((sum, size) => sum + size, 0) <= MAX_GATHERED_BYTES;
  if (fits && isSmall) add(gathered, asked, sizes);
  return fits && isSmall;
};

/** Never rejects. */
const appendTogether = async (append: AppendOnce, topic: string, asked: readonly Asked[]): Promise<void> => {
  const places = placesOf(asked);
  const timeoutMs = Math.min(...asked.map(({ once }) => once.timeoutMs));
  const giveUpAt = performance.now() + timeoutMs;
  let wasDenied = false;
  const merged = Array.from(places, ([partition, { records }]) => ({ partition, records }));
  const results = await append(topic, merged, {
    timeoutMs,
    mayWrite: () => {
      // Every caller is asked: each notes the time of its write.
      const isDenied = asked.map(({ once }) => once.mayWrite()).includes(false);
      wasDenied ||= isDenied;
      return !isDenied;
    },
  });
  const resultOf = ({ batch }: Place): OnceBatchResult => {
    const result = results[batch];
    if (result === undefined) throw new TypeError("an append has a result for each batch");
    return result;
  };
  const placeOf = ({ partition }: OnceBatch): Place => {
    const place = places.get(partition);
    if (place === undefined) throw new TypeError("each batch was merged");
    return place;
  };

  /** What another caller does not allow, or what Kafka refuses for the records of another caller, is tried again alone. */
  const isOfOthers = (place: Place): boolean => {
    const { status } = resultOf(place);
    return (
      asked.length > 1 &&
      ((status === "unsent" && wasDenied) || (status === "refused" && place.firsts.size > 1))
    );
  };
  const ownResult = (place: Place, by: number): OnceBatchResult => {
    const result = resultOf(place);
    if (result.status !== "stored") return result;
    return { ...result, baseOffset: result.baseOffset + BigInt(place.firsts.get(by) ?? 0) };
  };

  const resultsOf = async ({ batches, once }: Asked, by: number): Promise<readonly OnceBatchResult[]> => {
    const again = batches.filter((batch) => isOfOthers(placeOf(batch)));
    const left = { ...once, timeoutMs: Math.max(1, giveUpAt - performance.now()) };
    const second = again.length === 0 ? [] : await append(topic, again, left);
    const alone = new Map(again.map((batch, index) => [batch, second[index]]));
    return batches.map((batch) => alone.get(batch) ?? ownResult(placeOf(batch), by));
  };

  asked.forEach((one, by) => void resultsOf(one, by).then(one.resolve));
};

/** The records of all callers for a partition. */
interface Place {
  /** The place of the partition's batch in the append. */
  readonly batch: number;
  readonly records: BrokerRecord[];
  /** For each caller its first record. */
  readonly firsts: Map<number, number>;
}

const placesOf = (asked: readonly Asked[]): ReadonlyMap<number, Place> => {
  const places = new Map<number, Place>();
  asked.forEach(({ batches }, by) => {
    for (const { partition, records } of batches) {
      const place: Place = places.get(partition) ?? { batch: places.size, records: [], firsts: new Map() };
      places.set(partition, place);
      place.firsts.set(by, place.records.length);
      for (const record of records) place.records.push(record);
    }
  });
  return places;
};
