/** One attempt without retries (`Broker.appendOnce`), and where to look for its records (`leaderEnd`, uncommitted reads). */
import type { Broker, BrokerRecord, OnceBatchResult, TopicSpec } from "../../../src/broker/broker.ts";
import { readOptions } from "./reading.ts";
import { newTopic, numbered, record, store, uniqueName, valueOf } from "./tools.ts";

const LIMITS = { mayWrite: () => true, timeoutMs: 10_000 };

export const batch = (partition: number, ...values: string[]) => ({
  partition,
  records: values.map((value): BrokerRecord => record(value)),
});

export const summaryOf = (result: OnceBatchResult): string =>
  result.status === "stored" ? `stored at ${result.baseOffset}` : `${result.status} ${result.error.code}`;

export const describeOnce = (broker: () => Broker): void => {
  const append = async (topic: string, batches: Parameters<Broker["appendOnce"]>[1], options = LIMITS) =>
    (await broker().appendOnce(topic, batches, options)).map(summaryOf);
  /**
   * A topic whose leaders have begun to lead. Earlier a leader answers NOT_LEADER_OR_FOLLOWER, which is `unknown`. A home asks
   * for the end of the log before its first append to a partition.
   */
  const ledTopic = async (spec: Partial<TopicSpec> = {}): Promise<string> => {
    const topic = await newTopic(broker(), spec);
    for (let partition = 0; partition < (spec.partitions ?? 1); partition += 1)
      await broker().leaderEnd(topic, partition);
    return topic;
  };
  const values = async (topic: string, partition = 0, offset = 0n) => {
    const end = await broker().leaderEnd(topic, partition);
    const { records } = await broker().read(
      { topic, partition, offset },
      readOptions({ isolation: "uncommitted", maxWaitMs: end > offset ? 5000 : 0 }),
    );
    return records.map(valueOf);
  };

  describe("one attempt", () => {
    it("stores the batches of several partitions, each at the end of its partition", async () => {
      const topic = await ledTopic({ partitions: 3 });
      await store(broker(), topic, numbered(2, 2, "before"));

      expect(await append(topic, [batch(2, "a", "b"), batch(0, "c")])).toEqual([
        "stored at 2",
        "stored at 0",
      ]);
      expect(await append(topic, [batch(0, "d")])).toEqual(["stored at 1"]);
      expect(await values(topic, 2)).toEqual(["before0", "before1", "a", "b"]);
      expect(await values(topic, 0)).toEqual(["c", "d"]);
      expect(await values(topic, 1)).toEqual([]);
    });

    it("keeps keys, headers and timestamps", async () => {
      const topic = await ledTopic();
      const given = record("v", {
        key: Buffer.from("k"),
        headers: [{ name: "x-stationgate-once", value: Buffer.from("00ff") }],
        timestamp: 1_700_000_000_123,
      });
      const [result] = await broker().appendOnce(topic, [{ partition: 0, records: [given] }], LIMITS);

      expect(result).toEqual({ status: "stored", baseOffset: 0n, timestamp: undefined });
      const { records } = await broker().read(
        { topic, partition: 0, offset: 0n },
        readOptions({ maxWaitMs: 5000 }),
      );
      expect(records).toEqual([{ ...given, topic, partition: 0, offset: 0n }]);
    });

    it("writes nothing if the caller does not allow it", async () => {
      const topic = await ledTopic({ partitions: 2 });
      let asked = 0;
      const mayWrite = (): boolean => {
        asked += 1;
        return false;
      };

      expect(await append(topic, [batch(0, "a"), batch(1, "b")], { ...LIMITS, mayWrite })).toEqual([
        "unsent BROKER_UNAVAILABLE",
        "unsent BROKER_UNAVAILABLE",
      ]);
      expect(asked).toBeGreaterThan(0);
      expect(await append(topic, [batch(0, "c"), batch(1, "d")])).toEqual(["stored at 0", "stored at 0"]);
    });

    it("refuses a batch with a record that is too large, and stores the other batches", async () => {
      const topic = await ledTopic({ partitions: 2, maxRecordBytes: 10_000 });
      const large = "x".repeat(20_000);

      expect(await append(topic, [batch(0, "small", large), batch(1, "other")])).toEqual([
        "refused RECORD_TOO_LARGE",
        "stored at 0",
      ]);
      expect(await append(topic, [batch(0, "small")])).toEqual(["stored at 0"]);
    });

    it("refuses what does not exist, and creates no topic", async () => {
      const topic = await ledTopic();
      const missing = uniqueName("missing");

      expect(await append(topic, [batch(1, "a"), batch(0, "b"), batch(-1, "c")])).toEqual([
        "refused PARTITION_UNKNOWN",
        "stored at 0",
        "refused PARTITION_UNKNOWN",
      ]);
      expect(await append(missing, [batch(0, "a")])).toEqual(["refused STATION_UNKNOWN"]);
      expect(await broker().topic(missing)).toBeUndefined();
    });

    it("stores the batches of many attempts at the same time", async () => {
      const topic = await ledTopic({ partitions: 4 });
      const attempts = Array.from({ length: 100 }, (_, n) => append(topic, [batch(n % 4, `${n}`)]));

      const results = (await Promise.all(attempts)).flat();
      expect(results.filter((result) => result.startsWith("stored"))).toHaveLength(100);
      for (const partition of [0, 1, 2, 3]) {
        expect(await broker().leaderEnd(topic, partition)).toBe(25n);
        expect(new Set(await values(topic, partition)).size).toBe(25);
      }
    });
  });

  describe("the end of the leader's log", () => {
    it("is the offset of the next record", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      expect(await broker().leaderEnd(topic, 1)).toBe(0n);
      await store(broker(), topic, numbered(3, 1));
      expect(await broker().leaderEnd(topic, 1)).toBe(3n);
      expect(await broker().leaderEnd(topic, 0)).toBe(0n);
    });

    it("is unknown in a partition that does not exist", async () => {
      const topic = await newTopic(broker());
      await expect(broker().leaderEnd(topic, 1)).rejects.toMatchObject({ code: "PARTITION_UNKNOWN" });
      await expect(broker().leaderEnd(topic, -1)).rejects.toMatchObject({ code: "PARTITION_UNKNOWN" });
      await expect(broker().leaderEnd(uniqueName("missing"), 0)).rejects.toMatchObject({
        code: "PARTITION_UNKNOWN",
      });
    });
  });
};
