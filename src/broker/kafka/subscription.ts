/** Consuming with kafkajs: a group member that hands records over at once, and comes back by itself after every fault. */
import { randomUUID } from "node:crypto";
import type { Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { SubscribeOptions, Subscription, SubscriptionHandlers } from "../broker.ts";
import type { CountPartitions } from "./assigner.ts";
import { createMember, type Member } from "./member.ts";

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

interface SubscriptionDependencies {
  readonly kafka: Kafka;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  /** Forgets the group of a reader that had none of its own. */
  readonly deleteGroup: (group: string) => Promise<void>;
  readonly countPartitions: CountPartitions;
}

/** Resolves once the first attempt to join has been made. */
export const createSubscription = async (dependencies: SubscriptionDependencies): Promise<Subscription> => {
  const { options, handlers, deleteGroup } = dependencies;
  const group = options.group ?? `stationgate-reader-${randomUUID()}`;
  let member: Member | undefined;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let pause = FIRST_PAUSE;

  const again = (cause: unknown): void => {
    if (closed) return;
    handlers.onError?.(new GatewayError("BROKER_UNAVAILABLE", { cause }));
    const gone = member;
    member = undefined;
    void gone?.leave();
    timer = setTimeout(() => void join(), pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  };

  const join = async (): Promise<void> => {
    const events = {
      onJoined: () => {
        pause = FIRST_PAUSE;
      },
      onLost: (cause: unknown) => {
        if (member === joining) again(cause);
      },
    };
    const joining: Member = createMember({ ...dependencies, group, events });
    member = joining;
    await joining.start().catch((error: unknown) => {
      if (member === joining) again(error);
    });
  };

  await join();
  return {
    get assignment() {
      return member?.assignment ?? [];
    },
    pause: (partitions) => member?.pause(partitions),
    resume: (partitions) => member?.resume(partitions),
    seek: (position) => member?.seek(position),
    commit: async (positions) => {
      if (options.group === undefined)
        throw new GatewayError("REQUEST_INVALID", { message: "A reader without a group can't commit" });
      if (member === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
      await member.commit(positions);
    },
    close: async () => {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      await member?.leave();
      if (options.group === undefined) await deleteGroup(group).catch(() => undefined);
    },
  };
};
