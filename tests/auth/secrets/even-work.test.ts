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

  it("has the same costs for every name and for an unknown name", () => {
    for (const own of [ann, bob, cid, []]) expect(costs(own)).toEqual([4, 4, 5]);
  });

  it("starts with the secrets of the name", () => {
    expect(evenWork(bob).slice(0, 2)).toEqual(bob);
    expect(evenWork(ann)[0]).toBe(ann[0]);
  });

  it("is empty if no secret is hashed", () => {
    expect(createEvenWork([[storedSecret("plain")]])([])).toEqual([]);
  });
});
