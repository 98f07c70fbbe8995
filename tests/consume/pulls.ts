/** Pulls on the readers' groups of one slot, with a given clock. */
import type { Broker } from "../../src/broker/broker.ts";
import { createPullConsumers, type PullConsumersOptions, type PullGroup } from "../../src/consume/consume.ts";
import { createReaders, type ReadersOptions, type ReaderSlot } from "../../src/consume/readers.ts";
import type { ReaderSubscription } from "../../src/consume/group-reader.ts";
import type { ReadingHandlers } from "../../src/consume/topic-reading.ts";
import type { Pull, PullRequest } from "../../src/consume/waiting-pull.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";

export const WAIT = 5000;
export const IDLE = 30_000;
const MEMORY = 16 << 20;
const SLOT = 0;

export interface Wish {
  readonly owner?: string;
  readonly group?: string;
  readonly topic?: string;
  readonly max?: number;
  readonly waitMs?: number;
  readonly from?: "earliest" | "latest";
  readonly signal?: AbortSignal;
}

export interface Pulls {
  readonly pull: (wish?: Wish) => Promise<Pull>;
  /** The names of groups that have a member. */
  readonly members: () => readonly string[];
  /** Gives up the slot. */
  readonly close: () => Promise<void>;
}

export interface PullsOptions extends Partial<PullConsumersOptions> {
  readonly readers?: Partial<ReadersOptions>;
  /** Changes what the group reader gets and returns. */
  readonly watch?: (handlers: ReadingHandlers, subscription: () => ReaderSubscription) => ReaderSubscription;
}

export const pullsOn = async (
  broker: Broker,
  clock: Clock,
  { readers: more, watch, ...options }: PullsOptions = {},
): Promise<Pulls> => {
  const consumers = createPullConsumers({
    clock,
    idleMs: IDLE,
    maxPullsPerOwner: 10,
    maxBufferedBytes: 2 << 20,
    memory: createMemoryBudget(MEMORY),
    toEvent: ({ value }) => value ?? Buffer.alloc(0),
    onError: () => undefined,
    onCommitFailed: () => undefined,
    ...options,
  });
  const opened: ReaderSlot[] = [];
  const readers = createReaders({
    broker,
    clock,
    sessionTimeout: 60_000,
    groupIdle: IDLE,
    maxGroups: 10,
    holds: () => true,
    isMember: () => true,
    apis: [
      {
        path: "/batch",
        opened: (slot) => {
          opened.push(slot);
          return Promise.resolve();
        },
        serve: () => Promise.reject(new Error("pulls come by themselves")),
        closed: (slot) => {
          for (const group of slot.claimed("batch")) consumers.close(watched(group));
          return Promise.resolve();
        },
      },
    ],
    onError: () => undefined,
    ...more,
  });
  const all = new Map<PullGroup, PullGroup>();
  const watched = (group: PullGroup): PullGroup => {
    if (watch === undefined) return group;
    const known = all.get(group) ?? watchedGroup(group, watch);
    all.set(group, known);
    return known;
  };
  await readers.open(SLOT, { put: () => Promise.resolve() }, new Map());
  return {
    pull: async (wish = {}) => {
      const [slot] = opened;
      if (slot === undefined) throw new Error("the slot is not open");
      return consumers.pull(watched(slot.group(wish.group ?? "g")), requestOf(wish));
    },
    members: () => readers.names(SLOT),
    close: () => readers.close(SLOT, "handed-over"),
  };
};

const watchedGroup = (group: PullGroup, watch: NonNullable<PullsOptions["watch"]>): PullGroup => ({
  claim: (use) => {
    group.claim(use);
  },
  release: (use) => {
    group.release(use);
  },
  get isHeld() {
    return group.isHeld;
  },
  get reader() {
    const { reader } = group;
    return {
      ...reader,
      subscribe: (...[topic, options, handlers]: Parameters<typeof reader.subscribe>) =>
        watch(handlers, () => reader.subscribe(topic, options, handlers)),
    };
  },
});

const requestOf = ({
  owner = "account ann",
  topic = "orders",
  max = 10,
  waitMs = WAIT,
  from = "earliest",
  signal = new AbortController().signal,
}: Wish): PullRequest => ({ owner, topic, from, maxRecords: max, waitMs, signal });
