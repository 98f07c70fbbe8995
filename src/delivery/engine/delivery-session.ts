/**
 * One subscription of a delivery plan: it claims assigned partitions, passes records to the courier, pauses partitions
 * that hold too many records, commits offsets, and gives partitions up in order.
 */
import type {
  Broker,
  ConsumedRecord,
  Subscription,
  TopicPartition,
  TopicPartitionOffset,
} from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { atMost, type Clock, pause } from "../../lib/clock.ts";
import { type Claim, type Claims, createClaims, type Item } from "./claims.ts";
import { areStored, createCommitting, type Committing } from "./committing.ts";
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
  /**
   * Waits for the requests in flight, commits, and leaves the group, if possible within `withinMs` milliseconds (default: 10,000).
   * Until it has left, no other member gets the partitions.
   */
  close(withinMs?: number): Promise<void>;
}

/** How long requests in flight may delay a rebalance or a change, unless the caller names its time limit. */
const SETTLE_MS = 4000;
/** The time of a close without this is for requests in flight. The rest is for the last commit and for leaving the group. */
const LEAVE_MS = 6000;
/** The adapter's time limit without this is the engine's. */
const RESERVE_MS = 1000;
/** Milliseconds between two commits of a partition that is kept until its position is stored. */
const COMMIT_AGAIN_MS = 500;

/** Finished records after which a commit starts at once. If more requests may be in flight, their number counts. */
const MAX_UNCOMMITTED = 8;

interface SessionState extends SessionOptions {
  readonly held: Claims;
  readonly committing: Committing;
  readonly membership: Membership;
}

/** The broker may call the handlers before `subscribe` resolves. Until then there is no subscription. */
interface Membership {
  subscription: Subscription | undefined;
}

const notSubscribed = (): GatewayError =>
  new GatewayError("BROKER_UNAVAILABLE", { message: "Not subscribed yet" });

