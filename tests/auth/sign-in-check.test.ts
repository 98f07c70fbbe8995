/** Sign-ins with invented names neither delay real accounts nor reveal which accounts exist. */
import { createAccounts } from "../../src/auth/accounts.ts";
import { createSecretVerifier } from "../../src/auth/secrets.ts";
import { createSignInCheck } from "../../src/auth/sign-in-check.ts";
import { createFairTurns } from "../../src/lib/fair-turns.ts";
import { cheapHash, codeOf } from "./support.ts";

/** Derivations that the test settles. Without `refusalDelay` no refusal comes during the test. */
const setUp = ({ permits = 1, maxWaiting = 4, refusalDelay = 60_000 } = {}) => {
  const turns = createFairTurns({ permits, maxWaiting });
  const running: (() => void)[] = [];
  const begun: string[] = [];
  const verifier = createSecretVerifier({
    turns,
    deriveBytes: async (given, { hash }) => {
      begun.push(given);
      await new Promise<void>((resolve) => running.push(resolve));
      return given.startsWith("right") ? hash : Buffer.alloc(hash.length);
    },
  });
  const accounts = createAccounts([
    { username: "ann", password: cheapHash("right") },
    { username: "bob", password: "plain" },
    { username: "cid", password: cheapHash("right") },
  ]);
  const check = createSignInCheck({ accounts, verifier, turns, refusalDelay });
  const signIn = (username: string, password: string, network = "192.0.2.1") =>
    check({
      ...{ username, network, password, connectionToken: undefined },
      account: accounts.find(username),
    });
  const settled: string[] = [];
  const watch = (name: string, attempt: Promise<boolean>) => {
    void codeOf(() =>
      attempt.then((right) => {
        settled.push(`${name} ${right ? "right" : "wrong"}`);
      }),
    ).then(
      (code) => settled.push(`${name} ${code}`),
      () => undefined,
    );
  };
  /** Settles the running derivation, and waits for everything that follows from it. */
  const step = async () => {
    await new Promise(setImmediate);
    running.shift()?.();
    await new Promise(setImmediate);
  };
  return { signIn, watch, step, begun, settled };
};

describe("a sign-in during a flood of invented names", () => {
  it("with the right credential waits for at most two derivations, also from the flood's address", async () => {
    const { signIn, watch, step, begun, settled } = setUp();
    for (const name of ["s1", "s2", "s3", "s4", "s5"]) watch(name, signIn(name, name));
    watch("ann", signIn("ann", "right"));
    for (let time = 0; time < 3; time += 1) await step();
    expect(begun.slice(0, 3)).toEqual(["s1", "s2", "right"]);
    expect(settled).toEqual(["s1 wrong", "s2 wrong", "ann right"]);
  });

  it("with a wrong password waits as long as an invented name", async () => {
    const orders = [];
    for (const name of ["ann", "bob", "nobody"]) {
      const { signIn, watch, step, settled } = setUp();
      for (const stranger of ["s1", "s2"]) watch(stranger, signIn(stranger, stranger));
      watch("probe", signIn(name, "guess"));
      watch("s3", signIn("s3", "s3"));
      for (let time = 0; time < 6; time += 1) await step();
      orders.push(settled.join(", "));
    }
    expect(new Set(orders)).toEqual(new Set(["s1 wrong, s2 wrong, probe wrong, s3 wrong"]));
  });

  it("is refused after the same time for a known and an invented name", async () => {
    const { signIn, watch, step, settled } = setUp({ maxWaiting: 1, refusalDelay: 20 });
    for (const name of ["s1", "s2"]) watch(name, signIn(name, name));
    const refused = [
      codeOf(() => signIn("ann", "guess")),
      codeOf(() => signIn("bob", "guess")),
      codeOf(() => signIn("nobody", "guess")),
    ];
    const early = Promise.race([...refused, new Promise((resolve) => setTimeout(resolve, 10, "none"))]);
    for (let time = 0; time < 4; time += 1) await step();
    expect(await early).toBe("none");
    expect(await Promise.all(refused)).toEqual(["OVERLOADED", "OVERLOADED", "OVERLOADED"]);
    expect(settled).toContain("s1 wrong");
  });

  it("with the right credential succeeds while invented names are refused", async () => {
    const { signIn, watch, step, settled } = setUp({ maxWaiting: 1 });
    for (const name of ["s1", "s2"]) watch(name, signIn(name, name));
    watch("ann", signIn("ann", "right"));
    for (let time = 0; time < 3; time += 1) await step();
    expect(settled).toContain("ann right");
  });

  it("is not delayed by guesses at another account", async () => {
    const { signIn, watch, step, begun } = setUp({ maxWaiting: 3 });
    for (let guess = 0; guess < 9; guess += 1)
      watch(`${guess}`, signIn("ann", `guess ${guess}`, `192.0.2.${guess}`));
    watch("cid", signIn("cid", "right", "198.51.100.1"));
    for (let time = 0; time < 9; time += 1) await step();
    expect(begun).toContain("right");
  });

  it("shares one derivation with equal sign-ins, for known and unknown names", async () => {
    for (const name of ["ann", "nobody"]) {
      const { signIn, watch, step, begun } = setUp();
      for (let time = 0; time < 9; time += 1) watch(name, signIn(name, "guess", `192.0.2.${time}`));
      for (let time = 0; time < 9; time += 1) await step();
      expect(begun).toEqual(["guess"]);
    }
  });
});
