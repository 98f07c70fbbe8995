import { createOperatorDoor } from "../../src/auth/operator.ts";
import { createSecretVerifier } from "../../src/auth/secrets.ts";
import { createFailureThrottle } from "../../src/auth/throttle.ts";
import { cheapHash, failureOf } from "./support.ts";

let now = 1_000_000;

const doorWith = (adminToken: string | undefined, secrets = ["installation-secret"]) =>
  createOperatorDoor({
    adminToken,
    verify: createSecretVerifier(),
    throttle: createFailureThrottle({ limit: 3, windowMs: 60_000, now: () => now }),
    secrets,
    now: () => now,
  });

const HOUR = 3_600_000;

describe("the operators' door", () => {
  it.each(["admin-token", cheapHash("admin-token")])(
    "opens to the admin token, configured as %s",
    async (configured) => {
      await expect(doorWith(configured).admitOperator("Bearer admin-token")).resolves.toBeUndefined();
    },
  );

  it.each([undefined, "", "admin-token", "Bearer wrong", "Bearer  admin-token", "ApiKey admin-token"])(
    "stays shut to %p",
    async (header) => {
      for (const configured of ["admin-token", cheapHash("admin-token")])
        expect(await failureOf(() => doorWith(configured).admitOperator(header))).toMatchObject({
          code: "UNAUTHORIZED",
          message: "Unauthorized",
        });
    },
  );

  it("stays shut to everybody while there is no admin token", async () => {
    const door = doorWith(undefined);
    for (const header of [undefined, "", "Bearer ", "Bearer undefined"])
      expect(await failureOf(() => door.admitOperator(header))).toMatchObject({ code: "UNAUTHORIZED" });
    expect(await failureOf(() => door.signInOperator("", "here"))).toMatchObject({ code: "UNAUTHORIZED" });
  });
});

describe("a session", () => {
  const signedIn = async (door = doorWith("admin-token")): Promise<string> =>
    (await door.signInOperator("admin-token", "here")).value;

  const refused = (door: ReturnType<typeof doorWith>, session: string, header?: string) =>
    failureOf(() => door.admitOperator(header, session));

  it.each(["admin-token", cheapHash("admin-token")])(
    "opens the door of every process of the same settings (%s)",
    async (configured) => {
      const session = await signedIn(doorWith(configured));
      await expect(doorWith(configured).admitOperator(undefined, session)).resolves.toBeUndefined();
    },
  );

  it("opens the door of its own process alone where the settings have no token secrets", async () => {
    const door = doorWith("admin-token", []);
    const session = await signedIn(door);
    await expect(door.admitOperator(undefined, session)).resolves.toBeUndefined();
    expect(await refused(doorWith("admin-token", []), session)).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("is over after a working day", async () => {
    const door = doorWith("admin-token");
    const { value, expires } = await door.signInOperator("admin-token", "here");
    expect(expires - now).toBe(8 * HOUR);
    now += 8 * HOUR - 1000;
    await expect(door.admitOperator(undefined, value)).resolves.toBeUndefined();
    now += 1000;
    expect(await refused(door, value)).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("is worth nothing where the token, or the secret that signed it, is another", async () => {
    const session = await signedIn();
    for (const door of [doorWith("another"), doorWith("admin-token", ["another"]), doorWith(undefined)])
      expect(await refused(door, session)).toMatchObject({ code: "UNAUTHORIZED" });
    await expect(
      doorWith("admin-token", ["new", "installation-secret"]).admitOperator(undefined, session),
    ).resolves.toBeUndefined();
  });

  it("can't be changed", async () => {
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

  it("makes no wrong header good", async () => {
    const door = doorWith("admin-token");
    expect(await refused(door, await signedIn(door), "Bearer wrong")).toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("is for who has the token, and guessing it is slowed down", async () => {
    const door = doorWith("admin-token");
    for (const guess of ["", "wrong", "worse"])
      expect(await failureOf(() => door.signInOperator(guess, "here"))).toMatchObject({
        code: "UNAUTHORIZED",
      });
    expect(await failureOf(() => door.signInOperator("admin-token", "here"))).toMatchObject({
      code: "LOGIN_THROTTLED",
    });
    expect((await door.signInOperator("admin-token", "elsewhere")).value).not.toBe("");
  });
});
