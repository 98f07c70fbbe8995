/** The requests of a KIP-848 member: ConsumerGroupHeartbeat, and OffsetCommit with a member epoch. */
import {
  apiVersionsV3,
  consumerGroupHeartbeatV1,
  type Connection,
  offsetCommitV9,
} from "../client-library.ts";
import { GatewayError } from "../../../errors.ts";
import type { CommitAnswer, MemberOfGeneration } from "../../groups.ts";
import type { GroupPosition } from "../../positions.ts";
import {
  type ConnectionPool,
  type Coordinators,
  createConnectionPool,
  createCoordinators,
  refusalOf,
} from "../coordinators.ts";
import { answering, ENDED, NOT_CURRENT } from "../group-answers.ts";
import { createCommit } from "../member-commits.ts";
import type { KafkaOptions } from "../options.ts";
import type { WireCluster } from "../wire-cluster.ts";

export interface TopicIdPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export interface ConsumerHeartbeat {
  readonly group: string;
  readonly memberId: string;
  /** 0: joins. */
  readonly epoch: number;
  readonly topics: readonly string[];
  /** Milliseconds in which the member ends partitions that the group revokes. */
  readonly rebalanceTimeout: number;
  /** The partitions that the member has. */
  readonly held: readonly TopicIdPartitions[];
}

export interface MemberAnswer {
  readonly status: "member";
  readonly epoch: number;
  /** Milliseconds until the next heartbeat. */
  readonly interval: number;
  readonly assignment: readonly TopicIdPartitions[];
}

/** `lost`: the group has given the member's partitions to others. It can only join again. */
export type HeartbeatAnswer = MemberAnswer | { readonly status: "lost" };

/** All requests reject with BROKER_UNAVAILABLE, or with GROUP_REFUSED if Kafka refuses them for good. */
export interface ConsumerGroupRequests {
  heartbeat(request: ConsumerHeartbeat): Promise<HeartbeatAnswer>;
  /** `rebalancing`: the member has a newer epoch, which the answer to its next heartbeat has. */
  commit(member: MemberOfGeneration, positions: readonly GroupPosition[]): Promise<CommitAnswer>;
  leave(group: string, memberId: string): Promise<void>;
  /**
   * False: the cluster does not have KIP-848, or has it switched off. `group`: any group that the gateway may read. Rejects if no
   * broker answers.
   */
  areSupported(group: string): Promise<boolean>;
  close(): Promise<void>;
}

const HEARTBEAT_API = 68;
const HEARTBEAT_VERSION = 1;
const LEAVING = -1;
/** Only static members have an instance id. */
const NO_INSTANCE = null;
const NO_RACK = null;
const NO_PATTERN = null;
const BROKERS_CHOICE = null;
/** As in `member-commits.ts`. */
const COMMITTERS = 4;

const LOST = [...ENDED, "FENCED_MEMBER_EPOCH"];

const send = (
  connection: Connection,
  { group, memberId, epoch, rebalanceTimeout, topics, held }: ConsumerHeartbeat,
) =>
  consumerGroupHeartbeatV1.api.async(
    connection,
    group,
    memberId,
    epoch,
    NO_INSTANCE,
    NO_RACK,
    rebalanceTimeout,
    [...topics],
    NO_PATTERN,
    BROKERS_CHOICE,
    held.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] })),
  );

const createHeartbeat = (coordinators: Coordinators, pool: ConnectionPool) => {
  const ask = (request: ConsumerHeartbeat) =>
    coordinators.ask(request.group, (coordinator, timeoutMs) =>
      pool.use(coordinator, timeoutMs, (connection) => send(connection, request)),
    );

  const heartbeat: ConsumerGroupRequests["heartbeat"] = (request) =>
    ask(request).then(
      ({ memberEpoch: epoch, heartbeatIntervalMs: interval, assignment }): HeartbeatAnswer => ({
        ...{ status: "member", epoch, interval },
        assignment: assignment?.topicPartitions ?? [],
      }),
      (error: unknown) => {
        // The group has classic members, and the cluster does not convert it.
        if (request.epoch === 0 && ENDED.includes(refusalOf(error)))
          throw new GatewayError("GROUP_REFUSED", { cause: refusalOf(error) });
        return answering<HeartbeatAnswer>([[LOST, { status: "lost" }]])(error);
      },
    );

  const leave = (group: string, memberId: string) =>
    ask({ group, memberId, epoch: LEAVING, topics: [], rebalanceTimeout: -1, held: [] });
  return { heartbeat, leave };
};

export const createConsumerGroupRequests = (
  options: KafkaOptions,
  cluster: WireCluster,
): ConsumerGroupRequests => {
  const coordinators = createCoordinators(options, cluster);
  // A heartbeat must not wait for a commit.
  const heartbeats = createConnectionPool(options, 1);
  const committers = createConnectionPool(options, COMMITTERS);
  const { heartbeat, leave } = createHeartbeat(coordinators, heartbeats);
  const commit = createCommit({
    ...{ api: offsetCommitV9.api, coordinators, pool: committers },
    answers: [
      [["STALE_MEMBER_EPOCH"], "rebalancing"],
      [NOT_CURRENT, "refused"],
    ],
  });

  return {
    heartbeat,
    commit,
    leave: async (group, memberId) => {
      await leave(group, memberId).catch(() => undefined);
      coordinators.forget(group);
    },
    areSupported: async (group) => {
      const versions = await cluster.ask((via) => apiVersionsV3.api.async(via, options.clientId, "1"));
      const version = versions.apiKeys.find(({ apiKey }) => apiKey === HEARTBEAT_API)?.maxVersion;
      if (version === undefined || version < HEARTBEAT_VERSION) return false;
      // The version is listed also if the feature `group.version` is off.
      const refusal = await leave(group, "stationgate-has-no-such-member").then(
        () => "",
        (error: unknown) => {
          if (refusalOf(error) === "") throw error;
          return refusalOf(error);
        },
      );
      return refusal !== "UNSUPPORTED_VERSION";
    },
    close: async () => {
      await Promise.all([heartbeats.close(), committers.close()]);
    },
  };
};
