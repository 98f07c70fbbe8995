/**
 * One group of Kafka's classic protocol: its members, generations and rebalances, as Kafka's coordinator keeps them. It
 * waits only for the clock and the members, so a test that owns the clock decides what happens when.
 */
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type {
  GroupProtocol,
  HeartbeatAnswer,
  JoinAnswer,
  Joined,
  JoinRequest,
  MemberAssignment,
  SyncAnswer,
  SyncRequest,
} from "../groups.ts";

type Answer<T> = (answer: T) => void;

interface Member {
  readonly id: string;
  protocols: readonly GroupProtocol[];
  sessionTimeout: number;
  rebalanceTimeout: number;
  assignment: Buffer;
  /** The member has asked for its assignment of this generation. */
  isSynced: boolean;
  /** Unanswered requests. A request whose caller has given up stays here, because Kafka doesn't notice that either. */
  readonly joining: Answer<JoinAnswer>[];
  readonly syncing: Answer<SyncAnswer>[];
  endSession: () => void;
}

interface GroupParts {
  readonly clock: Clock;
  readonly newMemberId: () => string;
  /** The generation before the first one. */
  readonly generation: number;
  /** The last member has left. The group is not used any more. */
  readonly onEmpty: (generation: number) => void;
}

interface Group extends Pick<GroupParts, "clock" | "newMemberId" | "onEmpty"> {
  readonly members: Map<string, Member>;
  /** `joining`: waits until all members have joined again. `syncing`: waits for the leader's assignments. */
  state: "joining" | "syncing" | "stable";
  generation: number;
  protocol: string;
  leader: string;
  /** Cancels the end of the time in which the members must join again, or ask for their assignment. */
  cancelLimit: () => void;
}

export interface CoordinatedGroup {
  readonly size: number;
  /** Returns the member's id. Throws GROUP_REFUSED if the member has no protocol that all members have. */
  join(request: JoinRequest, answer: Answer<JoinAnswer>): string;
  /** Throws GROUP_REFUSED if the group has chosen another protocol. */
  sync(request: SyncRequest, assignments: readonly MemberAssignment[], answer: Answer<SyncAnswer>): void;
  heartbeat(memberId: string, generation: number): HeartbeatAnswer;
  leave(memberId: string): void;
  /** Tells whether the member may store positions under this generation. Counts as a heartbeat. */
  checkCommit(memberId: string, generation: number): "current" | "rebalancing" | "refused";
  /** Stops all timers. Waiting requests get no answer. */
  close(): void;
}

const NO_ASSIGNMENT = Buffer.alloc(0);

const membersOf = (group: Group): readonly Member[] => [...group.members.values()];

const isSame = (some: readonly GroupProtocol[], others: readonly GroupProtocol[]): boolean =>
  some.length === others.length &&
  some.every(({ name, metadata }, at) => {
    const other = others[at];
    return name === other?.name && metadata.equals(other.metadata);
  });

const supports = ({ protocols }: Pick<Member, "protocols">, protocol: string): boolean =>
  protocols.some(({ name }) => name === protocol);

const inconsistent = (): GatewayError =>
  new GatewayError("GROUP_REFUSED", { cause: "INCONSISTENT_GROUP_PROTOCOL" });

/**
 * Each member votes for the first of its protocols that all members have. If several protocols have the most votes, the
 * earliest vote decides.
 */
const electProtocol = (members: readonly Member[]): string => {
  const votes = new Map<string, number>();
  for (const { protocols } of members) {
    const vote = protocols.find(({ name }) => members.every((member) => supports(member, name)));
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
  }
  const [winner] = [...votes].sort(([, some], [, others]) => others - some);
  return winner?.[0] ?? "";
};

const answerAll = <T>(waiting: Answer<T>[], answer: T): void => {
  for (const tell of waiting.splice(0)) tell(answer);
};

const forget = (group: Group, member: Member): void => {
  group.members.delete(member.id);
  member.endSession();
  answerAll(member.joining, { status: "ended" });
  answerAll(member.syncing, { status: "ended" });
};

const remove = (group: Group, member: Member): void => {
  forget(group, member);
  if (group.state === "joining") completeIfAllJoined(group);
  else rebalance(group);
};

const beginSession = (group: Group, member: Member): void => {
  member.endSession();
  member.endSession = group.clock.after(member.sessionTimeout, () => {
    // A member whose join or sync waits is not silent: it waits for the group.
    if (member.joining.length > 0 || member.syncing.length > 0) beginSession(group, member);
    else remove(group, member);
  });
};

const longestRebalance = (group: Group): number =>
  Math.max(0, ...membersOf(group).map(({ rebalanceTimeout }) => rebalanceTimeout));

const rebalance = (group: Group): void => {
  group.cancelLimit();
  group.state = "joining";
  for (const { syncing } of membersOf(group)) answerAll(syncing, { status: "rebalancing" });
  group.cancelLimit = group.clock.after(longestRebalance(group), () => {
    complete(group);
  });
  completeIfAllJoined(group);
};

const completeIfAllJoined = (group: Group): void => {
  if (membersOf(group).every(({ joining }) => joining.length > 0)) complete(group);
};

