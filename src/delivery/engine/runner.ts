/**
 * Runs one delivery plan: subscribes to the topics that exist and delivers their records, until the runner is stopped or
 * the strategy stops it. It survives broker failures.
 */
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Tracing } from "../../observability/tracing/tracing.ts";
import { withAccessToken } from "./access-token/access-token.ts";
import { createCourier, type Courier } from "./courier.ts";
import { createDropping } from "./dead-letters.ts";
import { type DeliveryPlan, existingTopics, nextLookupMs } from "./delivery-plan.ts";
import { createHttpClient } from "./http-client/http-client.ts";
import type { Claim } from "./claims.ts";
import type { DeliveryObserver } from "./observer.ts";
import type { Progress } from "./progress.ts";
import { createReporting, reportingDrop } from "./reporting.ts";
import { openSession, type DeliverySession } from "./delivery-session.ts";
import type { Targets } from "./targets.ts";

export interface RunnerOptions {
  readonly broker: Broker;
  readonly plan: DeliveryPlan;
  readonly targets: Targets;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
  /** Shared by all runners of the process that use the same broker. */
  readonly progress: Progress;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  /** Absent: no spans. The trace context of the record is still sent. */
  readonly tracing?: Tracing | undefined;
  /** The strategy stopped the deliveries at a record. After a restart this record is the next. The caller must still call `stop`. */
  readonly onStopped: (trace: string) => void;
}

export interface Runner {
  readonly inFlight: number;
  /** Number of records that wait for the time of their next attempt. */
  readonly waiting: number;
  /** The partitions that are assigned to this member. */
  readonly claims: readonly Claim[];
  /** Starts no request until `resume`. Keeps the group membership and the positions. */
  pause(): void;
  resume(): void;
  /** As `close` of a delivery session. */
  stop(withinMs?: number): Promise<void>;
}

/** Waits between tries to reach the broker, in milliseconds. The last wait repeats. */
const AGAIN_MS = [500, 1000, 2000, 5000];

const sameTopics = (one: readonly string[], other: readonly string[]): boolean => one.join() === other.join();

/** Keeps a session open for the topics that exist. When these topics change, it closes the session and opens a new one. */
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
    return nextLookupMs(plan.topics, topics);
  };

  const recover = (error: unknown): number => {
    observer.fault(plan.name, asGatewayError(error));
    failures += 1;
    return AGAIN_MS[Math.min(failures, AGAIN_MS.length) - 1] ?? 0;
  };

  const checkTopics = async (): Promise<void> => {
    const ms = await subscribe().catch(recover);
    if (ms === undefined || closing) return;
    cancel = clock.after(ms, () => {
      checking = checkTopics();
    });
  };
  let checking = checkTopics();

  return {
    session: () => session,
    close: async (withinMs?: number) => {
      closing = true;
      cancel();
      await checking;
      await session?.close(withinMs);
    },
  };
};

export const createRunner = (options: RunnerOptions): Runner => {
  const { plan, clock, observer, targets } = options;
  const {
    connectTimeoutMs,
    readTimeoutMs,
    checkCertificate,
    transport: { tls, proxy, accessToken } = {},
  } = plan;
  const direct = createHttpClient({
    ...{ targets, clock, connectTimeoutMs, readTimeoutMs, checkCertificate, tls, proxy },
  });
  const client = accessToken === undefined ? direct : withAccessToken(direct, accessToken, clock);
  const report = createReporting(options);
  const courier = createCourier({
    ...options,
    client,
    drop: reportingDrop(createDropping(options), report),
    report,
    onStop: options.onStopped,
  });
  const subscriber = createSubscriber(options, courier);
  let stopping: Promise<void> | undefined;
  const stop = async (withinMs?: number): Promise<void> => {
    courier.halt();
    try {
      await subscriber.close(withinMs);
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
    stop: (withinMs) => (stopping ??= stop(withinMs)),
  };
};
