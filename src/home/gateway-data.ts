/** What the processes of the gateway group tell each other through Kafka: members about themselves, the leader about slots. */
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../broker/consumer-protocol.ts";
import type { JoinedMember, MemberAssignment } from "../broker/groups.ts";
import { assign, type MemberData, type SlotAssignment } from "./assignment.ts";
import type { Peer } from "./peers/peers.ts";

/** The assignor's name. A process with another format of its data must use another name. */
export const ASSIGNOR = "stationgate-slots";

/** The holder of a slot, and the process that gets it next. */
export interface SlotHolders {
  readonly holder: Peer | undefined;
  readonly next: Peer | undefined;
}

interface AssignmentData {
  readonly peers: readonly Peer[];
  /** For each slot the holder and the next holder, as indexes of `peers`; -1: none. */
  readonly slots: readonly (readonly [number, number])[];
}

/** undefined: not JSON. The fields are not validated: a client that can join the group can write to the topic too. */
const parse = (bytes: Buffer | undefined): unknown => {
  try {
    return bytes && JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
};

export const encodeMember = (topic: string, member: MemberData): Buffer =>
  encodeSubscription({ topics: [topic], userData: Buffer.from(JSON.stringify(member)) });

/** The leader's part: the assignment of each member. All members get the whole division. */
export const assignMembers = (
  topic: string,
  slots: number,
  members: readonly JoinedMember[],
): readonly MemberAssignment[] => {
  const known = members.map(({ memberId, metadata }) => ({
    memberId,
    data: parse(decodeSubscription(metadata)?.userData) as MemberData | undefined,
  }));
  const datas = known.flatMap(({ data }) => (data === undefined ? [] : [data]));
  const division = assign(datas, slots);
  const indexOf = (id: string | undefined): number => datas.findIndex((data) => data.id === id);
  const userData = Buffer.from(
    JSON.stringify({
      peers: datas.map(({ id, address }) => ({ id, address })),
      slots: division.map(({ holder, next }) => [indexOf(holder), indexOf(next)] as const),
    } satisfies AssignmentData),
  );
  return known.map(({ memberId, data }) => ({
    memberId,
    assignment: encodeAssignment({ partitions: partitionsOf(topic, division, data?.id), userData }),
  }));
};

/** For people: Kafka's tools show which partitions a member has. */
const partitionsOf = (topic: string, division: readonly SlotAssignment[], id: string | undefined) =>
  division.flatMap(({ holder }, partition) =>
    holder !== undefined && holder === id ? [{ topic, partition }] : [],
  );

/** undefined: the leader has sent something else. */
export const decodeHolders = (assignment: Buffer): readonly SlotHolders[] | undefined => {
  const data = parse(decodeAssignment(assignment)?.userData) as AssignmentData | undefined;
  return data?.slots.map(([holder, next]) => ({ holder: data.peers[holder], next: data.peers[next] }));
};
