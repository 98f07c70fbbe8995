/** The console's door, as browsers and programs come to it. */
import request from "supertest";
import { ADMIN_TOKEN, createTestGateway } from "../../support.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const OPERATOR = `Bearer ${ADMIN_TOKEN}`;

const open = async () => request((await createTestGateway()).admin);
type Admin = Awaited<ReturnType<typeof open>>;

const signIn = (admin: Admin, token: string) =>
  admin.post("/session").type("form").set("Accept", BROWSER).send({ token });

/** The cookie, as a browser sends it back. */
const cookieOf = (answer: request.Response): string =>
  String(answer.headers["set-cookie"]).split(";")[0] ?? "";

const signedIn = async (admin: Admin): Promise<string> => cookieOf(await signIn(admin, ADMIN_TOKEN));

describe("GET /", () => {
  it("is the console for a browser with a credential", async () => {
    const admin = await open();
    const answer = await admin.get("/").set("Accept", BROWSER).set("Authorization", OPERATOR);
    expect([answer.status, answer.text]).toEqual([200, "<title>console</title>"]);
    expect(answer.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      vary: "Accept",
      "x-content-type-options": "nosniff",
    });
    const policy = String(answer.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain("unsafe");
  });

  it.each(["*/*", "application/json", "application/json, text/html"])(
    "is Kafka Connect's root for clients that accept %s",
    async (accept) => {
      const admin = await open();
      await admin
        .get("/")
        .set("Accept", accept)
        .set("Authorization", OPERATOR)
        .expect(200, { version: "1.2.3", commit: "abc", kafka_cluster_id: "stationgate" });
      const refused = await admin.get("/").set("Accept", accept);
      expect([refused.status, refused.type]).toEqual([401, "application/json"]);
    },
  );

  it.each(["/", "/stations", "/nowhere"])(
    "shows the sign-in page to a browser without a credential (%s)",
    async (path) => {
      const answer = await (await open()).get(path).set("Accept", BROWSER);
      expect([answer.status, answer.text]).toEqual([401, "<title>sign in</title>"]);
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
      expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
    },
  );
});

