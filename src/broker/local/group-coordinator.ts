/** The coordinator of the groups whose members use `Broker.groups`, for a broker inside this process. */
import { randomUUID } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Groups, JoinAnswer } from "../groups.ts";
import { type CoordinatedGroup, createCoordinatedGroup } from "./coordinated-group.ts";
import type { LocalStore } from "./store.ts";

export interface GroupCoordinator extends Groups {
  readonly hasMembers: (group: string) => boolean;
  /** Fails the waiting requests, and all later ones. */
  readonly close: () => void;
}

interface CoordinatorParts {
  readonly store: Pick<LocalStore, "topics" | "savePositions">;
  readonly clock: Clock;
  /** True if the group's members are subscriptions. A group can't have members of both kinds. */
  readonly hasSubscriptions: (group: string) => boolean;
  /** Default: random ids. */
  readonly newMemberId?: () => string;
}

/** Requests that wait for an answer, for an abort, or for the end of the coordinator. */
const createWaitingRequests = () => {
  const waiting = new Set<() => void>();
  let closed = false;

  return {
    get closed() {
      return closed;
    },
    add: async <T>(signal: AbortSignal, ask: (answer: (value: T) => void) => void): Promise<T> => {
      if (closed || signal.aborted) throw new GatewayError("BROKER_UNAVAILABLE", { cause: signal.reason });
      let giveUp = (): void => undefined;
      try {
        return await new Promise<T>((resolve, reject) => {
          giveUp = () => {
            reject(new GatewayError("BROKER_UNAVAILABLE", { cause: signal.reason }));
          };
          waiting.add(giveUp);
          signal.addEventListener("abort", giveUp);
          ask(resolve);
        });
      } finally {
        waiting.delete(giveUp);
        signal.removeEventListener("abort", giveUp);
      }
    },
    close: () => {
      closed = true;
      for (const giveUp of waiting) giveUp();
    },
  };
};

const createGroups = (parts: Required<Pick<CoordinatorParts, "clock" | "newMemberId">>) => {
  const groups = new Map<string, CoordinatedGroup>();
  /** The highest generation of all groups that have become empty. */
  let pastGeneration = 0;

  const groupNamed = (name: string): CoordinatedGroup => {
    const known = groups.get(name);
    if (known !== undefined) return known;
    const group = createCoordinatedGroup({
      ...parts,
      generation: pastGeneration,
      onEmpty: (generation) => {
        pastGeneration = Math.max(pastGeneration, generation);
        groups.delete(name);
      },
    });
    groups.set(name, group);
    return group;
  };

  return { groups, groupNamed };
};

/** Creates a coordinator without groups. Generations never start again: a group without members keeps only positions. */
export const createGroupCoordinator = (parts: CoordinatorParts): GroupCoordinator => {
  const { store, clock, hasSubscriptions, newMemberId = () => `member-${randomUUID()}` } = parts;
  const requests = createWaitingRequests();
  const { groups, groupNamed } = createGroups({ clock, newMemberId });

  const whileOpen = async <T>(work: () => T): Promise<T> => {
    if (requests.closed) throw new GatewayError("BROKER_UNAVAILABLE");
    return Promise.resolve(work());
  };

  const join: Groups["join"] = async (request, signal) => {
    const { group, memberId } = request;
    let joiningId = memberId;
    try {
      return await requests.add<JoinAnswer>(signal, (answer) => {
        if (hasSubscriptions(group))
          throw new GatewayError("GROUP_REFUSED", { cause: "INCONSISTENT_GROUP_PROTOCOL" });
        joiningId = groupNamed(group).join(request, answer);
      });
    } catch (error) {
      if (signal.aborted && memberId === "") groups.get(group)?.leave(joiningId);
      throw error;
    }
  };

  return {
    join,
    sync: (member, assignments, signal) =>
      requests.add(signal, (answer) => {
        const group = groups.get(member.group);
        if (group === undefined) answer({ status: "ended" });
        else group.sync(member, assignments, answer);
      }),
    heartbeat: ({ group, memberId, generation }) =>
      whileOpen(() => groups.get(group)?.heartbeat(memberId, generation) ?? "ended"),
    leave: (group, memberId) => whileOpen(() => groups.get(group)?.leave(memberId)),
    commit: async ({ group, memberId, generation }, positions) => {
      const check = await whileOpen(() => groups.get(group)?.checkCommit(memberId, generation) ?? "refused");
      if (check !== "current") return check;
      const existing = positions.filter(
        ({ topic, partition }) => partition < (store.topics().get(topic)?.partitions ?? 0),
      );
      if (existing.length > 0) await store.savePositions(group, existing);
      if (existing.length < positions.length) throw new GatewayError("PARTITION_UNKNOWN");
      return "stored";
    },
    hasMembers: (group) => (groups.get(group)?.size ?? 0) > 0,
    close: () => {
      requests.close();
      for (const group of groups.values()) group.close();
    },
  };
};
