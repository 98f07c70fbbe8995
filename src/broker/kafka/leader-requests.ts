/** Requests that only the leader of a partition answers. */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import type { TopicPartition } from "../positions.ts";
import { settledWithin } from "./options.ts";
import type { Address, WireCluster } from "./wire-cluster.ts";

/** The partition may have another leader, or gets a leader soon. */
export class Misplaced extends Error {
  override readonly name = "Misplaced";
}

interface LeaderRequestOptions {
  /** Time of `performance.now()` until which a failed request is repeated. */
  readonly giveUpAt: number;
  /** True: the request is not repeated any more. */
  readonly isOver?: () => boolean;
}

/**
 * Runs the request at the partition's leader. Looks the leader up again and repeats the request after any error but a
 * GatewayError. Rejects with the request's GatewayError, with PARTITION_UNKNOWN, or with BROKER_UNAVAILABLE.
 */
export type LeaderRequests = <T>(
  of: TopicPartition,
  options: LeaderRequestOptions,
  request: (leader: Address) => Promise<T>,
) => Promise<T>;

type Leaders = Pick<WireCluster, "leaders" | "forget">;

const AGAIN_MS = 100;

/** Looks the leader up. Rejects with PARTITION_UNKNOWN, or with Misplaced if the partition has no leader now. */
const leaderOf = async (cluster: Leaders, { topic, partition }: TopicPartition): Promise<Address> => {
  let leaders = await cluster.leaders(topic);
  if (!(partition in leaders)) {
    cluster.forget(topic);
    leaders = await cluster.leaders(topic);
  }
  if (!(partition in leaders)) {
    cluster.forget(topic);
    throw new GatewayError("PARTITION_UNKNOWN");
  }
  const leader = leaders[partition];
  if (leader === undefined) throw new Misplaced("the partition has no leader");
  return leader;
};

export const createLeaderRequests =
  (cluster: Leaders): LeaderRequests =>
  async (of, { giveUpAt, isOver = () => false }, request) => {
    for (;;) {
      try {
        return await request(await settledWithin(giveUpAt - performance.now(), leaderOf(cluster, of)));
      } catch (error) {
        if (error instanceof GatewayError) throw error;
        cluster.forget(of.topic);
        if (isOver() || performance.now() + AGAIN_MS > giveUpAt)
          throw new GatewayError("BROKER_UNAVAILABLE", { cause: error });
      }
      await sleep(AGAIN_MS);
    }
  };
