import jwt from "jsonwebtoken";
import { createAccounts } from "../../../src/auth/accounts.ts";
import { createBearerVerifier } from "../../../src/auth/authenticator.ts";
import type { Scope } from "../../../src/auth/scope.ts";
import { createTokens } from "../../../src/auth/tokens.ts";
import { codeOf, createClock, failureOf, START } from "../support.ts";

const SECRET = "an access secret of more than 32 bytes";
const MINUTE = 60_000;

const setUp = (options: { maxRemembered?: number; maxRememberedBytes?: number } = {}) => {
  const clock = createClock();
  const { now } = clock;
  const keys = [{ kid: "one", secret: SECRET }];
  const tokens = createTokens({ use: "access", keys, issuer: "gate", audience: "gate", now });
  let verifications = 0;
  const counted = {
    ...tokens,
    verify: (token: string) => {
      verifications += 1;
      return tokens.verify(token);
    },
  };
  const accounts = createAccounts([{ username: "ann", stations: ["*"] }]);
  const { verify } = createBearerVerifier({ tokens: counted, accounts, now, ...options });
  const issue = (username: string, ttl = MINUTE, scope: Scope = {}) =>
    tokens.issue({ username, accountId: undefined, scope }, ttl);
  return { clock, verify, issue, verifications: () => verifications };
};

describe("the bearer verifier", () => {
  it("returns the principal of the account, narrowed to the scope", () => {
    const { verify, issue } = setUp();
    expect(verify(issue("ann"))).toMatchObject({ kind: "account", name: "ann" });
  });

  it("refuses a token whose account does not exist", async () => {
    const { verify, issue } = setUp();
    const error = await failureOf(() => verify(issue("bob")));
    expect(error).toMatchObject({ code: "UNAUTHORIZED", message: "Unauthorized", cause: "unknown account" });
  });

  it("verifies a token once and remembers it", () => {
    const { verify, issue, verifications } = setUp();
    const token = issue("ann");
    const principals = [verify(token), verify(token), verify(token)];
    expect(new Set(principals).size).toBe(1);
    expect(verifications()).toBe(1);
  });

  it("refuses an expired token that it remembers", async () => {
    const { clock, verify, issue } = setUp();
    const token = issue("ann");
    void verify(token);
    clock.advance(MINUTE - 1);
    expect(verify(token)).toMatchObject({ name: "ann" });
    clock.advance(1);
    expect(await codeOf(() => verify(token))).toBe("UNAUTHORIZED");
  });

  it("refuses a token before its start time, even if it remembers the token", async () => {
    const { clock, verify, issue } = setUp();
    const claims = { ...(jwt.decode(issue("ann")) as jwt.JwtPayload), nbf: START / 1000 };
    const token = jwt.sign(claims, Buffer.from(SECRET), { algorithm: "HS256" });
    expect(verify(token)).toMatchObject({ name: "ann" });
    clock.advance(-1000);
    expect(await codeOf(() => verify(token))).toBe("UNAUTHORIZED");
  });

  it("does not remember a refused token", async () => {
    const { verify, verifications } = setUp();
    for (let time = 0; time < 3; time += 1) expect(await codeOf(() => verify("forged"))).toBe("UNAUTHORIZED");
    expect(verifications()).toBe(3);
  });

  it("remembers a bounded number of tokens", () => {
    const { verify, issue, verifications } = setUp({ maxRemembered: 2 });
    const [one, two, three] = [issue("ann"), issue("ann"), issue("ann")];
    for (const token of [one, two, three, three, one]) void verify(token);
    expect(verifications()).toBe(4);
  });

  it("counts the memory of the scope's patterns", () => {
    const stations = Array.from({ length: 800 }, (_, n) => `${n}*`);
    const { verify, issue, verifications } = setUp({ maxRememberedBytes: 500_000 });
    const [one, two, small] = [
      issue("ann", MINUTE, { stations }),
      issue("ann", MINUTE, { stations }),
      issue("ann"),
    ];
    for (const token of [one, small, two, small, two, one]) void verify(token);
    // The second large token displaces the first one.
    expect(verifications()).toBe(4);
  });
});
