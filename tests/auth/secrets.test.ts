import {
  createSecretVerifier,
  decoySecret,
  derivationTurns,
  hashSecret,
  storedSecret,
  type StoredSecret,
} from "../../src/auth/secrets.ts";
import { createFairTurns } from "../../src/lib/fair-turns.ts";
import { cheapHash, failureOf } from "./support.ts";

describe("stored secrets", () => {
  it.each(["", "$2b$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$x", "$scrypt$ln=15,r=8,p=1$short$short"])(
    "%p is refused",
    async (text) => {
      expect((await failureOf(() => storedSecret(text))).code).toBe("SETTINGS_INVALID");
    },
  );

  it("a refusal does not contain the secret", async () => {
    const { message } = await failureOf(() => storedSecret("$2b$10$abcdefghijklmnopqrstuv"));
    expect(message).not.toContain("abcdef");
  });

  it("does not store the plain text", () => {
    expect(JSON.stringify(storedSecret("correct horse"))).not.toContain("correct");
  });

  it("different secrets have different digests", () => {
    expect(storedSecret("a").digest).toEqual(storedSecret("a").digest);
    expect(storedSecret("a").digest).not.toEqual(storedSecret("b").digest);
  });
});

const verifierWith = (turns = derivationTurns()) => {
  const verifier = createSecretVerifier({ turns });
  return (secret: StoredSecret, given: string, party = "here") =>
    verifier.verify(secret, given, ["keys", party]);
};

describe("verifying secrets", () => {
  it.each([
    ["s3cret", true],
    ["s3cre", false],
    ["s3crett", false],
    ["", false],
  ])("compares a plain secret with %p without a promise: %s", (given, expected) => {
    expect(verifierWith()(storedSecret("s3cret"), given)).toBe(expected);
  });

  it("verifies a hashed secret", async () => {
    const secret = storedSecret(await hashSecret("s3cret"));
    const verify = verifierWith();
    await expect(verify(secret, "s3cret")).resolves.toBe(true);
    await expect(verify(secret, "s3crets")).resolves.toBe(false);
  });

  it("refuses the text of the hash as the secret", async () => {
    const text = cheapHash("s3cret");
    expect(await verifierWith()(storedSecret(text), text)).toBe(false);
  });

  it("derives a right secret once, and a wrong secret each time", async () => {
    const secret = storedSecret(cheapHash("s3cret"));
    const verify = verifierWith();
    await verify(secret, "s3cret");
    expect(verify(secret, "s3cret")).toBe(true);
    await verify(secret, "wrong");
    expect(verify(secret, "wrong")).toBeInstanceOf(Promise);
  });

  it("forgets the match that was not used for the longest time, above the maximum", async () => {
    const verifier = createSecretVerifier({ turns: derivationTurns(), maxRemembered: 2 });
    const secrets = ["a", "b", "c"].map((text) => ({ text, secret: storedSecret(cheapHash(text)) }));
    const remembered = () => secrets.map(({ text, secret }) => verifier.known(secret, text));
    const verify = ({ text, secret }: (typeof secrets)[number]) =>
      verifier.verify(secret, text, ["keys", "x"]);
    const [a, b, c] = secrets;
    if (a === undefined || b === undefined || c === undefined) throw new TypeError("three secrets");

    expect([await verify(a), await verify(b), await verify(a), await verify(c)]).toEqual(Array(4).fill(true));
    expect(remembered()).toEqual([true, undefined, true]);
    expect(await verify(b)).toBe(true);
  });

  it("does not use a match with one secret for another secret", async () => {
    const verify = verifierWith();
    await verify(storedSecret(cheapHash("one")), "one");
    expect(await verify(storedSecret(cheapHash("two")), "one")).toBe(false);
  });

  it("shares the derivation of equal comparisons, and refuses too many different comparisons", async () => {
    const secret = storedSecret(cheapHash("s3cret"));
    const verify = verifierWith(createFairTurns({ permits: 1, maxWaiting: 2 }));
    const same = [1, 2, 3, 4, 5].map(() => verify(secret, "s3cret"));
    const others = ["a", "b"].map((given) => verify(secret, given));
    const refused = await failureOf(() => verify(secret, "c"));
    expect(refused).toMatchObject({ code: "OVERLOADED", status: 503, retryAfter: 5 });
    expect(await Promise.all([...same, ...others])).toEqual([true, true, true, true, true, false, false]);
    expect(await verify(secret, "c")).toBe(false);
  });

  it("a decoy matches no secret and has the cost of its model", async () => {
    const verify = verifierWith();
    const model = storedSecret(cheapHash("s3cret"));
    expect(verify(decoySecret(), "s3cret")).toBe(false);
    expect(decoySecret(model).scrypt?.cost).toEqual(model.scrypt?.cost);
    expect(await verify(decoySecret(model), "s3cret")).toBe(false);
  });
});
