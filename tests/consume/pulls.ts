/** Pull consumers with a given clock, and requests to them. */
import type { Broker } from "../../src/broker/broker.ts";
import {
  createPullConsumers,
  type PullConsumers,
  type PullConsumersOptions,
} from "../../src/consume/consume.ts";
import type { PullRequest } from "../../src/consume/waiting-pull.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";

export const WAIT = 5000;
export const IDLE = 30_000;
export const JOIN = 10_000;
const MEMORY = 16 << 20;

export const pullConsumersOn = (
  broker: Pick<Broker, "subscribe">,
  clock: Clock,
  more: Partial<PullConsumersOptions> = {},
): PullConsumers =>
  createPullConsumers({
    broker,
    clock,
    idleMs: IDLE,
    joinMs: JOIN,
    maxMembers: 10,
    maxPullsPerOwner: 10,
    memory: createMemoryBudget(MEMORY),
    toText: ({ value }) => value ?? Buffer.alloc(0),
    onError: () => undefined,
    ...more,
  });

export interface Wish {
  readonly owner?: string;
  readonly group?: string;
  readonly consumer?: string;
  readonly topic?: string;
  readonly max?: number;
  readonly waitMs?: number;
  readonly from?: "earliest" | "latest";
  readonly signal?: AbortSignal;
}

export const requestOf = ({
  owner = "account ann",
  group = "g",
  consumer = "c",
  topic = "orders",
  max = 10,
  waitMs = WAIT,
  from = "earliest",
  signal = new AbortController().signal,
}: Wish): PullRequest => ({ owner, group, consumer, topic, from, maxRecords: max, waitMs, signal });
