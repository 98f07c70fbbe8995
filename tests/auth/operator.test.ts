import { createOperatorAccess } from "../../src/auth/operator.ts";
import { createSecretVerifier, derivationTurns } from "../../src/auth/secrets.ts";
import { createFailureThrottle } from "../../src/auth/throttle.ts";
import { cheapHash, failureOf } from "./support.ts";

let now = 1_000_000;

const doorWith = (adminToken: string | undefined, secrets = ["installation-secret"]) =>
  createOperatorAccess({
    adminToken,
    verifier: createSecretVerifier({ turns: derivationTurns() }),
    throttle: createFailureThrottle({ limit: 3, windowMs: 60_000, now: () => now }),
    secrets,
    now: () => now,
  });

const HOUR = 3_600_000;

const withHeader = (authorizationHeader: string | undefined, address = "here") => ({
  authorizationHeader,
  address,
});

describe("operator authentication", () => {
  it.each(["admin-token", cheapHash("admin-token")])(
    "accepts the admin token, configured as %s",
    async (configured) => {
      await expect(
        doorWith(configured).admitOperator(withHeader("Bearer admin-token")),
      ).resolves.toBeUndefined();
    },
  );

  it.each(["admin:admin-token", ":admin-token", "a:admin-token"])(
    "accepts the admin token as the Basic password, with every user name: %s",
    async (pair) => {
      const header = `Basic ${Buffer.from(pair).toString("base64")}`;
      await expect(doorWith("admin-token").admitOperator(withHeader(header))).resolves.toBeUndefined();
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
  const signedIn = async (door = doorWith("admin-token")): Promise<string> =>
    (await door.signInOperator("admin-token", "here")).value;

  const refused = (door: ReturnType<typeof doorWith>, session: string, header?: string) =>
    failureOf(() => door.admitOperator({ ...withHeader(header), session }));

  it.each(["admin-token", cheapHash("admin-token")])(
    "is valid in every process with the same settings (%s)",
    async (configured) => {
      const session = await signedIn(doorWith(configured));
      await expect(
        doorWith(configured).admitOperator({ ...withHeader(undefined), session }),
      ).resolves.toBeUndefined();
    },
  );

  it("is valid only in its own process if the settings have no token secrets", async () => {
    const door = doorWith("admin-token", []);
    const session = await signedIn(door);
    await expect(door.admitOperator({ ...withHeader(undefined), session })).resolves.toBeUndefined();
    expect(await refused(doorWith("admin-token", []), session)).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("expires after eight hours", async () => {
    const door = doorWith("admin-token");
    const { value, expires } = await door.signInOperator("admin-token", "here");
    expect(expires - now).toBe(8 * HOUR);
    now += 8 * HOUR - 1000;
    await expect(door.admitOperator({ ...withHeader(undefined), session: value })).resolves.toBeUndefined();
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
    ).resolves.toBeUndefined();
  });

  it("is invalid after any change of its text", async () => {
    const door = doorWith("admin-token");
    const session = await signedIn(door);
    const [seconds = "", ...rest] = session.split(".");
    const last = session.at(-2) === "A" ? "B" : "A";
    const changed = [
      [String(Number(seconds) + 1), ...rest].join("."),
      `${session.slice(0, -2)}${last}${session.slice(-1)}`,
      session.slice(0, -1),
      `${session}A`,
      "",
      "..",
    ];
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
    expect((await door.signInOperator("admin-token", "elsewhere")).value).not.toBe("");
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
    const { value: session } = await door.signInOperator("admin-token", "here");
    for (const header of [undefined, "", "Basic YTo=", "ApiKey YTpi"])
      expect(new Set(await codes(door, header, "here", 5))).toEqual(new Set(["UNAUTHORIZED"]));
    await door.admitOperator(withHeader("Bearer admin-token"));
    await codes(door, "Bearer wrong", "here", 3);
    await expect(door.admitOperator({ ...withHeader(undefined), session })).resolves.toBeUndefined();
  });
});