describe("signing in", () => {
  it("redirects to the console, with a cookie that scripts can't read", async () => {
    const admin = await open();
    const answer = await signIn(admin, ADMIN_TOKEN);
    expect([answer.status, answer.headers["location"]]).toEqual([303, "/"]);
    const cookie = String(answer.headers["set-cookie"]);
    expect(cookie).toMatch(
      /^stationgate-session=[\w.-]+; Expires=[^;]+; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    expect(cookie).not.toContain(ADMIN_TOKEN);
    const page = await admin
      .get("/")
      .set("Accept", BROWSER)
      .set("Cookie", `a=b; ${cookieOf(answer)}`);
    expect(page.text).toBe("<title>console</title>");
  });

  it("names the error, and throttles wrong tokens", async () => {
    const admin = await open();
    for (let i = 0; i < 10; i += 1) {
      const answer = await signIn(admin, `guess ${i}`);
      expect([answer.status, answer.headers["set-cookie"]]).toEqual([401, undefined]);
      expect(answer.text).toContain('<p role="alert">This is not the operators’ token.</p>');
    }
    const answer = await signIn(admin, ADMIN_TOKEN);
    expect([answer.status, answer.headers["set-cookie"]]).toEqual([429, undefined]);
    expect(answer.text).toContain("Too many wrong tokens");
  });

  it("names its own member if the body is not readable", async () => {
    const admin = await open();
    const answer = await admin.post("/session").type("text").send("token");
    expect(answer.body).toMatchObject({
      code: "FIELDS_INVALID",
      detail: "The body must be a form or JSON, with the member token",
    });
  });

  it("answers programs with a problem document", async () => {
    const admin = await open();
    const answer = await admin.post("/session").send({ token: "wrong" });
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([401, "UNAUTHORIZED"]);
  });
});

describe("Basic credentials", () => {
  const basic = { Authorization: `Basic ${Buffer.from(`kcctl:${ADMIN_TOKEN}`).toString("base64")}` };

  it.each([
    ["of a program", {}, 200],
    ["of the console", { "Sec-Fetch-Site": "same-origin" }, 200],
    ["of this origin in an old browser", { Origin: "http://console.example:4445" }, 200],
    ["of another site", { "Sec-Fetch-Site": "cross-site" }, 401],
    ["of another origin", { Origin: "http://evil.example" }, 401],
  ])("authenticate a change %s: %o", async (_, headers, status) => {
    const admin = await open();
    const answer = await admin
      .post("/stations/plain/events")
      .set("Host", "console.example:4445")
      .set(basic)
      .set(headers)
      .send({ value: "{}" });
    expect(answer.status).toBe(status);
    expect(answer.headers["www-authenticate"]).not.toBe("Basic");
  });

  it("authenticate requests that change nothing", async () => {
    const admin = await open();
    await admin.get("/stations").set(basic).set({ "Sec-Fetch-Site": "cross-site" }).expect(200);
  });
});

describe("the cookie", () => {
  const SAME = { "Sec-Fetch-Site": "same-origin" };

  it("is a credential for requests of the console", async () => {
    const admin = await open();
    const cookie = await signedIn(admin);
    await admin.get("/stations").set("Cookie", cookie).set(SAME).expect(200);
    await admin.get("/stations").set("Cookie", cookie).expect(200);
  });

  it.each([
    ["that another site makes", { "Sec-Fetch-Site": "cross-site" }, 401],
    ["that another port of the host makes", { "Sec-Fetch-Site": "same-site" }, 401],
    ["of which nobody says who makes it", {}, 401],
    ["of another origin", { Origin: "http://evil.example" }, 401],
    ["of a sandboxed page", { Origin: "null" }, 401],
    ["that claims to be ours in another scheme's words", { Origin: "nonsense" }, 401],
    ["of the console", SAME, 200],
    ["of the console in an old browser", { Origin: "http://console.example:4445" }, 200],
    [
      "whose origin is ours, and which a foreign page makes",
      { Origin: "http://console.example:4445", "Sec-Fetch-Site": "same-site" },
      401,
    ],
  ])("authenticates a change %s: %o", async (_, headers, status) => {
    const admin = await open();
    const cookie = await signedIn(admin);
    const answer = await admin
      .post("/stations/plain/events")
      .set("Host", "console.example:4445")
      .set("Cookie", cookie)
      .set(headers)
      .send({ value: "{}" });
    expect(answer.status).toBe(status);
  });

  it("does not authenticate requests of other sites", async () => {
    const admin = await open();
    const cookie = await signedIn(admin);
    await admin.get("/stations").set("Cookie", cookie).set({ "Sec-Fetch-Site": "same-site" }).expect(401);
    await admin
      .get("/")
      .set("Cookie", cookie)
      .set({ "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", Accept: BROWSER })
      .expect(200);
  });

  it("is ignored beside a wrong token", async () => {
    const admin = await open();
    const cookie = await signedIn(admin);
    await admin.get("/stations").set("Cookie", cookie).set("Authorization", "Bearer wrong").expect(401);
  });

  it("is deleted at sign-out", async () => {
    const admin = await open();
    const cookie = await signedIn(admin);
    await admin.post("/session/end").set("Cookie", cookie).expect(401);
    const answer = await admin.post("/session/end").set("Cookie", cookie).set(SAME);
    expect([answer.status, answer.headers["location"]]).toEqual([303, "/"]);
    expect(String(answer.headers["set-cookie"])).toMatch(/^stationgate-session=; Max-Age=0; Path=\/;/);
  });
});

describe("the console's files", () => {
  it("need no credential, and are revalidated each time", async () => {
    const admin = await open();
    const answer = await admin.get("/console/main.js");
    expect([answer.status, answer.text]).toEqual([200, "export {};"]);
    expect(answer.headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "no-cache",
      "cross-origin-resource-policy": "same-origin",
    });
    await admin.get("/console/main.js").set("If-None-Match", String(answer.headers["etag"])).expect(304);
  });

  it.each(["/console/nothing.js", "/console/../package.json", "/console/%2e%2e%2fpackage.json"])(
    "include no other file (%s)",
    async (path) => {
      await (await open()).get(path).set("Authorization", OPERATOR).expect(404);
    },
  );
});
