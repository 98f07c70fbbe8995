import { createAccounts } from "../../../src/auth/accounts.ts";
import { createLogin, type LoginAttempt } from "../../../src/auth/session.ts";
import { createSecretVerifier, derivationTurns } from "../../../src/auth/secrets.ts";
import { createSignInCheck } from "../../../src/auth/sign-in-check.ts";
import { createFailureThrottle } from "../../../src/auth/throttle.ts";
import { cheapHash, codeOf, createClock, failureOf } from "../support.ts";

const PLAIN = [
  { username: "ann", connectionToken: "ann-token" },
  { username: "bob", password: "bob-password" },
  { username: "cid", connectionToken: "cid-token", password: "cid-password" },
];
const HASHED = [...PLAIN, { username: "dot", password: cheapHash("dot-password") }];
const OF_TWO_COSTS = [
  ...HASHED,
  { username: "eli", connectionToken: cheapHash("eli-token"), password: cheapHash("eli-password", 5) },
];

const setUp = (accounts = PLAIN) => {
  const clock = createClock();
  const turns = derivationTurns();
  const verifier = createSecretVerifier({ turns });
  const work: string[] = [];
  const known = createAccounts(accounts);
  const login = createLogin({
    accounts: known,
    isRight: createSignInCheck({
      accounts: known,
      turns,
      verifier: {
        known: (secret, given) => {
          if (secret.scrypt === undefined) work.push("compare");
          return verifier.known(secret, given);
        },
        derive: (secret, given) => {
          work.push(`derive ${secret.scrypt?.cost.ln}`);
          return verifier.derive(secret, given);
        },
      },
    }),
    throttle: createFailureThrottle({ limit: 10, windowMs: 60_000, now: clock.now }),
  });
  const attempt = (given: Partial<LoginAttempt>) =>
    login({ username: "ann", address: "192.0.2.1", ...given });
  const workOf = async (given: Partial<LoginAttempt>): Promise<string[]> => {
    work.length = 0;
    await codeOf(() => attempt(given));
    return work.toSorted();
  };
  return { clock, attempt, workOf };
};

describe("login", () => {
  it.each([
    ["a connection token", { username: "ann", connectionToken: "ann-token" }],
    ["a password", { username: "bob", password: "bob-password" }],
    ["a hashed password", { username: "dot", password: "dot-password" }],
    ["a right token with a wrong password", { username: "cid", connectionToken: "cid-token", password: "x" }],
    [
      "a right password with a wrong token",
      { username: "cid", connectionToken: "x", password: "cid-password" },
    ],
    [
      "a right password with a token, for an account without a token",
      { username: "bob", connectionToken: "x", password: "bob-password" },
    ],
  ])("accepts %s", async (_what, given) => {
    const { account } = await setUp(HASHED).attempt(given);
    expect(account.username).toBe(given.username);
  });

  it("reads user$7 as account 7 of user", async () => {
    const { account, name } = await setUp().attempt({ username: "ann$7", connectionToken: "ann-token" });
    expect(account.username).toBe("ann");
    expect(name).toEqual({ username: "ann", accountId: 7 });
  });

  it.each([
    ["a wrong token", { connectionToken: "x" }],
    ["no credential", {}],
    ["an empty token", { connectionToken: "" }],
    ["an unknown user", { username: "eve", connectionToken: "ann-token" }],
    ["another user's token", { username: "bob", connectionToken: "ann-token" }],
    ["a token as a password", { password: "ann-token" }],
    ["a name in another case", { username: "Ann", connectionToken: "ann-token" }],
  ])("refuses %s with the same text", async (_what, given) => {
    for (const accounts of [PLAIN, HASHED]) {
      const error = await failureOf(() => setUp(accounts).attempt(given));
      expect(error).toMatchObject({ code: "UNAUTHORIZED", message: "Unauthorized", cause: "wrong login" });
    }
  });

  it("makes the same derivations for a wrong credential of every name", async () => {
    for (const accounts of [PLAIN, HASHED, OF_TWO_COSTS]) {
      const { workOf } = setUp(accounts);
      for (const given of [
        { connectionToken: "x" },
        { password: "x" },
        { connectionToken: "x", password: "y" },
      ]) {
        const works = [];
        for (const username of ["ann", "bob", "cid", "dot", "eli", "eve"])
          works.push(await workOf({ username, ...given }));
        expect(new Set(works.map(String)).size).toBe(1);
        expect(works[0]?.includes("derive 4")).toBe(accounts !== PLAIN);
        expect(works[0]?.includes("derive 5")).toBe(accounts === OF_TWO_COSTS);
      }
    }
  });
});

describe("login throttling", () => {
  const wrong = { connectionToken: "x" };
  const failTimes = async (attempt: (given: Partial<LoginAttempt>) => unknown, times: number) => {
    for (let time = 0; time < times; time += 1)
      expect(await codeOf(() => attempt(wrong))).toBe("UNAUTHORIZED");
  };

  it("refuses every attempt after ten failures in a minute", async () => {
    const { clock, attempt } = setUp();
    await failTimes(attempt, 10);
    const refused = await failureOf(() => attempt({ connectionToken: "ann-token" }));
    expect(refused).toMatchObject({ code: "LOGIN_THROTTLED", status: 429, retryAfter: 60 });
    clock.advance(60_000);
    expect((await attempt({ connectionToken: "ann-token" })).account.username).toBe("ann");
  });

  it("does not affect another address or another user", async () => {
    const { attempt } = setUp();
    await failTimes(attempt, 10);
    await attempt({ connectionToken: "ann-token", address: "192.0.2.2" });
    await attempt({ username: "bob", password: "bob-password" });
  });

  it("counts the addresses of one IPv6 network together", async () => {
    const { attempt } = setUp();
    for (let host = 0; host < 10; host += 1)
      await codeOf(() => attempt({ ...wrong, address: `2001:db8::${host}` }));
    expect(await codeOf(() => attempt({ ...wrong, address: "2001:db8::ffff" }))).toBe("LOGIN_THROTTLED");
    expect(await codeOf(() => attempt({ ...wrong, address: "2001:db8:0:1::" }))).toBe("UNAUTHORIZED");
  });

  it("counts attempts with different account ids together, also for unknown users", async () => {
    const { attempt } = setUp();
    for (let id = 0; id < 10; id += 1) await codeOf(() => attempt({ ...wrong, accountId: id }));
    expect(await codeOf(() => attempt({ ...wrong, username: "ann$99" }))).toBe("LOGIN_THROTTLED");
    for (let time = 0; time < 10; time += 1) await codeOf(() => attempt({ ...wrong, username: "eve" }));
    expect(await codeOf(() => attempt({ ...wrong, username: "eve" }))).toBe("LOGIN_THROTTLED");
  });

  it("gives parallel guesses no more answers than sequential guesses", async () => {
    const { attempt } = setUp(HASHED);
    const guesses = Array.from({ length: 40 }, (_none, index) => ({
      username: "dot",
      password: index === 39 ? "dot-password" : `guess ${index}`,
    }));
    const codes = await Promise.all(guesses.map((guess) => codeOf(() => attempt(guess))));
    expect(codes.filter((code) => code === "UNAUTHORIZED")).toHaveLength(10);
    expect(codes.filter((code) => code === "LOGIN_THROTTLED")).toHaveLength(30);
  });

  it("accepts parallel sign-ins with the right credential", async () => {
    const { attempt } = setUp(HASHED);
    const right = { username: "dot", password: "dot-password" };
    const all = await Promise.all(Array.from({ length: 64 }, () => attempt(right)));
    expect(all).toHaveLength(64);
  });
});
