/** One subscription and what hangs on it: claims on partitions, back-pressure, commits, giving partitions up in order. */
import type {
  Broker,
  ConsumedRecord,
  Subscription,
  TopicPartition,
  TopicPartitionOffset,
} from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { type Claim, type Claims, createClaims, type Item } from "./claims.ts";
import { createCommitting, type Committing } from "./committing.ts";
import type { Courier } from "./courier.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { DeliveryObserver } from "./observer.ts";
import type { Progress } from "./progress.ts";
import { FIRST_ATTEMPT } from "./strategy.ts";

export interface SessionOptions {
  readonly broker: Broker;
  readonly plan: DeliveryPlan;
  readonly topics: readonly string[];
  readonly courier: Courier;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
  readonly progress: Progress;
}

export interface DeliverySession {
  readonly claims: readonly Claim[];
  /** Lets what is in flight come to its end (a bounded time), commits and leaves the group. */
  close(): Promise<void>;
}

/** How long requests in flight may hold up a rebalance, a stop or a change. Less than the adapters' own patience. */
const SETTLE_MS = 4000;

/** Finished records whose end isn't stored; more where more requests are in flight. */
const MOST_UNSTORED = 8;

interface SessionState extends SessionOptions {
  readonly held: Claims;
  readonly committing: Committing;
  subscription: Subscription;
}

/** Stands in until `subscribe` has resolved; records may come before that, and what they ask for is asked again. */
const NOT_YET: Subscription = {
  assignment: [],
  silence: 0,
  pause: () => undefined,
  resume: () => undefined,
  seek: () => undefined,
  commit: () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE", { message: "Not subscribed yet" })),
  close: () => Promise.resolve(),
};

const itemOf = ({ plan, clock }: SessionState, claim: Claim, record: ConsumedRecord): Item => {
  const since = record.timestamp > 0 ? record.timestamp : clock.now();
  return {
    record,
    claim,
    notBefore: plan.delayMs === 0 ? 0 : since + plan.delayMs,
    attempts: 0,
    retry: FIRST_ATTEMPT,
    lastStatus: undefined,
    lastError: undefined,
  };
};

/** An earlier claim on the partition was through with it. */
const isDone = ({ tracker, earlier }: Claim, { offset }: ConsumedRecord): boolean =>
  tracker.hasFinished(offset) || earlier?.hasFinished(offset) === true;

const withinEnds = (
  { plan: { ends } }: SessionState,
  records: readonly ConsumedRecord[],
): readonly ConsumedRecord[] =>
  ends === undefined
    ? records
    : records.filter(({ partition, offset }) => offset < (ends.get(partition) ?? 0n));

/** Everything before this offset has been read; a plan that ends is through with its own part of it. */
const pass = ({ plan: { ends }, held, committing }: SessionState, position: TopicPartitionOffset): void => {
  const claim = held.get(position);
  const end = ends === undefined ? position.offset : (ends.get(position.partition) ?? 0n);
  const offset = position.offset < end ? position.offset : end;
  if (claim === undefined || claim.revoked || offset === 0n) return;
  claim.tracker.passed(offset - 1n);
  committing.dueLater();
};

const receive = (session: SessionState, records: readonly ConsumedRecord[]): void => {
  const { plan, held, courier, committing, subscription, progress } = session;
  const [first] = records;
  const claim = first === undefined ? undefined : held.get(first);
  if (claim === undefined || claim.revoked) return;
  if (!claim.begun) progress.begin(plan.group, claim, undefined);
  const wanted = withinEnds(session, records);
  for (const record of wanted) {
    if (isDone(claim, record) || plan.endpoint.concerns?.(record) === false) {
      claim.tracker.passed(record.offset);
      committing.dueLater();
      continue;
    }
    held.received(claim, record);
    courier.add(itemOf(session, claim, record));
  }
  const [beyond] = records.slice(wanted.length);
  if (beyond !== undefined) pass(session, beyond);
  if (!claim.paused && held.isFull(claim)) {
    claim.paused = true;
    subscription.pause([claim]);
  }
  courier.go();
};

const finished = ({ held, committing, subscription }: SessionState, claim: Claim): void => {
  committing.due();
  if (claim.paused && !claim.revoked && held.hasRoom(claim)) {
    claim.paused = false;
    subscription.resume([claim]);
  }
};

/** Nothing of them is sent from now on; what is in flight may still end well and be committed. */
const surrender = async (session: SessionState, partitions: readonly TopicPartition[]): Promise<void> => {
  const { held, courier, committing, clock, plan, progress } = session;
  const claims = partitions.flatMap((partition) => held.get(partition) ?? []);
  for (const claim of claims) {
    claim.revoked = true;
    courier.forget(claim);
  }
  // An adapter may not be able to wait: what is finished by now is stored before what is in flight is waited for.
  const committed = committing.commit(claims);
  let cancel = (): void => undefined;
  const patience = new Promise<void>((resolve) => {
    cancel = clock.after(SETTLE_MS, resolve);
  });
  await Promise.race([courier.settled(claims), patience]);
  cancel();
  await committed;
  await committing.commit(claims);
  for (const claim of claims) {
    claim.ended = true;
    if (held.get(claim) !== claim) continue;
    held.give(claim);
    progress.keep(plan.group, claim);
  }
};

const take = ({ held, courier }: SessionState, partitions: readonly TopicPartition[]): void => {
  for (const partition of partitions) {
    const before = held.give(partition);
    if (before !== undefined) {
      before.revoked = true;
      courier.forget(before);
    }
    held.take(partition, before);
  }
};

/** Joins the plan's group. Rejects when the broker can't be reached. */
export const openSession = async (options: SessionOptions): Promise<DeliverySession> => {
  const { broker, plan, topics, clock, observer, courier, progress } = options;
  const held = createClaims({
    onFinished: (claim) => {
      finished(session, claim);
    },
    isConfirmed: () => session.subscription.silence <= 1,
  });
  const onError = (error: GatewayError): void => {
    observer.fault(plan.name, error);
  };
  const session: SessionState = {
    ...options,
    held,
    committing: createCommitting({
      clock,
      subscription: () => session.subscription,
      claims: () => held.all,
      most: Math.max(MOST_UNSTORED, plan.inFlight),
      onError,
    }),
    subscription: NOT_YET,
  };
  session.subscription = await broker.subscribe(
    { group: plan.group, topics, from: "earliest" },
    {
      onAssigned: (partitions) => {
        take(session, partitions);
      },
      onStart: (position) => {
        const claim = held.get(position);
        if (claim !== undefined) progress.begin(plan.group, claim, position);
      },
      onPassed: (position) => {
        pass(session, position);
      },
      onRecreated: (topic) => {
        progress.forget(plan.group, topic);
        courier.forgetTopic(topic);
      },
      onRevoked: (partitions) => surrender(session, partitions),
      onRecords: (records) => {
        receive(session, records);
      },
      onError,
    },
  );
  return {
    get claims() {
      return held.all;
    },
    close: async () => {
      await surrender(session, held.all);
      session.committing.close();
      await session.subscription.close();
    },
  };
};
