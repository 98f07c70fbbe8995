import { createEvenWork, storedSecret } from "../../../src/auth/secrets.ts";
import { cheapHash } from "../support.ts";

const secret = (plain: string, ln = 4) => storedSecret(cheapHash(plain, ln));

describe("even work", () => {
  const [ann, bob, cid] = [[secret("a")], [secret("b"), secret("next b")], [secret("c", 5)]];
  const evenWork = createEvenWork([ann, bob, cid]);
  const costs = (own: Parameters<typeof evenWork>[0]) =>
    evenWork(own)
      .map(({ scrypt }) => scrypt?.cost.ln)
      .toSorted();

  it("is the same list of costs for each name and for none", () => {
    for (const own of [ann, bob, cid, []]) expect(costs(own)).toEqual([4, 4, 5]);
  });

  it("begins with the name's own secrets", () => {
    expect(evenWork(bob).slice(0, 2)).toEqual(bob);
    expect(evenWork(ann)[0]).toBe(ann[0]);
  });

  it("is none where nothing is hashed", () => {
    expect(createEvenWork([[storedSecret("plain")]])([])).toEqual([]);
  });
});
