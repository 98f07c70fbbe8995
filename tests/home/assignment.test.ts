import fc from "fast-check";
import { assign, type MemberData, type SlotAssignment } from "../../src/home/assignment.ts";

const member = (id: string, more: Partial<MemberData> = {}): MemberData => ({
  id,
  address: `${id}:1`,
  ending: false,
  held: [],
  avoided: [],
  changes: 0,
  ...more,
});
const held = (...slots: number[]): Partial<MemberData> => ({
  held: slots.map((slot) => ({ slot, since: 1 })),
});
const holders = (result: readonly SlotAssignment[]): readonly (string | undefined)[] =>
  result.map(({ holder }) => holder);
const nexts = (result: readonly SlotAssignment[]): readonly (string | undefined)[] =>
  result.map(({ next }) => next);
/** The process that has each slot when all slots are handed over. */
const final = (result: readonly SlotAssignment[]): readonly (string | undefined)[] =>
  result.map(({ holder, next }) => next ?? holder);

/** The members after all slots of an assignment have been handed over. */
const settled = (
  members: readonly MemberData[],
  result: readonly SlotAssignment[],
  since: number,
): readonly MemberData[] =>
  members.map((each) => ({
    ...each,
    held: final(result).flatMap((id, slot) => {
      if (id !== each.id) return [];
      const before = each.held.find((one) => one.slot === slot);
      return [before ?? { slot, since }];
    }),
  }));

it("gives free slots to the members in equal shares", () => {
  const result = assign([member("b"), member("a")], 5);
  expect(holders(result).filter((id) => id === "a")).toHaveLength(3);
  expect(nexts(result)).toEqual(new Array(5).fill(undefined));
});

it("leaves held slots with their holder and names the next holder of those above its share", () => {
  const result = assign([member("a", held(0, 1, 2, 3)), member("b")], 4);
  expect(holders(result)).toEqual(["a", "a", "a", "a"]);
  expect(nexts(result)).toEqual([undefined, undefined, "b", "b"]);
});

it("names a next holder for each slot of an ending member and gives it no slot", () => {
  const result = assign([member("a", { ...held(0, 2), ending: true }), member("b", held(1))], 4);
  expect(holders(result)).toEqual(["a", "b", "a", "b"]);
  expect(nexts(result)).toEqual(["b", undefined, "b", undefined]);
});

it("names no next holder if all members end", () => {
  const result = assign([member("a", { ...held(0), ending: true }), member("b", { ending: true })], 2);
  expect(result).toEqual([
    { holder: "a", next: undefined },
    { holder: undefined, next: undefined },
  ]);
});

it("prefers the later generation if two members name one slot", () => {
  const early = member("a", { held: [{ slot: 0, since: 3 }] });
  const late = member("b", { held: [{ slot: 0, since: 7 }] });
  expect(holders(assign([early, late], 1))).toEqual(["b"]);
  expect(holders(assign([late, early], 1))).toEqual(["b"]);
});

it("gives a slot that a member avoids to another member", () => {
  const result = assign([member("a", { ...held(0), avoided: [2] }), member("b", held(1, 3))], 4);
  expect(holders(result)[2]).toBe("b");
  expect(final(result).filter((id) => id === "a")).toHaveLength(2);
  expect(holders(assign([member("a", { avoided: [0] })], 1))).toEqual(["a"]);
});

it("ignores slots beyond the number of slots", () => {
  expect(assign([member("a", held(9))], 1)).toEqual([{ holder: "a", next: undefined }]);
});

type Step = { readonly kind: "join" } | { readonly kind: "leave" | "end" | "drop"; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>({ kind: "join" }),
  fc.record({ kind: fc.constantFrom("leave" as const, "end" as const, "drop" as const), which: fc.nat() }),
);

const after = (members: readonly MemberData[], event: Step, name: string): readonly MemberData[] => {
  if (event.kind === "join") return [...members, member(name)];
  const at = event.which % Math.max(1, members.length);
  if (event.kind === "leave") return members.filter((_, index) => index !== at);
  return members.map((each, index) => {
    if (index !== at) return each;
    return event.kind === "end" ? { ...each, ending: true } : { ...each, held: each.held.slice(1) };
  });
};

const checkAssignment = (members: readonly MemberData[], slots: number): readonly SlotAssignment[] => {
  const result = assign(members, slots);
  const active = members.filter(({ ending }) => !ending);

  expect(assign([...members].reverse(), slots)).toEqual(result);
  const lost = members.flatMap(({ id, held: slotsHeld }) =>
    slotsHeld.filter(({ slot }) => result[slot]?.holder !== id),
  );
  const wrong = result.filter(
    ({ holder, next }) =>
      (holder === undefined && active.length > 0) ||
      (next !== undefined && (next === holder || !active.some(({ id }) => id === next))),
  );
  expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
  if (active.length > 0) {
    const counts = active.map(({ id }) => final(result).filter((one) => one === id).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(counts.reduce((sum, count) => sum + count)).toBe(slots);
  }
  return result;
};

it("keeps held slots, balances them within one, and moves nothing when nothing changes, in any history", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 24 }), fc.array(step, { maxLength: 25 }), (slots, steps) => {
      let members: readonly MemberData[] = [member("m0")];
      steps.forEach((event, index) => {
        members = after(members, event, `m${index + 1}`);
        const result = checkAssignment(members, slots);
        members = settled(members, result, index);
        const again = members.every(({ ending }) => ending) ? [] : nexts(assign(members, slots));
        expect(again.filter((next) => next !== undefined)).toEqual([]);
      });
    }),
    { numRuns: 100 },
  );
});

it("moves no more slots than the new member's share", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), (size) => {
      const first = Array.from({ length: size }, (_, index) => member(`m${index}`));
      const before = settled(first, assign(first, 60), 1);
      const moved = nexts(assign([...before, member("new")], 60)).filter((next) => next !== undefined);
      expect(moved.length).toBeLessThanOrEqual(Math.ceil(60 / (size + 1)));
      expect(new Set(moved)).toEqual(new Set(["new"]));
    }),
  );
});