const createState = (options: SessionOptions): SessionState => {
  const { clock, observer, plan } = options;
  const membership: Membership = { subscription: undefined };
  const held = createClaims();
  const committing = createCommitting({
    clock,
    commit: (positions) => membership.subscription?.commit(positions) ?? Promise.reject(notSubscribed()),
    claims: () => held.all,
    maxUncommitted: Math.max(MAX_UNCOMMITTED, plan.inFlight * (plan.batching?.maxRecords ?? 1)),
    onError: (error) => {
      observer.fault(plan.name, error);
    },
  });
  return { ...options, membership, held, committing };
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

/** True if this claim, or an earlier claim on the partition, has finished the record. */
const isDone = ({ tracker, earlier }: Claim, { offset }: ConsumedRecord): boolean =>
  tracker.hasFinished(offset) || earlier?.hasFinished(offset) === true;

const withinEnds = (
  { plan: { ends } }: SessionState,
  records: readonly ConsumedRecord[],
): readonly ConsumedRecord[] =>
  ends === undefined
    ? records
    : records.filter(({ partition, offset }) => offset < (ends.get(partition) ?? 0n));

/** All records before this offset were read. If the plan has an end, only the offsets before the end count. */
const pass = ({ plan: { ends }, held, committing }: SessionState, position: TopicPartitionOffset): void => {
  const claim = held.get(position);
  const end = ends === undefined ? position.offset : (ends.get(position.partition) ?? 0n);
  const offset = position.offset < end ? position.offset : end;
  if (claim === undefined || claim.revoked || offset === 0n) return;
  claim.tracker.passed(offset - 1n);
  committing.dueLater();
};

const receive = (session: SessionState, records: readonly ConsumedRecord[]): void => {
  const { plan, held, courier, committing, progress } = session;
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
  pauseIfFull(session, claim);
  courier.go();
};

/** Before `subscribe` resolves there is nothing to pause; the next records check again. */
const pauseIfFull = ({ held, membership: { subscription } }: SessionState, claim: Claim): void => {
  if (subscription === undefined || claim.paused || !held.isFull(claim)) return;
  claim.paused = true;
  subscription.pause([claim]);
};

const finished = ({ held, committing, membership }: SessionState, claim: Claim): void => {
  committing.due();
  if (claim.paused && !claim.revoked && held.canBuffer(claim)) {
    claim.paused = false;
    membership.subscription?.resume([claim]);
  }
};

/** The group waits for these partitions: commits until their positions are stored, or another member may have them. */
const storePositions = async (
  { committing, clock }: SessionState,
  claims: readonly Claim[],
  until: number,
): Promise<void> => {
  const isOpen = (): boolean => {
    const current = claims.filter(({ ended }) => !ended);
    return !areStored(current) && clock.monotonic() < until;
  };
  while (isOpen()) {
    await pause(clock, COMMIT_AGAIN_MS);
    await committing.commit(claims);
  }
};

interface GiveUpLimits {
  /** Milliseconds after which the partitions are given up also with requests in flight. */
  readonly settleMs: number;
  /** Commits are repeated until the positions are stored, up to this time (`clock.monotonic`). Absent: there is one commit at the end. */
  readonly storeUntil?: number;
}

/** Sends no more records of the partitions. Requests in flight may still finish and be committed. */
const giveUp = async (
  session: SessionState,
  partitions: readonly TopicPartition[],
  { settleMs, storeUntil }: GiveUpLimits,
): Promise<void> => {
  const { held, courier, committing, clock, plan, progress } = session;
  const claims = partitions.flatMap((partition) => held.get(partition) ?? []);
  for (const claim of claims) {
    claim.revoked = true;
    courier.forget(claim);
  }
  // An adapter may not be able to wait, so commit what is finished before waiting for the requests in flight.
  const committed = committing.commit(claims);
  const settled = courier.settled(claims);
  await atMost(clock, settleMs, settled);
  await committed;
  await committing.commit(claims);
  if (storeUntil !== undefined) await storePositions(session, claims, storeUntil);
  for (const claim of claims) {
    claim.ended = true;
    if (held.get(claim) !== claim) continue;
    held.remove(claim);
    progress.keep(plan.group, claim);
  }
};

const revoke = (
  session: SessionState,
  partitions: readonly TopicPartition[],
  withinMs: number | undefined,
): Promise<void> => {
  if (withinMs === undefined) return giveUp(session, partitions, { settleMs: SETTLE_MS });
  const settleMs = withinMs - RESERVE_MS;
  return giveUp(session, partitions, { settleMs, storeUntil: session.clock.monotonic() + settleMs });
};

const claim = (session: SessionState, partitions: readonly TopicPartition[]): void => {
  const { held, courier, membership } = session;
  for (const partition of partitions) {
    const before = held.remove(partition);
    if (before !== undefined) {
      before.revoked = true;
      courier.forget(before);
    }
    held.add(partition, before, {
      onFinished: (one) => {
        finished(session, one);
      },
      isConfirmed: () => (membership.subscription?.silence ?? 0) <= 1,
    });
  }
};

/** Joins the plan's group. Rejects when the broker can't be reached. */
export const openSession = async (options: SessionOptions): Promise<DeliverySession> => {
  const { broker, plan, topics, observer, courier, progress } = options;
  const session = createState(options);
  const { held, committing, membership } = session;
  const subscription = await broker.subscribe(
    { group: plan.group, topics, from: plan.startAt ?? "earliest" },
    {
      onAssigned: (partitions) => {
        claim(session, partitions);
      },
      onStart: (position) => {
        const started = held.get(position);
        if (started !== undefined) progress.begin(plan.group, started, position);
      },
      onPassed: (position) => {
        pass(session, position);
      },
      onRecreated: (topic) => {
        progress.forget(plan.group, topic);
        courier.forgetTopic(topic);
      },
      onRevoked: (partitions, withinMs) => revoke(session, partitions, withinMs),
      onRecords: (records) => {
        receive(session, records);
      },
      onError: (error) => {
        observer.fault(plan.name, error);
      },
    },
  );
  membership.subscription = subscription;
  return {
    get claims() {
      return held.all;
    },
    close: async (withinMs = 0) => {
      await giveUp(session, held.all, { settleMs: Math.max(SETTLE_MS, withinMs - LEAVE_MS) });
      committing.close();
      await subscription.close();
    },
  };
};