/** Ends the rebalance: removes the members that have not joined again, and begins a generation with the others. */
const complete = (group: Group): void => {
  group.cancelLimit();
  for (const member of membersOf(group)) if (member.joining.length === 0) forget(group, member);
  group.generation += 1;
  const members = membersOf(group);
  if (members.length === 0) {
    group.onEmpty(group.generation);
    return;
  }
  if (!group.members.has(group.leader)) group.leader = members[0]?.id ?? "";
  group.protocol = electProtocol(members);
  group.state = "syncing";
  group.cancelLimit = group.clock.after(longestRebalance(group), () => {
    removeUnsynced(group);
  });
  for (const member of members) {
    member.isSynced = false;
    member.assignment = NO_ASSIGNMENT;
    beginSession(group, member);
    answerAll(member.joining, joinedAs(group, member));
  }
};

const removeUnsynced = (group: Group): void => {
  const unsynced = membersOf(group).filter(({ isSynced }) => !isSynced);
  for (const member of unsynced) forget(group, member);
  if (unsynced.length > 0) rebalance(group);
};

const joinedAs = (group: Group, { id }: Member): Joined => {
  const leader = id === group.leader;
  const all = membersOf(group).map((member) => ({
    memberId: member.id,
    metadata: member.protocols.find(({ name }) => name === group.protocol)?.metadata ?? NO_ASSIGNMENT,
  }));
  const { generation, protocol } = group;
  return { status: "joined", memberId: id, generation, protocol, leader, members: leader ? all : [] };
};

/** The member asks again for the answer that began this generation. A leader that joins again wants a new generation. */
const isRepeated = (group: Group, member: Member, request: JoinRequest): boolean =>
  isSame(member.protocols, request.protocols) &&
  (group.state === "syncing" || (group.state === "stable" && member.id !== group.leader));

const admit = (group: Group, request: JoinRequest): Member => {
  const { protocols, sessionTimeout, rebalanceTimeout } = request;
  const member: Member = {
    id: group.newMemberId(),
    protocols,
    sessionTimeout,
    rebalanceTimeout,
    assignment: NO_ASSIGNMENT,
    isSynced: false,
    joining: [],
    syncing: [],
    endSession: () => undefined,
  };
  group.members.set(member.id, member);
  beginSession(group, member);
  return member;
};

const join = (group: Group, request: JoinRequest, answer: Answer<JoinAnswer>): string => {
  const { memberId, protocols, sessionTimeout, rebalanceTimeout } = request;
  const known = group.members.get(memberId);
  if (known === undefined && memberId !== "") {
    answer({ status: "ended" });
    return memberId;
  }
  const others = membersOf(group).filter((member) => member !== known);
  if (!protocols.some(({ name }) => others.every((other) => supports(other, name)))) throw inconsistent();
  if (known !== undefined && isRepeated(group, known, request)) {
    beginSession(group, known);
    answer(joinedAs(group, known));
    return known.id;
  }
  const member = known ?? admit(group, request);
  Object.assign(member, { protocols, sessionTimeout, rebalanceTimeout });
  member.joining.push(answer);
  if (group.state === "joining") completeIfAllJoined(group);
  else rebalance(group);
  return member.id;
};

const assign = (group: Group, assignments: readonly MemberAssignment[]): void => {
  for (const { memberId, assignment } of assignments) {
    const member = group.members.get(memberId);
    if (member !== undefined) member.assignment = assignment;
  }
  group.state = "stable";
};

const sync = (
  group: Group,
  { request, assignments }: { request: SyncRequest; assignments: readonly MemberAssignment[] },
  answer: Answer<SyncAnswer>,
): void => {
  const member = group.members.get(request.memberId);
  if (member === undefined) {
    answer({ status: "ended" });
  } else if (request.generation !== group.generation || group.state === "joining") {
    answer({ status: "rebalancing" });
  } else {
    if (request.protocol !== group.protocol) throw inconsistent();
    beginSession(group, member);
    member.isSynced = true;
    member.syncing.push(answer);
    if (group.state === "syncing" && member.id === group.leader) assign(group, assignments);
    if (group.state !== "stable") return;
    for (const { syncing, assignment } of membersOf(group))
      answerAll(syncing, { status: "assigned", assignment });
  }
};

/** Creates a group without members. */
export const createCoordinatedGroup = (parts: GroupParts): CoordinatedGroup => {
  const group: Group = {
    ...parts,
    members: new Map(),
    state: "joining",
    protocol: "",
    leader: "",
    cancelLimit: () => undefined,
  };

  return {
    get size() {
      return group.members.size;
    },
    join: (request, answer) => join(group, request, answer),
    sync: (request, assignments, answer) => {
      sync(group, { request, assignments }, answer);
    },
    heartbeat: (memberId, generation) => {
      const member = group.members.get(memberId);
      if (member === undefined) return "ended";
      if (generation !== group.generation) return "outdated";
      beginSession(group, member);
      return group.state === "joining" ? "rebalancing" : "stable";
    },
    leave: (memberId) => {
      const member = group.members.get(memberId);
      if (member !== undefined) remove(group, member);
    },
    checkCommit: (memberId, generation) => {
      const member = group.members.get(memberId);
      if (member === undefined || generation !== group.generation) return "refused";
      if (group.state === "syncing") return "rebalancing";
      beginSession(group, member);
      return "current";
    },
    close: () => {
      group.cancelLimit();
      for (const { endSession } of membersOf(group)) endSession();
    },
  };
};
