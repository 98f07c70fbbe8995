/** Sessions of operators, and the credentials that a browser adds by itself. */
import type { Request } from "express";
import request from "supertest";
import { refusedCredentials } from "../../../../src/http/session-cookie.ts";
import {
  ADMIN_TOKEN,
  createTestGateway,
  OPERATOR_TOKEN,
  type TestOptions,
  VIEWER_TOKEN,
} from "../../support.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

const open = async (options: TestOptions = {}) => request((await createTestGateway(options)).admin);
type Admin = Awaited<ReturnType<typeof open>>;

const signIn = (admin: Admin, token: string) =>
  admin.post("/session").type("form").set("Accept", BROWSER).send({ token });

/** The cookie, as a browser sends it back. */
const cookieOf = (answer: request.Response): string =>
  String(answer.headers["set-cookie"]).split(";")[0] ?? "";

const signedIn = async (admin: Admin): Promise<string> => cookieOf(await signIn(admin, ADMIN_TOKEN));

describe("GET /session", () => {
  const basicOf = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

  it.each([
    [`Bearer ${ADMIN_TOKEN}`, "admin", "admin", "token"],
    [`Bearer ${VIEWER_TOKEN}`, "look", "viewer", "token"],
    [basicOf(`ops:${OPERATOR_TOKEN}`), "ops", "operator", "basic"],
    [basicOf(`kcctl:${ADMIN_TOKEN}`), "admin", "admin", "basic"],
  ])("shows the operator of %s", async (header, name, role, via) => {
    const answer = await (await open()).get("/session").set("Authorization", header);
    expect([answer.status, answer.body]).toEqual([200, { name, role, via, expires: null }]);
    expect(answer.headers["cache-control"]).toBe("no-store");
  });

  it("shows the operator and the end of a session", async () => {
    const admin = await open();
    const entry = await signIn(admin, VIEWER_TOKEN);
    const answer = await admin.get("/session").set("Cookie", cookieOf(entry)).expect(200);
    const { expires, ...rest } = answer.body as Record<"name" | "role" | "via" | "expires", string>;
    expect(rest).toEqual({ name: "look", role: "viewer", via: "token" });
    expect(new Date(expires).toISOString()).toBe(expires);
    expect(String(entry.headers["set-cookie"])).toContain(`Expires=${new Date(expires).toUTCString()}`);
  });

  it("needs a credential", async () => {
    const answer = await (await open()).get("/session");
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
  });
});

describe("signing in", () => {
  it("redirects to the console, with a cookie that scripts can't read", async () => {
    const admin = await open();
    const answer = await signIn(admin, ADMIN_TOKEN);
    expect([answer.status, answer.headers["location"]]).toEqual([303, "/"]);
    const cookie = String(answer.headers["set-cookie"]);
    expect(cookie).toMatch(/^stationgate-session=[\w-]+; Expires=[^;]+; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(ADMIN_TOKEN);
    const page = await admin
      .get("/")
      .set("Accept", BROWSER)
      .set("Cookie", `a=b; ${cookieOf(answer)}`);
    expect(page.text).toBe("<title>console</title>");
  });

  it.each([
    ["https://gateway.example", true],
    ["HTTPS://gateway.example", true],
    ["http://gateway.example", false],
  ])("makes the cookie Secure if browsers use HTTPS: %s", async (publicUrl, isSecure) => {
    const admin = await open({ publicUrl });
    const entry = await signIn(admin, ADMIN_TOKEN);
    const end = await admin
      .post("/session/end")
      .set({ Cookie: cookieOf(entry), "Sec-Fetch-Site": "same-origin" });
    for (const answer of [entry, end])
      expect(String(answer.headers["set-cookie"]).endsWith("; Secure")).toBe(isSecure);
  });

  it("makes a cookie of at most 700 bytes", async () => {
    const answer = await signIn(await open({ publicUrl: "https://gateway.example" }), ADMIN_TOKEN);
    expect(Buffer.byteLength(String(answer.headers["set-cookie"]))).toBeLessThanOrEqual(700);
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
    ["of another port of the host", { Origin: "http://console.example:4446" }, 401],
    ["of an address bar", { "Sec-Fetch-Site": "none" }, 401],
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
    ["with an Origin that is not a URL", { Origin: "nonsense" }, 401],
    ["of another port of the host in an old browser", { Origin: "http://console.example:4446" }, 401],
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

  it.each([
    ["a script of the console", "GET", "cors", []],
    ["a form of the console", "POST", "navigate", []],
    [
      "a link of the console, or the page after the sign-in",
      "GET",
      "navigate",
      ["session", "basic", "certificate"],
    ],
  ])("counts or not in a change by %s", (_, method, mode, refused) => {
    const headers = { "sec-fetch-site": "same-origin", "sec-fetch-mode": mode };
    expect(refusedCredentials({ method, headers } as unknown as Request, true)).toEqual(refused);
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

  it("needs no port in Host and Origin if it is the default one", async () => {
    const admin = await open();
    const cookie = await signedIn(admin);
    for (const [host, origin, status] of [
      ["console.example", "https://console.example", 200],
      ["console.example:443", "https://console.example", 200],
      ["console.example:80", "https://console.example", 401],
    ] as const)
      await admin
        .post("/stations/plain/events")
        .set({ Host: host, Origin: origin, Cookie: cookie })
        .send({ value: "{}" })
        .expect(status);
  });

  it.each([
    ["http", undefined, "https", 401],
    ["https", undefined, "https", 200],
    ["http", "https://console.example", "http", 401],
    ["https", "https://console.example", "http", 200],
    ["http", "https://other.example", "http", 200],
    ["http", undefined, "http", 200],
    ["https", undefined, "http", 200],
  ] as const)(
    "counts or not with an Origin by %s, the public URL %s and a connection by %s",
    async (scheme, publicUrl, proto, status) => {
      const admin = await open({ trustProxy: 1, ...(publicUrl && { publicUrl }) });
      const cookie = await signedIn(admin);
      const answer = await admin
        .post("/stations/plain/events")
        .set({ Host: "console.example", Origin: `${scheme}://console.example`, Cookie: cookie })
        .set("X-Forwarded-Proto", proto)
        .send({ value: "{}" });
      expect(answer.status).toBe(status);
    },
  );

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
