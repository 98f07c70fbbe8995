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

  it("says nothing of the secret when it refuses it", async () => {
    const { message } = await failureOf(() => storedSecret("$2b$10$abcdefghijklmnopqrstuv"));
    expect(message).not.toContain("abcdef");
  });

  it("keeps no plain text", () => {
    expect(JSON.stringify(storedSecret("correct horse"))).not.toContain("correct");
  });

  it("has another digest for another secret", () => {
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
  ])("a plain secret against %p: %s, at once", (given, expected) => {
    expect(verifierWith()(storedSecret("s3cret"), given)).toBe(expected);
  });

  it("a hashed secret", async () => {
    const secret = storedSecret(await hashSecret("s3cret"));
    const verify = verifierWith();
    await expect(verify(secret, "s3cret")).resolves.toBe(true);
    await expect(verify(secret, "s3crets")).resolves.toBe(false);
  });

  it("the text of the hash is not the secret", async () => {
    const text = cheapHash("s3cret");
    expect(await verifierWith()(storedSecret(text), text)).toBe(false);
  });

  it("derives a hash once for a right secret, each time for a wrong one", async () => {
    const secret = storedSecret(cheapHash("s3cret"));
    const verify = verifierWith();
    await verify(secret, "s3cret");
    expect(verify(secret, "s3cret")).toBe(true);
    await verify(secret, "wrong");
    expect(verify(secret, "wrong")).toBeInstanceOf(Promise);
  });

  it("a match with one secret is none with another", async () => {
    const verify = verifierWith();
    await verify(storedSecret(cheapHash("one")), "one");
    expect(await verify(storedSecret(cheapHash("two")), "one")).toBe(false);
  });

  it("derives the same question once at a time, and refuses a flood of different ones", async () => {
    const secret = storedSecret(cheapHash("s3cret"));
    const verify = verifierWith(createFairTurns({ permits: 1, maxWaiting: 2 }));
    const same = [1, 2, 3, 4, 5].map(() => verify(secret, "s3cret"));
    const others = ["a", "b"].map((given) => verify(secret, given));
    const refused = await failureOf(() => verify(secret, "c"));
    expect(refused).toMatchObject({ code: "OVERLOADED", status: 503, retryAfter: 5 });
    expect(await Promise.all([...same, ...others])).toEqual([true, true, true, true, true, false, false]);
    expect(await verify(secret, "c")).toBe(false);
  });

  it("decoys match nothing and cost what their model costs", async () => {
    const verify = verifierWith();
    const model = storedSecret(cheapHash("s3cret"));
    expect(verify(decoySecret(), "s3cret")).toBe(false);
    expect(decoySecret(model).scrypt?.cost).toEqual(model.scrypt?.cost);
    expect(await verify(decoySecret(model), "s3cret")).toBe(false);
  });
});
