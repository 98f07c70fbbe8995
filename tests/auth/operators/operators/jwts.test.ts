import { createOperatorAccess } from "../../../../src/auth/operators/operators.ts";
import {
  createSecretVerifier,
  deriveLike,
  derivationTurns,
  type ScryptHash,
} from "../../../../src/auth/secrets.ts";
import { createFailureThrottle } from "../../../../src/auth/throttle.ts";
import { cheapHash, failureOf } from "../../support.ts";

const HOUR = 3_600_000;

const withHeader = (authorizationHeader: string) => ({ authorizationHeader, address: "here" });

describe("a text with the form of a JWT", () => {
  const doorWithJwts = (adminToken: string, verifier = createSecretVerifier({ turns: derivationTurns() })) =>
    createOperatorAccess({
      settings: { token: adminToken, tokens: [], sessionTtl: HOUR },
      verifier,
      throttle: createFailureThrottle({ limit: 3, windowMs: 60_000 }),
      secrets: ["installation-secret"],
      jwts: {
        admit: () => undefined,
        renew: () => undefined,
        faultOf: (text) => (text.startsWith("ey") ? "malformed token" : undefined),
      },
    });

  it("does not count as a wrong token", async () => {
    const door = doorWithJwts("admin-token");
    for (let i = 0; i < 10; i += 1)
      expect(await failureOf(() => door.admitOperator(withHeader(`Bearer eyJh.${i}.x`)))).toMatchObject({
        code: "UNAUTHORIZED",
        cause: "malformed token",
      });
    await expect(door.admitOperator(withHeader("Bearer admin-token"))).resolves.toBeDefined();
    for (let i = 0; i < 3; i += 1) await failureOf(() => door.admitOperator(withHeader("Bearer wrong")));
    expect(await failureOf(() => door.admitOperator(withHeader("Bearer eyJh.1.x")))).toMatchObject({
      code: "LOGIN_THROTTLED",
    });
  });

  it("causes no derivation", async () => {
    let derivations = 0;
    const deriveBytes = (plain: string, like: ScryptHash): Promise<Buffer> => {
      derivations += 1;
      return deriveLike(plain, like);
    };
    const verifier = createSecretVerifier({ turns: derivationTurns(), deriveBytes });
    const door = doorWithJwts(cheapHash("admin-token"), verifier);
    const basic = `Basic ${Buffer.from("admin:eyJh.b.c").toString("base64")}`;
    for (const header of ["Bearer eyJh.a.x", basic])
      expect(await failureOf(() => door.admitOperator(withHeader(header)))).toMatchObject({
        cause: "malformed token",
      });
    await failureOf(() => door.signInOperator("eyJh.d.x", "here"));
    expect(derivations).toBe(0);
    await door.admitOperator(withHeader("Bearer admin-token"));
    expect(derivations).toBe(1);
  });

  it("may be a configured token", async () => {
    const door = doorWithJwts("eyJh.b.c");
    await expect(door.admitOperator(withHeader("Bearer eyJh.b.c"))).resolves.toMatchObject({ name: "admin" });
  });
});
