/** The member of the home in a group whose instances read: which partitions it has, and its commits. */
import type { GroupPosition, TopicPartition } from "../../broker/positions.ts";
import type { Follower, FollowerAssignment } from "../group-reader.ts";
import type { GroupUse } from "../reader-group.ts";
import type { ReaderSlot } from "../readers.ts";

export interface GroupMemberOptions {
  readonly group: string;
  readonly slot: ReaderSlot;
  /** Milliseconds since the epoch at which the last call of an instance ended; undefined: a call is in progress. */
  readonly idleSince: () => number | undefined;
  /** The member has these partitions now. */
  readonly onAssigned: (partitions: readonly TopicPartition[]) => void;
  /** Other members may have had the partitions: no position counts any more. */
  readonly onLost: () => void;
}

export class GroupMember {
  readonly #options: GroupMemberOptions;
  #use: GroupUse | undefined;
  #follower: Follower | undefined;
  #assignment: FollowerAssignment | undefined;
  #generation = -1;
  readonly #commits = new Set<Promise<void>>();

  constructor(options: GroupMemberOptions) {
    this.#options = options;
  }

  /** undefined: the group has assigned nothing at present. */
  get partitions(): readonly TopicPartition[] | undefined {
    return this.#assignment?.partitions;
  }

  /** True if the partitions of these topics are known, and this process may answer for the group. */
  isSettled(topics: readonly { readonly topic: string }[]): boolean {
    const assignment = this.#assignment;
    if (assignment === undefined || this.#follower === undefined || this.#follower.silence > 1) return false;
    const { group, slot } = this.#options;
    return slot.group(group).isHeld && topics.every(({ topic }) => assignment.topics.has(topic));
  }

  /** True: the process is a new member, and must `take` topics. Throws GROUP_IN_USE or OVERLOADED. */
  claim(owner: string): boolean {
    const { slot, group: name, idleSince } = this.#options;
    const group = slot.group(name);
    if (this.#use !== undefined && group.use === this.#use) return false;
    const use: GroupUse = {
      kind: "instances",
      owner,
      get idleSince() {
        return idleSince();
      },
      end: () => {
        this.release();
      },
    };
    group.claim(use);
    this.#use = use;
    const isCurrent = (): boolean => this.#use === use;
    this.#follower = group.reader.follow({
      onAssigned: (assignment) => {
        if (isCurrent()) this.#assigned(assignment);
      },
      onRevoked: () => {
        if (isCurrent()) this.#assignment = undefined;
      },
      onEnded: () => {
        if (isCurrent()) this.#lose();
      },
    });
    return true;
  }

  /** Nothing happens if the process is no member. */
  take(topics: ReadonlySet<string>): void {
    this.#follower?.take(topics);
  }

  /** As `Follower.commit`. */
  commit(positions: readonly GroupPosition[]): Promise<void> {
    const commit = this.#follower?.commit(positions) ?? Promise.resolve();
    const forget = (): void => void this.#commits.delete(commit);
    this.#commits.add(commit);
    commit.then(forget, forget);
    return commit;
  }

  /** Resolves when the commits in flight are answered. */
  async committed(): Promise<void> {
    await Promise.allSettled(this.#commits);
  }

  release(): void {
    const use = this.#use;
    if (use === undefined) return;
    this.#lose();
    this.#use = undefined;
    this.#follower = undefined;
    this.#options.slot.group(this.#options.group).release(use);
  }

  #assigned(assignment: FollowerAssignment): void {
    if (assignment.generation !== this.#generation + 1) this.#lose();
    this.#generation = assignment.generation;
    this.#assignment = assignment;
    this.#options.onAssigned(assignment.partitions);
  }

  #lose(): void {
    this.#assignment = undefined;
    this.#generation = -1;
    this.#options.onLost();
  }
}
