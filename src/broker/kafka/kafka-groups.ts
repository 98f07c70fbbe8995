/** `Broker.groups` on Kafka: one request of the classic group protocol for each method, in the versions of Kafka 2.5. */
import { type Connection, heartbeatV4, joinGroupV7, ResponseError, syncGroupV5 } from "./client-library.ts";
import type { Groups, HeartbeatAnswer, JoinAnswer, JoinRequest, SyncAnswer } from "../groups.ts";
import {
  type Coordinators,
  createConnectionPool,
  createCoordinators,
  createLeases,
  type Leases,
  refusalOf,
} from "./coordinators.ts";
import { answering, ENDED, OUTDATED, REBALANCING } from "./group-answers.ts";
import { createMemberCommits } from "./member-commits.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import type { Address, WireCluster } from "./wire-cluster.ts";

export interface KafkaGroups extends Groups {
  /** Fails the requests in flight, and all later ones. Doesn't close the cluster. */
  close(): Promise<void>;
}

type JoinGroupResponse = Awaited<ReturnType<typeof joinGroupV7.api.async>>;

const PROTOCOL_TYPE = "consumer";
/** Only static members have an instance id. */
const NO_INSTANCE = null;

const joinedOf = ({
  memberId,
  generationId,
  protocolName,
  leader,
  members,
}: JoinGroupResponse): JoinAnswer => ({
  status: "joined",
  memberId: memberId ?? "",
  generation: generationId,
  protocol: protocolName ?? "",
  leader: leader === memberId,
  members: members.map((member) => ({
    memberId: member.memberId,
    metadata: Buffer.from(member.metadata ?? []),
  })),
});

const ended = { status: "ended" } as const;
const rebalancing = { status: "rebalancing" } as const;

/** Kafka answers a join or sync only when the group is ready. Until then it answers no later request of the connection. */
interface WaitingParts {
  readonly coordinators: Coordinators;
  readonly leases: Leases;
  readonly requestTimeout: number;
}

const joinOn = (
  connection: Connection,
  { group, memberId, protocols, sessionTimeout, rebalanceTimeout }: JoinRequest,
): Promise<JoinGroupResponse> =>
  joinGroupV7.api.async(
    connection,
    group,
    sessionTimeout,
    rebalanceTimeout,
    memberId,
    NO_INSTANCE,
    PROTOCOL_TYPE,
    [...protocols],
  );

/**
 * Kafka answers the first request of a new member at once with the member's id, and the member belongs to the group from then
 * on. So an abort applies only to the second request, which has this id. If the second request is aborted, the member leaves
 * the group with this id. Otherwise the group would wait for the member until its session ends.
 */
const createJoin = (
  { coordinators, leases, requestTimeout }: WaitingParts,
  leave: Groups["leave"],
): Groups["join"] => {
  const newMemberId = (coordinator: Address, timeoutMs: number, request: JoinRequest): Promise<string> =>
    leases.use(coordinator, { timeoutMs }, (connection) =>
      settledWithin(timeoutMs, joinOn(connection, request)).then(
        ({ memberId }) => memberId ?? "",
        (error: unknown) => {
          if (refusalOf(error) !== "MEMBER_ID_REQUIRED" || !(error instanceof ResponseError)) throw error;
          return (error["response"] as JoinGroupResponse).memberId ?? "";
        },
      ),
    );

  const join = async (
    coordinator: Address,
    timeoutMs: number,
    { request, signal }: { readonly request: JoinRequest; readonly signal: AbortSignal },
  ): Promise<JoinGroupResponse> => {
    signal.throwIfAborted();
    const isNew = request.memberId === "";
    const memberId = isNew ? await newMemberId(coordinator, timeoutMs, request) : request.memberId;
    try {
      return await leases.use(coordinator, { timeoutMs, signal }, (connection) =>
        settledWithin(
          request.rebalanceTimeout + requestTimeout,
          joinOn(connection, { ...request, memberId }),
        ),
      );
    } catch (error) {
      if (isNew && !(error instanceof ResponseError))
        await leave(request.group, memberId).catch(() => undefined);
      throw error;
    }
  };

  return (request, signal) =>
    coordinators
      .ask(request.group, (coordinator, timeoutMs) => join(coordinator, timeoutMs, { request, signal }))
      .then(joinedOf, answering<JoinAnswer>([[ENDED, ended]]));
};

const createSync =
  ({ coordinators, leases }: WaitingParts): Groups["sync"] =>
  ({ group, memberId, generation, protocol }, assignments, signal) =>
    coordinators
      .ask(group, (coordinator, timeoutMs) =>
        leases.use(coordinator, { timeoutMs, signal }, (connection) =>
          settledWithin(
            timeoutMs,
            syncGroupV5.api.async(
              connection,
              group,
              generation,
              memberId,
              NO_INSTANCE,
              PROTOCOL_TYPE,
              protocol,
              [...assignments],
            ),
          ),
        ),
      )
      .then(
        ({ assignment }): SyncAnswer => ({ status: "assigned", assignment: Buffer.from(assignment) }),
        answering<SyncAnswer>([
          [ENDED, ended],
          [[...OUTDATED, ...REBALANCING], rebalancing],
        ]),
      );

/** Connects with the first request. */
export const createKafkaGroups = (options: KafkaOptions, cluster: WireCluster): KafkaGroups => {
  const coordinators = createCoordinators(options, cluster);
  const leases = createLeases(options);
  const waiting = { coordinators, leases, requestTimeout: options.requestTimeout };
  // Heartbeats have their own connection to each coordinator, because a heartbeat must not wait for a commit.
  const heartbeats = createConnectionPool(options, 1);
  const commits = createMemberCommits(options, coordinators);

  return {
    join: createJoin(waiting, commits.leave),
    sync: createSync(waiting),
    heartbeat: ({ group, memberId, generation }) =>
      coordinators
        .ask(group, (coordinator, timeoutMs) =>
          heartbeats.use(coordinator, timeoutMs, (connection) =>
            heartbeatV4.api.async(connection, group, generation, memberId, NO_INSTANCE),
          ),
        )
        .then(
          (): HeartbeatAnswer => "stable",
          answering<HeartbeatAnswer>([
            [REBALANCING, "rebalancing"],
            [OUTDATED, "outdated"],
            [ENDED, "ended"],
          ]),
        ),
    commit: commits.commit,
    leave: commits.leave,
    close: async () => {
      leases.close();
      await Promise.all([heartbeats.close(), commits.close()]);
    },
  };
};
