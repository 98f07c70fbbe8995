/**
 * Membership in consumer groups: a method for each request of Kafka's classic group protocol. `Broker.subscribe` joins a
 * group and reads. A caller of this interface decides itself what its membership contains, how the partitions are assigned,
 * and under which generation it commits.
 *
 * The protocol type is always "consumer". `consumer-protocol.ts` encodes the metadata and the assignments, so that Kafka's own
 * tools can read them.
 */
import type { GroupPosition } from "./positions.ts";

/** An assignor that the member supports, and what the member tells the group's leader with it. */
export interface GroupProtocol {
  readonly name: string;
  /** As `encodeSubscription` writes it. Kafka decodes it too, and never answers a join whose metadata it can't decode. */
  readonly metadata: Buffer;
}

/** Times in milliseconds. */
export interface JoinRequest {
  readonly group: string;
  /** Empty for a new member. */
  readonly memberId: string;
  /** In order of preference. All members of a group must have one in common. */
  readonly protocols: readonly GroupProtocol[];
  /** The group removes the member after this time without a heartbeat. */
  readonly sessionTimeout: number;
  /** Maximum time that a rebalance waits for the member to join again. The group removes a member that has not joined by then. */
  readonly rebalanceTimeout: number;
}

export interface JoinedMember {
  readonly memberId: string;
  /** The member's metadata of the chosen protocol. */
  readonly metadata: Buffer;
}

export interface MemberOfGeneration {
  readonly group: string;
  readonly memberId: string;
  readonly generation: number;
}

export interface SyncRequest extends MemberOfGeneration {
  /** The protocol that the group has chosen. */
  readonly protocol: string;
}

export interface Joined {
  readonly status: "joined";
  readonly memberId: string;
  readonly generation: number;
  /** The name of the protocol that the group has chosen. */
  readonly protocol: string;
  readonly leader: boolean;
  /** All members; empty if this member is not the leader. */
  readonly members: readonly JoinedMember[];
}

/** The group doesn't know the member id. The member can only join again as a new member. */
interface Ended {
  readonly status: "ended";
}

export type JoinAnswer = Joined | Ended;

export type SyncAnswer =
  | Ended
  | {
      readonly status: "assigned";
      /** Empty if the leader has named no assignment for this member. */
      readonly assignment: Buffer;
    }
  /** A newer generation exists or is being formed. The member must join again, with its member id. */
  | { readonly status: "rebalancing" };

/**
 * - `stable`: the generation is the group's current one.
 * - `rebalancing`: a rebalance has begun. The member must join again. Its generation is still the current one.
 * - `outdated`: the group knows the member but has a newer generation. The answer to the member's own join may still be in
 *   flight. If no join is in flight, the member must join again.
 * - `ended`: the group doesn't know the member.
 */
export type HeartbeatAnswer = "stable" | "rebalancing" | "outdated" | "ended";

/**
 * - `stored`: all positions are stored.
 * - `rebalancing`: nothing is stored, because the assignment of this generation is not made yet.
 * - `refused`: nothing is stored, because the group doesn't know the member, or has a newer generation.
 */
export type CommitAnswer = "stored" | "rebalancing" | "refused";

export interface MemberAssignment {
  readonly memberId: string;
  readonly assignment: Buffer;
}

/**
 * All methods reject with BROKER_UNAVAILABLE if there is no answer within the request timeout; the group may have executed the
 * request. They reject with GROUP_REFUSED if Kafka refuses the request for good, for example because the session timeout is
 * outside Kafka's limits, or because the members have no protocol in common. `cause` is Kafka's name of the error.
 */
export interface Groups {
  /**
   * Resolves when all members have joined or the rebalance timeout is over. The time limit of this request is the rebalance
   * timeout plus the request timeout. An abort rejects with BROKER_UNAVAILABLE. A member that joined without a
   * member id has left the group then; a member that joined with one may still be in it.
   */
  join(request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer>;
  /**
   * The leader passes the assignments of all members. Every other member passes an empty list, and waits for its assignment
   * until the request timeout; it may call `sync` again. An abort rejects with BROKER_UNAVAILABLE; the
   * group may still have the member.
   */
  sync(
    member: SyncRequest,
    assignments: readonly MemberAssignment[],
    signal: AbortSignal,
  ): Promise<SyncAnswer>;
  /** Never waits for a join or sync, not even for a join or sync of the same member. */
  heartbeat(member: MemberOfGeneration): Promise<HeartbeatAnswer>;
  /** Also resolves if the group doesn't know the member. */
  leave(group: string, memberId: string): Promise<void>;
  /**
   * Stores positions under this member id and generation only; no fault makes the adapter use another generation. Commits of
   * one group are sent one after the other. Rejects with PARTITION_UNKNOWN if a partition doesn't exist; the positions of
   * the other partitions are stored then. BROKER_UNAVAILABLE: the positions may be stored.
   */
  commit(member: MemberOfGeneration, positions: readonly GroupPosition[]): Promise<CommitAnswer>;
}
