/**
 * Divides the slots among the processes of the gateway group. The group's leader calls `assign` with what the members say
 * about themselves; each process learns the whole result.
 *
 * A slot that a process holds stays with it. If the process has too many slots, or is ending, the assignment names the
 * process that gets the slot next; the holder hands the slot over, and a later assignment has the new holder.
 */
import type { Peer } from "./peers/peers.ts";

/** A slot that a process holds, and the generation of the group in which the process got it. */
export interface HeldSlot {
  readonly slot: number;
  readonly since: number;
}

/** What a member says about itself. */
export interface MemberData extends Peer {
  /** The process ends: it gets no slots, and those that it holds go to other processes. */
  readonly ending: boolean;
  readonly held: readonly HeldSlot[];
  /** Slots that the process gave up because it could not append to them. Another process gets them if there is one. */
  readonly avoided: readonly number[];
  /**
   * Differs if the member has taken slots over or given slots up since its last join. Kafka ignores a join that changes
   * nothing, and a slot may have come and gone.
   */
  readonly changes: number;
}

/** Who holds a slot, and who gets it next. Both are ids of members; undefined: no process. */
export interface SlotAssignment {
  readonly holder: string | undefined;
  readonly next: string | undefined;
}

interface Share {
  readonly member: MemberData;
  /** Slots that the member has, or gets by this assignment. */
  count: number;
  quota: number;
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : Number(a.id > b.id);

/** The holder of each slot by the members' own data. If two members name a slot, the later generation counts. */
const claims = (members: readonly MemberData[], slots: number): (MemberData | undefined)[] => {
  const winners = new Array<{ readonly member: MemberData; readonly since: number } | undefined>(slots);
  for (const member of members) {
    for (const { slot, since } of member.held) {
      const known = winners[slot];
      if (slot < slots && (known === undefined || since > known.since)) winners[slot] = { member, since };
    }
  }
  return Array.from(winners, (winner) => winner?.member);
};

/** The first of the shares that are best by `rank`; a lower rank is better. */
const best = (shares: readonly Share[], rank: (share: Share) => number): Share | undefined => {
  let found: Share | undefined;
  for (const share of shares) if (found === undefined || rank(share) < rank(found)) found = share;
  return found;
};

/** Members that have the most slots get one more than the others, so that as few slots as possible move. */
const setQuotas = (shares: readonly Share[], slots: number): void => {
  const ranked = [...shares].sort((a, b) => b.count - a.count);
  ranked.forEach((share, rank) => {
    share.quota = Math.floor(slots / ranked.length) + (rank < slots % ranked.length ? 1 : 0);
  });
};

/** The result has an element for each slot. It depends only on the set of members, not on their order. */
export const assign = (members: readonly MemberData[], slots: number): readonly SlotAssignment[] => {
  const sorted = [...members].sort(byId);
  const holders = claims(sorted, slots);
  const result = holders.map((holder): SlotAssignment => ({ holder: holder?.id, next: undefined }));
  const shares: readonly Share[] = sorted
    .filter(({ ending }) => !ending)
    .map((member) => ({ member, count: holders.filter((holder) => holder === member).length, quota: 0 }));

  const place = (slot: number, share: Share | undefined): void => {
    if (share === undefined) return;
    share.count += 1;
    const holder = holders[slot]?.id;
    result[slot] =
      holder === undefined ? { holder: share.member.id, next: undefined } : { holder, next: share.member.id };
  };

  // First the free slots that members avoid: a member's quota must not bring such a slot back to it.
  holders.forEach((holder, slot) => {
    const willing = shares.filter(({ member }) => !member.avoided.includes(slot));
    if (holder !== undefined || willing.length === shares.length) return;
    place(
      slot,
      best(willing, ({ count }) => count),
    );
  });

  setQuotas(shares, slots);
  const moving = new Set<number>();
  holders.forEach((holder, slot) => {
    if (holder?.ending === true) moving.add(slot);
  });
  for (const share of shares) {
    for (let slot = slots - 1; slot >= 0 && share.count > share.quota; slot -= 1) {
      if (holders[slot] !== share.member) continue;
      moving.add(slot);
      share.count -= 1;
    }
  }
  result.forEach(({ holder }, slot) => {
    if (holder !== undefined && !moving.has(slot)) return;
    place(
      slot,
      best(shares, ({ member, count, quota }) => count - quota + (member.avoided.includes(slot) ? 0.5 : 0)),
    );
  });
  return result;
};
