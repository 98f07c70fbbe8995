/** Watches the committed offsets of a group. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";

export interface CommitWatch {
  /** Resolves when the committed offsets of all partitions add up to this number. */
  reaches(total: number): Promise<void>;
  /** Returns a line for each offset that was lower than an earlier offset of its partition. */
  stop(): Promise<readonly string[]>;
}

export const watchCommits = (admin: Admin, groupId: string, topic: string): CommitWatch => {
  const highest = new Map<number, bigint>();
  const stepsBack: string[] = [];
  let stopped = false;
  const look = async (): Promise<void> => {
    const answer = await admin.fetchOffsets({ groupId, topics: [topic] }).catch(() => []);
    for (const { partition, offset } of answer.flatMap(({ partitions }) => partitions)) {
      const now = BigInt(offset);
      const before = highest.get(partition) ?? -1n;
      if (now < before) stepsBack.push(`partition ${partition}: ${now} after ${before}`);
      else highest.set(partition, now);
    }
  };
  const watch = async (): Promise<void> => {
    while (!stopped) {
      await look();
      await sleep(100);
    }
  };
  const watching = watch();
  return {
    reaches: async (total) => {
      const sum = (): bigint =>
        [...highest.values()].reduce((all, offset) => all + (offset < 0n ? 0n : offset), 0n);
      while (sum() < BigInt(total)) await sleep(50);
    },
    stop: async () => {
      stopped = true;
      await watching;
      return stepsBack;
    },
  };
};
