/**
 * One running stream of deliveries: subscribes to the topics that exist, carries their records, and goes on through
 * whatever the broker does, until it is stopped or its strategy stops it.
 */
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Tracing } from "../../observability/tracing/tracing.ts";
import { createCourier, type Courier } from "./courier.ts";
import { createDropping } from "./dead-letters.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import { createHttpClient } from "./http-client/http-client.ts";
import type { Claim } from "./claims.ts";
import type { DeliveryObserver } from "./observer.ts";
import type { Progress } from "./progress.ts";
import { openSession, type DeliverySession } from "./delivery-session.ts";
import type { Targets } from "./targets.ts";
import { existingTopics, lookAgainMs } from "./topic-selection.ts";

export interface RunnerOptions {
  readonly broker: Broker;
  readonly plan: DeliveryPlan;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
  /** Of all runners of the process that share the broker. */
  readonly progress: Progress;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Absent: no spans; a record's own trace goes on all the same. */
  readonly tracing?: Tracing | undefined;
  /** The strategy stopped the deliveries at a record, which is the next one after a restart. `stop` is still to be called. */
  readonly onStopped: (trace: string) => void;
}

export interface Runner {
  readonly inFlight: number;
  /** Records that wait for the time of an attempt. */
  readonly waiting: number;
  /** The partitions that are this member's. */
  readonly claims: readonly Claim[];
  /** No request from now on, until `resume`; membership and positions are kept. */
  pause(): void;
  resume(): void;
  /** Lets what is in flight come to its end (a bounded time), commits, leaves the group. */
  stop(): Promise<void>;
}

/** Waits between tries to reach the broker; the last one repeats. */
const AGAIN_MS = [500, 1000, 2000, 5000];

const sameTopics = (one: readonly string[], other: readonly string[]): boolean => one.join() === other.join();

/** Keeps one session open on the topics that exist, and opens another when they change. */
const createSubscriber = (options: RunnerOptions, courier: Courier) => {
  const { broker, plan, clock, observer, progress } = options;
  let session: DeliverySession | undefined;
  let subscribed: readonly string[] = [];
  let closing = false;
  let failures = 0;
  let cancel = (): void => undefined;

  const subscribe = async (): Promise<number | undefined> => {
    const topics = await existingTopics(broker, plan.topics);
    if (!sameTopics(topics, subscribed)) {
      await session?.close();
      session = undefined;
      subscribed = [];
      if (topics.length > 0) {
        session = await openSession({ broker, plan, topics, courier, clock, observer, progress });
        subscribed = topics;
      }
    }
    failures = 0;
    return lookAgainMs(plan.topics, topics);
  };

  const recover = (error: unknown): number => {
    observer.fault(plan.name, asGatewayError(error));
    failures += 1;
    return AGAIN_MS[Math.min(failures, AGAIN_MS.length) - 1] ?? 0;
  };

  const look = async (): Promise<void> => {
    const ms = await subscribe().catch(recover);
    if (ms === undefined || closing) return;
    cancel = clock.after(ms, () => {
      looking = look();
    });
  };
  let looking = look();

  return {
    session: () => session,
    close: async () => {
      closing = true;
      cancel();
      await looking;
      await session?.close();
    },
  };
};

export const createRunner = (options: RunnerOptions): Runner => {
  const { plan, clock, observer, targets } = options;
  const { connectTimeoutMs, readTimeoutMs, checkCertificate } = plan;
  const client = createHttpClient({
    targets,
    clock,
    connectTimeoutMs,
    readTimeoutMs,
    checkCertificate,
  });
  const courier = createCourier({
    ...options,
    client,
    drop: createDropping(options),
    onStop: options.onStopped,
  });
  const subscriber = createSubscriber(options, courier);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    courier.halt();
    try {
      await subscriber.close();
    } catch (error) {
      observer.fault(plan.name, asGatewayError(error));
    }
    await client.close();
  };
  return {
    get inFlight() {
      return courier.inFlight;
    },
    get waiting() {
      return courier.waiting;
    },
    get claims() {
      return subscriber.session()?.claims ?? [];
    },
    pause: () => {
      courier.pause();
    },
    resume: () => {
      courier.resume();
    },
    stop: () => (stopping ??= stop()),
  };
};
