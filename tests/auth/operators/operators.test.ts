import { namesOf } from "../../../src/auth/certificate-names.ts";
import { createOperatorAccess } from "../../../src/auth/operators/operators.ts";
import { createSecretVerifier, derivationTurns } from "../../../src/auth/secrets.ts";
import { createFailureThrottle } from "../../../src/auth/throttle.ts";
import { cheapHash, failureOf } from "../support.ts";

const HOUR = 3_600_000;

let now = 1_000_000;

const doorWith = (adminToken: string | undefined, secrets = ["installation-secret"]) =>
  createOperatorAccess({
    settings: { token: adminToken, tokens: [], sessionTtl: 8 * HOUR },
    verifier: createSecretVerifier({ turns: derivationTurns() }),
    throttle: createFailureThrottle({ limit: 3, windowMs: 60_000, now: () => now }),
    secrets,
    now: () => now,
  });

const withHeader = (authorizationHeader: string | undefined, address = "here") => ({
  authorizationHeader,
  address,
});

const signedIn = async (door = doorWith("admin-token")): Promise<string> =>
  (await door.signInOperator("admin-token", "here")).session.value;

describe("operator authentication", () => {
  it.each(["admin-token", cheapHash("admin-token")])(
    "accepts the admin token, configured as %s",
    async (configured) => {
      await expect(
        doorWith(configured).admitOperator(withHeader("Bearer admin-token")),
      ).resolves.toMatchObject({ name: "admin", role: "admin" });
    },
  );

  it.each(["admin:admin-token", ":admin-token", "a:admin-token"])(
    "accepts the admin token as the Basic password, with every user name: %s",
    async (pair) => {
      const header = `Basic ${Buffer.from(pair).toString("base64")}`;
      await expect(doorWith("admin-token").admitOperator(withHeader(header))).resolves.toMatchObject({
        name: "admin",
        role: "admin",
      });
    },
  );

  it.each(["admin", "admin-token:", "admin:wrong"])("refuses Basic %s", async (pair) => {
    const header = `Basic ${Buffer.from(pair).toString("base64")}`;
    expect(await failureOf(() => doorWith("admin-token").admitOperator(withHeader(header)))).toMatchObject({
      code: "UNAUTHORIZED",
    });
  });

  it.each([undefined, "", "admin-token", "Bearer wrong", "Bearer  admin-token", "ApiKey admin-token"])(
    "refuses %p",
    async (header) => {
      for (const configured of ["admin-token", cheapHash("admin-token")])
        expect(await failureOf(() => doorWith(configured).admitOperator(withHeader(header)))).toMatchObject({
          code: "UNAUTHORIZED",
          message: "Unauthorized",
        });
    },
  );

  it("refuses every request if no admin token is configured", async () => {
    const door = doorWith(undefined);
    for (const header of [undefined, "", "Bearer ", "Bearer undefined"])
      expect(await failureOf(() => door.admitOperator(withHeader(header)))).toMatchObject({
        code: "UNAUTHORIZED",
      });
    expect(await failureOf(() => door.signInOperator("", "here"))).toMatchObject({ code: "UNAUTHORIZED" });
  });
});

