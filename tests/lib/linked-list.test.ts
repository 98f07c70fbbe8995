import fc from "fast-check";
import { type ListEntry, LinkedList } from "../../src/lib/linked-list.ts";

describe("LinkedList", () => {
  it("has the same values in the same order as a Set", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(5)));
    fc.assert(
      fc.property(steps, (all) => {
        const list = new LinkedList<number>();
        const entries = new Map<number, ListEntry<number>>();
        const set = new Set<number>();
        for (const [isAdded, value] of all) {
          const entry = entries.get(value);
          if (!isAdded && entry !== undefined) {
            list.remove(entry);
            set.delete(value);
          } else if (isAdded && !set.has(value)) {
            entries.set(value, list.add(value));
            set.add(value);
          }
        }
        expect([...list]).toStrictEqual([...set]);
        expect(list.first).toBe([...set][0]);
      }),
    );
  });

  it("ignores an entry that was removed before", () => {
    const list = new LinkedList<string>();
    const entry = list.add("a");
    list.remove(entry);
    list.add("b");
    list.remove(entry);
    expect(list.first).toBe("b");
  });
});
