/** The audit entries of requests. */
import request from "supertest";
import { refusalOf } from "../../src/auth/operators/operator.ts";
import { GatewayError } from "../../src/errors.ts";
import {
  ADMIN_TOKEN,
  createTestGateway,
  OPERATOR_TOKEN,
  type TestGateway,
  type TestOptions,
  VIEWER_TOKEN,
} from "./support.ts";

const open = async (options: TestOptions = {}) => {
  const gateway = await createTestGateway(options);
  return { gateway, admin: request(gateway.admin) };
};

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** The entries without their time and address, which differ from run to run. */
const entriesOf = ({ audited }: TestGateway) =>
  audited.map(({ time, address, ...entry }) => {
    expect([typeof time, typeof address]).toEqual(["number", "string"]);
    return entry;
  });

const LINE = { level: "info", msg: "audit" };

describe("the audit of a change", () => {
  it("names the operator, the target and the outcome", async () => {
    const { gateway, admin } = await open();
    await admin
      .post("/stations/Plain/events?secret=in-the-query")
      .set({ ...bearer(OPERATOR_TOKEN), "X-Request-Id": "r-1" })
      .send({ value: '"secret-in-the-body"' })
      .expect(200);
    expect(entriesOf(gateway)).toEqual([
      {
        ...LINE,
        ...{ action: "station.event", actor: "ops", role: "operator", via: "token", requestId: "r-1" },
        ...{ target: "plain", outcome: "done", status: 200 },
      },
    ]);
    expect(JSON.stringify(gateway.audited)).not.toContain("secret");
  });

  it.each([
    ["a role that is too low", VIEWER_TOKEN, "plain", "{}", 403],
    ["an unknown station", ADMIN_TOKEN, "nope", "{}", 404],
    ["an empty event", ADMIN_TOKEN, "plain", "", 400],
  ])("records a refusal because of %s", async (_, token, station, ...[value, status]) => {
    const { gateway, admin } = await open();
    await admin.post(`/stations/${station}/events`).set(bearer(token)).send({ value }).expect(status);
    expect(entriesOf(gateway)).toMatchObject([
      { action: "station.event", target: station, outcome: "refused", status },
    ]);
  });

  it("records nothing of an unknown caller, and nothing that changes nothing", async () => {
    const { gateway, admin } = await open();
    await admin.post("/stations/plain/events").send({ value: "{}" }).expect(401);
    await admin.post("/stations/plain/events").set(bearer("wrong")).send({ value: "{}" }).expect(401);
    await admin.get("/stations").set(bearer(ADMIN_TOKEN)).expect(200);
    expect(gateway.audited).toEqual([]);
  });

  it("names a caller whose token has no role", async () => {
    const caller = { name: "eve", via: "bearer", subject: { iss: "https://id.example", sub: "1" } } as const;
    const refusal = refusalOf(caller, new GatewayError("ROLE_FORBIDDEN", { cause: "no role" }));
    const operatorJwts = {
      admit: () => Promise.reject(refusal),
      renew: () => undefined,
      faultOf: () => undefined,
    };
    const { gateway, admin } = await open({ operatorJwts });
    await admin.post("/stations/plain/events").set(bearer("a.b.c")).send({ value: "{}" }).expect(403);
    await admin.get("/stations").set(bearer("a.b.c")).expect(403);
    expect(entriesOf(gateway)).toEqual([
      {
        ...LINE,
        ...{ action: "station.event", actor: "eve", via: "bearer", subject: caller.subject },
        ...{ target: "plain", outcome: "refused", status: 403 },
        requestId: expect.any(String) as unknown,
      },
    ]);
  });

  it("cuts a long name in the path", async () => {
    const { gateway, admin } = await open();
    await admin
      .post(`/stations/${"n".repeat(4000)}/events`)
      .set(bearer(ADMIN_TOKEN))
      .send({ value: "{}" })
      .expect(400);
    const [{ target = "" } = {}] = gateway.audited;
    expect(target.length).toBeLessThan(310);
  });
});

describe("the audit of sign-ins", () => {
  it("names the operator of a session", async () => {
    const { gateway, admin } = await open();
    const answer = await admin.post("/session").send({ token: VIEWER_TOKEN }).expect(303);
    const cookie = String(answer.headers["set-cookie"]).split(";")[0] ?? "";
    await admin.post("/session/end").set({ Cookie: cookie, "Sec-Fetch-Site": "same-origin" }).expect(303);
    const by = { actor: "look", role: "viewer", via: "token" };
    expect(entriesOf(gateway)).toMatchObject([
      { ...by, action: "session.begin", outcome: "done", status: 303 },
      { ...by, action: "session.end", outcome: "done", status: 303 },
    ]);
  });

  it("says why a sign-in was refused, without the token", async () => {
    const { gateway, admin } = await open();
    for (let i = 0; i < 10; i += 1)
      await admin
        .post("/session")
        .send({ token: `guess-${i}` })
        .expect(401);
    await admin.post("/session").send({ token: ADMIN_TOKEN }).expect(429);
    const entries = entriesOf(gateway);
    expect(entries[0]).toEqual({
      ...LINE,
      action: "session.begin",
      outcome: "refused",
      status: 401,
      via: "token",
      reason: "wrong admin token",
      requestId: expect.any(String) as unknown,
    });
    expect(entries[10]).toMatchObject({
      outcome: "refused",
      status: 429,
      reason: "Too many failed attempts",
    });
    expect(JSON.stringify(entries)).not.toMatch(/guess|operators-only/);
  });

  it("records a sign-in whose body can't be read", async () => {
    const { gateway, admin } = await open();
    await admin.post("/session").type("text/plain").send("token=secret").expect(400);
    expect(entriesOf(gateway)).toMatchObject([
      { action: "session.begin", via: "token", outcome: "refused", status: 400 },
    ]);
    expect(JSON.stringify(gateway.audited)).not.toContain("secret");
  });

  it("names the account of a client, if there is one", async () => {
    const { gateway } = await open();
    const clients = request(gateway.app);
    const signIn = (username: string, password: string) =>
      clients.post("/auth/authenticate").send({ username, password });
    await signIn("root", "root-password").expect(200);
    await signIn("root$7", "wrong").expect(401);
    await signIn("my-password-typed-as-a-name", "wrong").expect(401);
    expect(entriesOf(gateway)).toMatchObject([
      { action: "client.sign-in", actor: "root", outcome: "done", status: 200 },
      { action: "client.sign-in", actor: "root", outcome: "refused", reason: "wrong login" },
      { action: "client.sign-in", outcome: "refused", reason: "wrong login" },
    ]);
    expect(JSON.stringify(gateway.audited)).not.toContain("password");
  });
});

describe("the station of the audit", () => {
  it("accepts no event of a client or of an operator", async () => {
    const { gateway, admin } = await open({ reservedTopic: "plain" });
    await admin.post("/stations/plain/events").set(bearer(ADMIN_TOKEN)).send({ value: "{}" }).expect(403);
    const authorization = `Bearer ${await gateway.token()}`;
    const clients = request(gateway.app);
    const single = await clients
      .post("/stations/plain/produce/single")
      .set({ authorization, "content-type": "application/json" })
      .send("{}");
    expect([single.status, single.body]).toEqual([
      403,
      {
        error: "station plain has the audit entries; only the gateway stores events in it",
        success: false,
      },
    ]);
    await clients
      .post("/topics/plain")
      .set({ authorization, "content-type": "application/vnd.kafka.json.v2+json" })
      .send(JSON.stringify({ records: [{ value: 1 }] }))
      .expect(403);
    expect(await gateway.records("plain")).toEqual([]);
  });
});
