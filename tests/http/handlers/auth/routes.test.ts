import request, { type Test } from "supertest";
import { createTestGateway, type TestGateway } from "../../support.ts";

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await createTestGateway();
});

const FIELDS =
  "Some of your fields are not valid it is usually because you are missing some fields or you are sending wrong data " +
  "types, also please notice that account_id field should be sent as a number rather than a string";
const MISSING_NAME = [{ field: "Username", reason: "required" }];
const UNAUTHORIZED = { message: "Unauthorized" };

const post = (path: string): Test => request(gateway.app).post(path);
const authenticate = (body: unknown): Test => post("/auth/authenticate").send(body as object);
const refresh = (body: unknown): Test => post("/auth/refreshToken").send(body as object);
/** supertest gives texts a content type when they have none; to bytes it doesn't. */
const send = (test: Test, contentType: string, body: string): Test =>
  contentType === "" ? test.send(Buffer.from(body)) : test.set("Content-Type", contentType).send(body);
const LOGIN = { username: "root", connection_token: "root-token" };

interface Pair {
  readonly jwt: string;
  readonly jwt_refresh_token: string;
}
const pair = async (more: object = {}): Promise<Pair> =>
  (await authenticate({ ...LOGIN, ...more })).body as Pair;

describe("authenticate", () => {
  it("answers with two tokens and their lifetimes in milliseconds, and forbids caching", async () => {
    const answer = await authenticate(LOGIN);
    expect(answer.status).toBe(200);
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(answer.body).toEqual({
      jwt: expect.any(String) as string,
      expires_in: 900_000,
      jwt_refresh_token: expect.any(String) as string,
      refresh_token_expires_in: 18_000_000,
    });
  });

  it.each([
    ["a password", { username: "root", password: "root-password" }],
    ["one right credential of two", { ...LOGIN, password: "wrong" }],
    ["the other right one", { username: "root", connection_token: "wrong", password: "root-password" }],
    ["an account in the name", { ...LOGIN, username: "root$7" }],
    ["nulls for what is absent", { ...LOGIN, password: null, account_id: null, scope: null }],
    ["expiries that mean the default", { ...LOGIN, token_expiry_in_minutes: 0 }],
  ])("accepts %s", async (_, body) => {
    expect((await authenticate(body)).status).toBe(200);
  });

  it("accepts a form", async () => {
    const answer = await post("/auth/authenticate")
      .type("form")
      .send("username=root&connection_token=root-token&account_id=3&token_expiry_in_minutes=2");
    expect([answer.status, (answer.body as { expires_in: number }).expires_in]).toEqual([200, 120_000]);
  });

  it("accepts JSON with a charset, and paths in any case", async () => {
    const answer = await post("/AUTH/Authenticate/")
      .set("Content-Type", "application/json; charset=UTF-8")
      .send(JSON.stringify(LOGIN));
    expect(answer.status).toBe(200);
  });

  it("uses the requested lifetimes, up to the maximum", async () => {
    const wanted = { ...LOGIN, token_expiry_in_minutes: 5, refresh_token_expiry_in_minutes: 7 };
    expect((await authenticate(wanted)).body).toMatchObject({
      expires_in: 300_000,
      refresh_token_expires_in: 420_000,
    });
    const tooLong = await authenticate({ ...LOGIN, token_expiry_in_minutes: 1441 });
    expect([tooLong.status, tooLong.body]).toMatchObject([200, { expires_in: 86_400_000 }]);
  });

  it.each([{ password: "x" }, {}, { username: "" }, { username: null }])(
    "refuses %j because the username is missing",
    async (body) => {
      const answer = await authenticate(body);
      expect([answer.status, answer.body]).toEqual([400, { message: MISSING_NAME }]);
    },
  );

  it.each([
    ["application/json", "{"],
    ["application/json", ""],
    ["application/json", "[]"],
    ["application/json", "null"],
    ["application/json", '"root"'],
    ["application/json", '{"username":7}'],
    ["application/json", '{"username":"root","account_id":"7"}'],
    ["application/json", '{"username":"root","account_id":1.5}'],
    ["application/json", '{"username":"root","token_expiry_in_minutes":"5"}'],
    ["application/json", '{"username":"root","password":5}'],
    ["application/json", '{"username":"root","refresh":"no"}'],
    ["application/x-www-form-urlencoded", "username=root&account_id=seven"],
    ["text/plain", JSON.stringify(LOGIN)],
    ["", JSON.stringify(LOGIN)],
  ])("refuses %s %s", async (contentType, body) => {
    const answer = await send(post("/auth/authenticate"), contentType, body);
    expect([answer.status, answer.body]).toEqual([400, { message: FIELDS }]);
  });

  it.each([
    [{ username: "root", password: "wrong" }],
    [{ username: "root" }],
    [{ username: "nobody", password: "root-password" }],
  ])("answers %j with the same error", async (body) => {
    const answer = await authenticate(body);
    expect([answer.status, answer.body]).toEqual([401, UNAUTHORIZED]);
  });

  it.each([
    ["the URL's alone", "?accountId=7", {}, 7],
    ["zero", "?accountId=0", {}, 0],
    ["the body's before the URL's", "?accountId=7", { account_id: 3 }, 3],
    ["the URL's where the body says null", "?accountId=7", { account_id: null }, 7],
    ["the username's before both", "?accountId=7", { account_id: 3, username: "root$9" }, 9],
    ["none", "?other=7", {}, undefined],
  ])("puts the account id into the token: %s", async (_, query, more, expected) => {
    const answer = await post(`/auth/authenticate${query}`).send({ ...LOGIN, ...more });
    expect(answer.status).toBe(200);
    const payload = (answer.body as Pair).jwt.split(".")[1] ?? "";
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as { account_id?: number };
    expect(claims.account_id).toBe(expected);
  });

  it.each(["seven", "", "1.5", "0x7", "7&accountId=8", "1234567890123456", "%207"])(
    "refuses ?accountId=%s, also if the body has an account id",
    async (value) => {
      for (const more of [{}, { account_id: 3 }]) {
        const answer = await post(`/auth/authenticate?accountId=${value}`).send({ ...LOGIN, ...more });
        expect([answer.status, answer.body]).toEqual([400, { message: FIELDS }]);
      }
    },
  );

  it("throttles wrong logins", async () => {
    for (let n = 0; n < 10; n++) await authenticate({ username: "app", password: "wrong" });
    let answer = await authenticate({ username: "app", password: "wrong" });
    for (let n = 0; n < 3 && answer.status === 401; n++)
      answer = await authenticate({ username: "app", password: "wrong" });
    expect(answer.status).toBe(429);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(answer.body).toHaveProperty("message");
  });

  it("narrows the token to the scope, and omits the refresh token on request", async () => {
    const narrow = await authenticate({ ...LOGIN, refresh: false, scope: { stations: ["plain"] } });
    expect(Object.keys(narrow.body as object)).toEqual(["jwt", "expires_in"]);
    const { jwt } = narrow.body as Pair;
    const produce = post("/stations/hidden/produce/single").set("Authorization", `Bearer ${jwt}`);
    expect((await produce.send({})).status).toBe(403);
    const malformed = await authenticate({ ...LOGIN, scope: { station: "plain" } });
    expect(malformed.status).toBe(400);
    expect(malformed.body).toHaveProperty("message");
  });
});

