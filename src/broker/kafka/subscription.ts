/** Consuming with kafkajs: a group member that hands records over at once, and comes back by itself after every fault. */
import { randomUUID } from "node:crypto";
import type { Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type {
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
  Watermarks,
} from "../broker.ts";
import type { CountPartitions } from "./assigner.ts";
import { createMember, type Member } from "./member.ts";
import { createReaderPlaces, type ReaderPlaces } from "./reader-places.ts";

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

interface SubscriptionDependencies {
  readonly kafka: Kafka;
  /** Milliseconds. */
  readonly sessionTimeout: number | undefined;
  readonly options: SubscribeOptions;
  readonly handlers: SubscriptionHandlers;
  /** Forgets a group of a reader that had none of its own. */
  readonly deleteGroup: (group: string) => Promise<void>;
  readonly countPartitions: CountPartitions;
  readonly watermarks: (topic: string) => Promise<readonly Watermarks[]>;
}

const withoutGroup = (): GatewayError =>
  new GatewayError("REQUEST_INVALID", { message: "A reader without a group can't commit" });

const remembering = (places: ReaderPlaces, handlers: SubscriptionHandlers): SubscriptionHandlers => ({
  ...handlers,
  onRecords: (records) => {
    handlers.onRecords(records);
    places.passed(records);
  },
});

/** Resolves once the first attempt to join has been made. */
export const createSubscription = async (dependencies: SubscriptionDependencies): Promise<Subscription> => {
  const { options, deleteGroup, watermarks } = dependencies;
  const places = options.group === undefined ? createReaderPlaces(options, watermarks) : undefined;
  const handlers = places === undefined ? dependencies.handlers : remembering(places, dependencies.handlers);
  /** Those of a reader that has none of its own. */
  const groups = new Set<string>();
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
    // In a group of its own a reader that comes back need not wait until its former self is missed.
    const group = options.group ?? `stationgate-reader-${randomUUID()}`;
    const onJoined = (): void => {
      pause = FIRST_PAUSE;
      if (places !== undefined) groups.add(group);
    };
    const onLost = (cause: unknown): void => {
      if (member === joining) again(cause);
    };
    const placeOf = (partition: TopicPartition): bigint | undefined => places?.of(partition);
    const parts = { ...dependencies, handlers, group, placeOf, events: { onJoined, onLost } };
    const joining: Member = createMember(parts);
    member = joining;
    await joining.start(() => places?.find()).catch(onLost);
  };

  await join();
  return {
    get assignment() {
      return member?.assignment ?? [];
    },
    pause: (partitions) => member?.pause(partitions),
    resume: (partitions) => member?.resume(partitions),
    seek: (position) => {
      places?.seek(position);
      member?.seek(position);
    },
    commit: async (positions) => {
      if (places !== undefined) throw withoutGroup();
      if (member === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
      await member.commit(positions);
    },
    close: async () => {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      await member?.leave();
      await Promise.allSettled([...groups].map(deleteGroup));
    },
  };
};
