/** Watches the committed offsets of a group. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { placeOf } from "./events.ts";

export interface CommitWatch {
  /** Resolves when the committed offsets of all partitions add up to this number. */
  reaches(total: number): Promise<void>;
  /** When event n was seen to be committed first, up to a few 100 ms late; Infinity: never. */
  committedAt(n: number): number;
  /** Returns a line for each offset that was lower than an earlier offset of its partition. */
  stop(): Promise<readonly string[]>;
}

interface Watched {
  readonly groupId: string;
  readonly topic: string;
  readonly partitions: number;
}

interface Seen {
  readonly offset: bigint;
  readonly at: number;
}

export const watchCommits = (admin: Admin, { groupId, topic, partitions }: Watched): CommitWatch => {
  /** The offsets of each partition, rising. */
  const seen = Array.from({ length: partitions }, (): Seen[] => []);
  const stepsBack: string[] = [];
  let stopped = false;
  const look = async (): Promise<void> => {
    const answer = await admin.fetchOffsets({ groupId, topics: [topic] }).catch(() => []);
    for (const { partition, offset } of answer.flatMap((one) => one.partitions)) {
      const now = BigInt(offset);
      const before = seen[partition]?.at(-1)?.offset ?? -1n;
      if (now < before) stepsBack.push(`partition ${partition}: ${now} after ${before}`);
      else if (now > before) seen[partition]?.push({ offset: now, at: Date.now() });
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
      const sum = (): bigint => seen.reduce((all, one) => all + (one.at(-1)?.offset ?? 0n), 0n);
      while (sum() < BigInt(total)) await sleep(50);
    },
    committedAt: (n) => {
      const { partition, offset } = placeOf(n, partitions);
      return seen[partition]?.find((one) => one.offset > offset)?.at ?? Infinity;
    },
    stop: async () => {
      stopped = true;
      await watching;
      return stepsBack;
    },
  };
};
