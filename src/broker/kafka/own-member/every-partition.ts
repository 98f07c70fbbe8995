/** A member without a group: it reads all partitions of its topics, also those that are added later. */
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { pause, systemClock } from "../../../lib/clock.ts";
import { partitionId } from "../../partitions.ts";
import type { CountPartitions } from "../assigner.ts";
import type { MemberContext } from "../member.ts";
import type { Assignment, AssignmentHandlers } from "./assignment.ts";

/** Milliseconds between two counts of the partitions. */
const COUNT_MS = 30_000;
const AGAIN_MS = 500;

export const createEveryPartition = (
  countPartitions: CountPartitions,
  { topics }: Pick<MemberContext, "topics">,
  handlers: AssignmentHandlers,
): Assignment => {
  const left = new AbortController();
  const begun = new Set<string>();

  const count = async (): Promise<void> => {
    for (const topic of topics) {
      const all = Array.from({ length: await countPartitions(topic) }, (_, partition) => ({
        topic,
        partition,
      }));
      const added = all.filter((partition) => !begun.has(partitionId(partition)));
      if (added.length === 0 || left.signal.aborted) continue;
      for (const partition of added) begun.add(partitionId(partition));
      handlers.onBegin(added);
    }
  };

  const run = async (): Promise<void> => {
    while (!left.signal.aborted) {
      const ms = await count().then(
        () => COUNT_MS,
        (error: unknown) => {
          handlers.onError(asGatewayError(error));
          return AGAIN_MS;
        },
      );
      await pause(systemClock, ms, left.signal);
    }
  };

  return {
    silence: 0,
    start: () => void run(),
    commit: () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE", { cause: "there is no group" })),
    leave: () => {
      left.abort();
      return Promise.resolve();
    },
  };
};