describe("refreshToken", () => {
  it("accepts the token in the body, with lifetimes", async () => {
    const { jwt_refresh_token } = await pair();
    const answer = await refresh({ jwt_refresh_token, token_expiry_in_minutes: 1 });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ expires_in: 60_000, refresh_token_expires_in: 18_000_000 });
  });

  it("accepts it at /auth/authenticate if the body has no username", async () => {
    const { jwt, jwt_refresh_token } = await pair();
    const answer = await authenticate({ jwt_refresh_token, token_expiry_in_minutes: 2 });
    expect([answer.status, answer.body]).toMatchObject([200, { expires_in: 120_000 }]);
    expect((await authenticate({ jwt_refresh_token: jwt })).status).toBe(401);
    expect((await authenticate({ jwt_refresh_token, username: "root", password: "wrong" })).status).toBe(401);
    for (const empty of ["", null])
      expect((await authenticate({ jwt_refresh_token: empty })).body).toEqual({ message: MISSING_NAME });
  });

  it("accepts it as a bearer token with an empty body", async () => {
    const { jwt_refresh_token } = await pair();
    const answer = await post("/auth/refreshToken").set("Authorization", `bearer ${jwt_refresh_token}`);
    expect(answer.status).toBe(200);
  });

  it("refuses access tokens, invalid tokens and missing tokens", async () => {
    const { jwt } = await pair();
    for (const body of [{ jwt_refresh_token: jwt }, { jwt_refresh_token: "x" }, {}]) {
      const answer = await refresh(body);
      expect([answer.status, answer.body]).toEqual([401, UNAUTHORIZED]);
    }
    expect((await post("/auth/refreshToken")).status).toBe(401);
    expect((await post("/auth/refreshToken").set("Authorization", `Bearer ${jwt}`)).status).toBe(401);
  });

  it.each([
    ["application/json", "{"],
    ["application/json", '{"jwt_refresh_token":7}'],
    ["", '{"jwt_refresh_token":"x"}'],
    ["text/plain", "x"],
  ])("refuses %s %s", async (contentType, body) => {
    const answer = await send(post("/auth/refreshToken"), contentType, body);
    expect([answer.status, answer.body]).toEqual([400, { message: FIELDS }]);
  });
});