describe("an operator session", () => {
  const refused = (door: ReturnType<typeof doorWith>, session: string, header?: string) =>
    failureOf(() => door.admitOperator({ ...withHeader(header), session }));

  it.each(["admin-token", cheapHash("admin-token")])(
    "is valid in every process with the same settings (%s)",
    async (configured) => {
      const session = await signedIn(doorWith(configured));
      await expect(
        doorWith(configured).admitOperator({ ...withHeader(undefined), session }),
      ).resolves.toMatchObject({ name: "admin", role: "admin" });
    },
  );

  it("is valid only in its own process if the settings have no token secrets", async () => {
    const door = doorWith("admin-token", []);
    const session = await signedIn(door);
    await expect(door.admitOperator({ ...withHeader(undefined), session })).resolves.toMatchObject({
      name: "admin",
      role: "admin",
    });
    expect(await refused(doorWith("admin-token", []), session)).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("expires after eight hours", async () => {
    const door = doorWith("admin-token");
    const { value, expires } = (await door.signInOperator("admin-token", "here")).session;
    expect(expires - now).toBe(8 * HOUR);
    now += 8 * HOUR - 1000;
    await expect(door.admitOperator({ ...withHeader(undefined), session: value })).resolves.toMatchObject({
      name: "admin",
      role: "admin",
    });
    now += 1000;
    expect(await refused(door, value)).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("is invalid after the admin token or the signing secret has changed", async () => {
    const session = await signedIn();
    for (const door of [doorWith("another"), doorWith("admin-token", ["another"]), doorWith(undefined)])
      expect(await refused(door, session)).toMatchObject({ code: "UNAUTHORIZED" });
    await expect(
      doorWith("admin-token", ["new", "installation-secret"]).admitOperator({
        ...withHeader(undefined),
        session,
      }),
    ).resolves.toMatchObject({ name: "admin", role: "admin" });
  });

  it("is invalid after any change of its text", async () => {
    const door = doorWith("admin-token");
    const session = await signedIn(door);
    const last = session.at(-2) === "A" ? "B" : "A";
    const changed = [
      `B${session.slice(1)}`,
      `C${session.slice(1)}`,
      `${session.slice(0, -2)}${last}${session.slice(-1)}`,
      session.slice(0, -1),
      `${session}A`,
      `${session}=`,
      "",
      "..",
    ].filter((other) => other !== session);
    for (const other of changed) expect(await refused(door, other)).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("does not help a request with a wrong Authorization header", async () => {
    const door = doorWith("admin-token");
    expect(await refused(door, await signedIn(door), "Bearer wrong")).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("is issued only for the admin token, and guesses are throttled", async () => {
    const door = doorWith("admin-token");
    for (const guess of ["", "wrong", "worse", "worst"])
      expect(await failureOf(() => door.signInOperator(guess, "here"))).toMatchObject({
        code: "UNAUTHORIZED",
      });
    expect(await failureOf(() => door.signInOperator("admin-token", "here"))).toMatchObject({
      code: "LOGIN_THROTTLED",
    });
    expect((await door.signInOperator("admin-token", "elsewhere")).session.value).not.toBe("");
  });
});

describe("wrong operators' tokens", () => {
  const codes = async (
    door: ReturnType<typeof doorWith>,
    header: string | undefined,
    address: string,
    times = 1,
  ) => {
    const all = [];
    for (let time = 0; time < times; time += 1)
      all.push((await failureOf(() => door.admitOperator(withHeader(header, address)))).code);
    return all;
  };

  it.each(["admin-token", cheapHash("admin-token")])(
    "count for one address over all routes and the sign-in (%s)",
    async (configured) => {
      const door = doorWith(configured);
      expect(await codes(door, "Bearer wrong", "192.0.2.1", 2)).toEqual(["UNAUTHORIZED", "UNAUTHORIZED"]);
      expect(await failureOf(() => door.signInOperator("wrong", "192.0.2.1"))).toMatchObject({
        code: "UNAUTHORIZED",
      });
      const right = await failureOf(() => door.admitOperator(withHeader("Bearer admin-token", "192.0.2.1")));
      expect(right).toMatchObject({ code: "LOGIN_THROTTLED", status: 429, retryAfter: 60 });
      expect(await failureOf(() => door.signInOperator("admin-token", "192.0.2.1"))).toMatchObject({
        code: "LOGIN_THROTTLED",
      });
      await door.admitOperator(withHeader("Bearer admin-token", "192.0.2.2"));
    },
  );

  it("no longer count after a minute", async () => {
    const door = doorWith("admin-token");
    await codes(door, "Bearer wrong", "here", 3);
    now += 60_000;
    await door.admitOperator(withHeader("Bearer admin-token"));
  });

  it("also count as Basic passwords", async () => {
    const door = doorWith("admin-token");
    await codes(door, `Basic ${Buffer.from("admin:wrong").toString("base64")}`, "here", 3);
    expect(await codes(door, "Bearer admin-token", "here")).toEqual(["LOGIN_THROTTLED"]);
  });

  it("of one IPv6 network count together", async () => {
    const door = doorWith("admin-token");
    for (const host of ["::1", "::2", "::3"]) await codes(door, "Bearer wrong", `2001:db8:1:2${host}`);
    expect(await codes(door, "Bearer wrong", "2001:db8:1:2::4")).toEqual(["LOGIN_THROTTLED"]);
    expect(await codes(door, "Bearer wrong", "2001:db8:1:3::4")).toEqual(["UNAUTHORIZED"]);
  });

  it("get no further answers if they are sent at the same time", async () => {
    const door = doorWith(cheapHash("admin-token"));
    const all = Array.from({ length: 20 }, (_none, index) => codes(door, `Bearer guess-${index}`, "here"));
    const counts = (await Promise.all(all)).flat();
    expect(counts.filter((code) => code === "UNAUTHORIZED")).toHaveLength(3);
    expect(counts.filter((code) => code === "LOGIN_THROTTLED")).toHaveLength(17);
  });

  it("do not count if a request has no token, and do not end sessions", async () => {
    const door = doorWith("admin-token");
    const session = await signedIn(door);
    for (const header of [undefined, "", "Basic YTo=", "ApiKey YTpi"])
      expect(new Set(await codes(door, header, "here", 5))).toEqual(new Set(["UNAUTHORIZED"]));
    await door.admitOperator(withHeader("Bearer admin-token"));
    await codes(door, "Bearer wrong", "here", 3);
    await expect(door.admitOperator({ ...withHeader(undefined), session })).resolves.toMatchObject({
      name: "admin",
      role: "admin",
    });
  });
});

const TOKENS = [
  { name: "ci", token: "ci-token", role: "operator" },
  { name: "board", token: cheapHash("board-token"), role: "viewer" },
  { name: "temp", token: "temp-token", role: "admin", expires: 2_000_000_000 },
] as const;

type Tokens = Parameters<typeof createOperatorAccess>[0]["settings"]["tokens"];

const accessWith = (tokens: Tokens, more: Partial<Parameters<typeof createOperatorAccess>[0]> = {}) =>
  createOperatorAccess({
    settings: { token: "admin-token", tokens, sessionTtl: 8 * HOUR },
    verifier: createSecretVerifier({ turns: derivationTurns() }),
    throttle: createFailureThrottle({ limit: 3, windowMs: 60_000, now: () => now }),
    secrets: ["installation-secret"],
    now: () => now,
    ...more,
  });

const basic = (pair: string) => withHeader(`Basic ${Buffer.from(pair).toString("base64")}`);

describe("the tokens of the settings", () => {
  it.each([
    ["admin-token", { name: "admin", role: "admin", via: "token" }],
    ["ci-token", { name: "ci", role: "operator", via: "token" }],
    ["board-token", { name: "board", role: "viewer", via: "token" }],
    ["temp-token", { name: "temp", role: "admin", via: "token", expires: 2_000_000_000 }],
  ])("name the operator and the role of Bearer %s", async (token, operator) => {
    const access = accessWith(TOKENS);
    expect(await access.admitOperator(withHeader(`Bearer ${token}`))).toEqual(operator);
    // The second time, a hash needs no derivation.
    expect(await access.admitOperator(withHeader(`Bearer ${token}`))).toEqual(operator);
  });

  it.each([
    ["ci:ci-token", { name: "ci", role: "operator", via: "basic" }],
    ["board:board-token", { name: "board", role: "viewer", via: "basic" }],
    ["ci:admin-token", { name: "admin", role: "admin", via: "basic" }],
  ])("are accepted as Basic %s", async (pair, operator) => {
    expect(await accessWith(TOKENS).admitOperator(basic(pair))).toEqual(operator);
  });

  it.each(["board:ci-token", ":ci-token", "admin:ci-token", "CI:ci-token", "ci:board-token"])(
    "are refused under another name: Basic %s",
    async (pair) => {
      expect(await failureOf(() => accessWith(TOKENS).admitOperator(basic(pair)))).toMatchObject({
        code: "UNAUTHORIZED",
      });
    },
  );

  it("are refused after they have expired", async () => {
    const before = now;
    now = 2_000_000_000;
    for (const credentials of [withHeader("Bearer temp-token"), basic("temp:temp-token")])
      expect(await failureOf(() => accessWith(TOKENS).admitOperator(credentials))).toMatchObject({
        code: "UNAUTHORIZED",
      });
    now = before;
  });
});

describe("a session of a token", () => {
  const opened = (access: ReturnType<typeof accessWith>, session: string) =>
    access.admitOperator({ ...withHeader(undefined), session });

  it("has the name and the role of the token, and ends no later than the token", async () => {
    const before = now;
    now = 2_000_000_000 - HOUR;
    const { operator, session } = await accessWith(TOKENS).signInOperator("temp-token", "here");
    expect(operator).toMatchObject({ name: "temp", role: "admin" });
    expect(session.expires).toBe(2_000_000_000);
    expect(await opened(accessWith(TOKENS), session.value)).toEqual({
      ...{ name: "temp", role: "admin", via: "token", expires: 2_000_000_000 },
    });
    now = before;
  });

  it.each<[string, Tokens]>([
    ["is removed", [TOKENS[1]]],
    ["changes", [{ ...TOKENS[0], token: "another" }]],
    ["has expired", [{ ...TOKENS[0], expires: 1 }]],
    ["gets a higher role", [{ ...TOKENS[0], role: "admin" }]],
    ["gets a lower role", [{ ...TOKENS[0], role: "viewer" }]],
    ["gets another name", [{ ...TOKENS[0], name: "ci2" }]],
  ])("ends when the token %s", async (_, tokens) => {
    const { session } = await accessWith(TOKENS).signInOperator("ci-token", "here");
    await expect(opened(accessWith(TOKENS), session.value)).resolves.toMatchObject({ name: "ci" });
    expect(await failureOf(() => opened(accessWith(tokens), session.value))).toMatchObject({
      code: "UNAUTHORIZED",
      cause: "invalid session",
    });
  });

  it("goes on when only other tokens change", async () => {
    const { session } = await accessWith(TOKENS).signInOperator("ci-token", "here");
    await expect(opened(accessWith([TOKENS[0]]), session.value)).resolves.toMatchObject({ name: "ci" });
  });
});

describe("the order of credentials", () => {
  const certificates = {
    admit: () => ({ name: "pod", role: "viewer", via: "certificate" }) as const,
    renew: () => undefined,
  };
  const certificate = { names: namesOf(Buffer.alloc(0)), notAfter: Infinity, isTrusted: () => true };

  it("takes the header, then the session, then the certificate", async () => {
    const access = accessWith(TOKENS, { certificates });
    const { session } = await access.signInOperator("ci-token", "here");
    const all = { ...withHeader("Bearer board-token"), session: session.value, certificate };
    expect(await access.admitOperator(all)).toMatchObject({ name: "board" });
    expect(await access.admitOperator({ ...all, authorizationHeader: undefined })).toMatchObject({
      name: "ci",
    });
    expect(
      await access.admitOperator({ ...all, authorizationHeader: undefined, session: undefined }),
    ).toMatchObject({ name: "pod" });
  });

  it("refuses a wrong first credential, whatever follows", async () => {
    const access = accessWith(TOKENS, { certificates });
    const { session } = await access.signInOperator("ci-token", "here");
    for (const wrong of [
      { ...withHeader("Bearer wrong"), session: session.value, certificate },
      { ...withHeader("Digest x"), session: session.value, certificate },
      { ...withHeader(undefined), session: "wrong", certificate },
      { ...withHeader(undefined), session: "", certificate },
    ])
      expect(await failureOf(() => access.admitOperator(wrong))).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("refuses the credentials that a page of another site may have sent", async () => {
    const access = accessWith(TOKENS, { certificates });
    const { session } = await access.signInOperator("ci-token", "here");
    const refused = ["session", "basic", "certificate"] as const;
    for (const foreign of [
      basic("ci:ci-token"),
      { ...withHeader(undefined), session: session.value },
      { ...withHeader(undefined), certificate },
    ])
      expect(await failureOf(() => access.admitOperator({ ...foreign, refused }))).toMatchObject({
        code: "UNAUTHORIZED",
        cause: "request of another site",
      });
    await access.admitOperator({ ...withHeader("Bearer ci-token"), refused });
  });

  it("asks for JWTs before tokens, and takes another text as a token", async () => {
    const jwts = {
      admit: (text: string) =>
        text === "a.jwt.text"
          ? Promise.resolve({ name: "ada", role: "admin", via: "bearer" } as const)
          : undefined,
      renew: () => undefined,
      faultOf: () => undefined,
    };
    const access = accessWith(TOKENS, { jwts });
    expect(await access.admitOperator(withHeader("Bearer a.jwt.text"))).toMatchObject({ via: "bearer" });
    expect(await access.admitOperator(withHeader("Bearer ci-token"))).toMatchObject({ via: "token" });
  });
});

describe("renewing an operator", () => {
  it("gives the present role of a token, or nothing", async () => {
    const operator = await accessWith(TOKENS).admitOperator(basic("ci:ci-token"));
    expect(accessWith(TOKENS).renewOperator(operator)).toEqual(operator);
    expect(accessWith([{ ...TOKENS[0], role: "viewer" }]).renewOperator(operator)).toMatchObject({
      ...{ role: "viewer", via: "basic" },
    });
    expect(accessWith([{ ...TOKENS[0], token: "new" }]).renewOperator(operator)).toBeUndefined();
    expect(accessWith([]).renewOperator(operator)).toBeUndefined();
  });

  it("ends a session whose token has another role", async () => {
    const access = accessWith(TOKENS);
    const { session } = await access.signInOperator("ci-token", "here");
    const operator = await access.admitOperator({ ...withHeader(undefined), session: session.value });
    expect(access.renewOperator(operator)).toEqual(operator);
    expect(accessWith([{ ...TOKENS[0], role: "viewer" }]).renewOperator(operator)).toBeUndefined();
  });
});
