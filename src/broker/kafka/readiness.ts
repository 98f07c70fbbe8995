/** Could a record be stored now? */
import { GatewayError } from "../../errors.ts";
import type { AppendOutcome } from "../broker.ts";
import { settledWithin } from "./timeouts.ts";
import type { WireCluster } from "./wire-cluster.ts";

export interface Readiness {
  /** Takes what an append has come to. */
  settled(outcomes: readonly AppendOutcome[]): void;
  /** As `Broker.check`. */
  check(): Promise<void>;
}

/** Milliseconds for which a record that was stored is proof that another one can be. */
const PROOF_AGE = 1000;
/** Milliseconds that one broker has to answer: another one may while this one is frozen. */
const PATIENCE = 800;
const CHECK_TIMEOUT = 1900;

/** An append that has failed in part has waited for that: what it stored, it stored long ago. */
const isProof = (outcomes: readonly AppendOutcome[]): boolean =>
  outcomes.some(({ status }) => status === "stored") &&
  outcomes.every((outcome) => outcome.status === "stored" || outcome.error.outcome === "refused");

/** Asks the brokers only where nothing was stored just now. */
export const createReadiness = (cluster: Pick<WireCluster, "clusterId">): Readiness => {
  let storedAt = -Infinity;
  let asking: Promise<void> | undefined;

  const ask = (): Promise<void> =>
    settledWithin(CHECK_TIMEOUT, cluster.clusterId(PATIENCE))
      .then(
        () => undefined,
        (cause: unknown) => {
          throw new GatewayError("BROKER_UNAVAILABLE", { cause });
        },
      )
      .finally(() => {
        asking = undefined;
      });

  return {
    settled: (outcomes) => {
      if (isProof(outcomes)) storedAt = performance.now();
    },
    check: async () => {
      if (performance.now() - storedAt < PROOF_AGE) return;
      await (asking ??= ask());
    },
  };
};
