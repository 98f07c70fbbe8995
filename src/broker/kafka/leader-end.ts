/**
 * `Broker.leaderEnd`: the end of the leader's log. Kafka answers a client (replica id -1) with the high watermark, and a
 * debugging client (-2) with the end of the log. With -2 a follower answers too, with its own end. So the leader is asked as
 * a client first. The second request names the leader epoch of that answer; a broker refuses an outdated epoch.
 */
import { type Connection, listOffsetsV5, ResponseError } from "./client-library.ts";
import { GatewayError } from "../../errors.ts";
import type { Broker } from "../broker.ts";
import { refusalOf } from "./coordinators.ts";
import { createLeaderRequests, Misplaced } from "./leader-requests.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import type { WireCluster } from "./wire-cluster.ts";

const CLIENT = -1;
const DEBUGGING_CLIENT = -2;
const READ_UNCOMMITTED = 0;
const LATEST = -1n;
const NO_EPOCH = -1;

const endFor = async (
  replica: number,
  via: Connection,
  { topic, partition, epoch }: { readonly topic: string; readonly partition: number; readonly epoch: number },
) => {
  const partitions = [{ partitionIndex: partition, currentLeaderEpoch: epoch, timestamp: LATEST }];
  const answer = await listOffsetsV5.api.async(via, replica, READ_UNCOMMITTED, [{ name: topic, partitions }]);
  const found = answer.topics[0]?.partitions[0];
  if (found === undefined) throw new Misplaced("no answer for the partition");
  return found;
};

export const createLeaderEnds = (
  { connectTimeout, requestTimeout }: Pick<KafkaOptions, "connectTimeout" | "requestTimeout">,
  cluster: WireCluster,
): Broker["leaderEnd"] => {
  const atLeader = createLeaderRequests(cluster);

  const bothEnds = async (via: Connection, topic: string, partition: number): Promise<bigint> => {
    const seen = await endFor(CLIENT, via, { topic, partition, epoch: NO_EPOCH });
    const written = await endFor(DEBUGGING_CLIENT, via, { topic, partition, epoch: seen.leaderEpoch });
    return written.offset > seen.offset ? written.offset : seen.offset;
  };

  return (topic, partition) => {
    const giveUpAt = performance.now() + requestTimeout;
    return atLeader({ topic, partition }, { giveUpAt }, async (leader) => {
      const via = await settledWithin(connectTimeout, cluster.to(leader));
      try {
        return await settledWithin(giveUpAt - performance.now(), bothEnds(via, topic, partition));
      } catch (error) {
        if (refusalOf(error) === "TOPIC_AUTHORIZATION_FAILED")
          throw new GatewayError("TOPIC_REFUSED", { cause: error });
        if (!(error instanceof ResponseError)) cluster.discard(via);
        throw error;
      }
    });
  };
};
