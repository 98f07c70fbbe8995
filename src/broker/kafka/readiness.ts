/** Whether Kafka can store a record now. */
import { GatewayError } from "../../errors.ts";
import type { AppendOutcome } from "../broker.ts";
import { asUnavailable, settledWithin } from "./options.ts";
import type { WireCluster } from "./wire-cluster.ts";

export interface Readiness {
  /** Takes the outcomes of an append. */
  settled(outcomes: readonly AppendOutcome[]): void;
  /** As `Broker.check`. */
  check(asks?: boolean): Promise<void>;
  /**
   * True: most brokers of the cluster were away a moment ago, so that an append would only wait for its timeout. Never true for a
   * cluster of one or two brokers, because there a restart of one broker looks the same. Follows `start`.
   */
  isLost(): boolean;
  /** From now on asks the brokers each second in which no record is stored. */
  start(): void;
  stop(): void;
}

/** Milliseconds for which a stored record proves that the broker can store another one. */
const PROOF_AGE = 1000;
/** Milliseconds until the next broker is asked: one broker may be frozen while the others work. */
const ANSWER_TIMEOUT = 800;
const CHECK_TIMEOUT = 1900;
/** Milliseconds between two questions in the background, and for which an answer counts. */
const ASK_EACH = 1000;
const LOST_AGE = ASK_EACH + CHECK_TIMEOUT;
const SMALLEST_CLUSTER = 3;

/**
 * An append is a proof if it stored a record and all its failures are refusals. Any other failure means that the append ended
 * with a timeout. Its stored records may then be older than `PROOF_AGE`.
 */
const isProof = (outcomes: readonly AppendOutcome[]): boolean =>
  outcomes.some(({ status }) => status === "stored") &&
  outcomes.every((outcome) => outcome.status === "stored" || outcome.error.outcome === "refused");

/** Asks the brokers only if no record was stored in the last `PROOF_AGE` milliseconds, or if `check` demands it. */
export const createReadiness = (cluster: Pick<WireCluster, "reach">): Readiness => {
  let storedAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let lostAt = -Infinity;
  let asking: Promise<void> | undefined;

  /** With most of its brokers away, a cluster elects no leaders, and its metadata still names the brokers that are away. */
  const reach = async (): Promise<void> => {
    const { known, reached, failure } = await settledWithin(CHECK_TIMEOUT, cluster.reach(ANSWER_TIMEOUT));
    if (reached > 0 && (known < SMALLEST_CLUSTER || reached * 2 > known)) return;
    if (known >= SMALLEST_CLUSTER) lostAt = performance.now();
    const cause = failure ?? `${reached} of ${known} brokers can be reached`;
    throw new GatewayError("BROKER_UNAVAILABLE", { cause });
  };

  const ask = (): Promise<void> =>
    reach()
      .then(() => {
        lostAt = -Infinity;
      }, asUnavailable)
      .finally(() => {
        asking = undefined;
      });

  const isProven = (): boolean => performance.now() - storedAt < PROOF_AGE;

  return {
    settled: (outcomes) => {
      if (isProof(outcomes)) storedAt = performance.now();
    },
    check: async (asks = false) => {
      if (!asks && isProven()) return;
      await (asking ??= ask());
    },
    isLost: () => performance.now() - lostAt < LOST_AGE && !isProven(),
    start: () => {
      timer ??= setInterval(() => {
        if (!isProven()) (asking ??= ask()).catch(() => undefined);
      }, ASK_EACH).unref();
    },
    stop: () => {
      clearInterval(timer);
    },
  };
};
