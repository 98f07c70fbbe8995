/** The sign-in with the identity provider over HTTP: redirects, cookies and pages. */
import request from "supertest";
import {
  refusedByProvider,
  providerUnreachable,
  unknownSignIn,
  withoutRole,
  wrongAnswer,
} from "../../../../src/auth/oidc/failures.ts";
import type {
  CallbackParameters,
  FinishedSignIn,
  ProviderSignIn,
} from "../../../../src/auth/oidc/sign-in.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { createTestGateway } from "../../support.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const PUBLIC_URL = "https://gateway.example";
const HOST = { Host: "gateway.example" };
const STATE = "abcdefgh-the-rest-of-it";
const EVE = { iss: "https://id.example", sub: "eve-1" };
const LOCATION = "https://id.example/authorize?state=x";

interface Finish {
  readonly state: string | undefined;
  readonly sealed: string | undefined;
}

/** `failure`: of both steps. */
const open = async (failure?: GatewayError, finished: Partial<FinishedSignIn> = {}) => {
  const begun: (string | null)[] = [];
  const finishes: Finish[] = [];
  const settled = <T>(result: T): Promise<T> =>
    failure === undefined ? Promise.resolve(result) : Promise.reject(failure);
  const signIn: ProviderSignIn = {
    issuer: "https://id.example",
    begin: (returnTo) => {
      begun.push(returnTo);
      return settled({ location: LOCATION, state: STATE, sealed: "the-sealed-sign-in" });
    },
    finish: (parameters: CallbackParameters, sealed) => {
      finishes.push({ state: parameters.getAll("state")[0], sealed });
      return settled({
        operator: { name: "Ann & <b>", role: "operator", sub: "sub-1" },
        returnTo: "/",
        ...finished,
      });
    },
    endSessionUrl: () => "https://id.example/logout?client_id=stationgate",
  };
  const provider = { signIn, publicUrl: PUBLIC_URL, label: "Example <ID>" };
  const gateway = await createTestGateway({ publicUrl: PUBLIC_URL, provider });
  return { ...gateway, admin: request(gateway.admin), begun, finishes };
};

const cookiesOf = (answer: request.Response): readonly string[] =>
  (answer.headers["set-cookie"] as unknown as string[] | undefined) ?? [];

describe("GET /session/oidc", () => {
  it("redirects to the identity provider, with a cookie of this tab", async () => {
    const { admin, begun } = await open();
    const answer = await admin.get("/session/oidc?return=%2F%23%2Fhealth").set(HOST);
    expect([answer.status, answer.headers["location"], begun]).toEqual([302, LOCATION, ["/#/health"]]);
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(cookiesOf(answer)).toEqual([
      "stationgate-signin-abcdefgh=the-sealed-sign-in; Max-Age=600; Path=/session/oidc; HttpOnly; SameSite=Lax; Secure",
    ]);
  });

  it.each(["gateway.example:443", "GATEWAY.example"])("knows its own host: %s", async (host) => {
    const { admin } = await open();
    const answer = await admin.get("/session/oidc").set({ Host: host });
    expect(answer.headers["location"]).toBe(LOCATION);
  });

  it.each(["127.0.0.1:4445", "gateway.example:4445", "evil.example", "["])(
    "redirects from %s to the public URL",
    async (host) => {
      const { admin, begun } = await open();
      const answer = await admin.get("/session/oidc?return=%2Fdocs&a=b").set({ Host: host });
      expect([answer.status, answer.headers["location"]]).toEqual([
        302,
        `${PUBLIC_URL}/session/oidc?return=%2Fdocs&a=b`,
      ]);
      expect([cookiesOf(answer), begun]).toEqual([[], []]);
    },
  );

  it("deletes the oldest cookies of a browser with many", async () => {
    const { admin } = await open();
    const names = Array.from({ length: 9 }, (_, i) => `stationgate-signin-tab${i}`);
    const cookie = ["a=b", ...names.map((name) => `${name}=x`), "stationgate-session=y"].join("; ");
    const answer = await admin.get("/session/oidc").set({ ...HOST, Cookie: cookie });
    expect(cookiesOf(answer).map((set) => set.slice(0, set.indexOf("; Path")))).toEqual([
      "stationgate-signin-tab0=; Max-Age=0",
      "stationgate-signin-tab1=; Max-Age=0",
      "stationgate-signin-abcdefgh=the-sealed-sign-in; Max-Age=600",
    ]);
  });

  it("answers 503 while the identity provider is unreachable", async () => {
    const { admin } = await open(providerUnreachable("no discovery document"));
    const page = await admin.get("/session/oidc").set({ ...HOST, Accept: BROWSER });
    expect([page.status, page.headers["retry-after"]]).toEqual([503, "5"]);
    expect(page.text).toContain('<p role="alert">The identity provider is unreachable</p>');
    const problem = await admin.get("/session/oidc").set(HOST);
    expect(problem.body).toMatchObject({
      status: 503,
      code: "SIGN_IN_FAILED",
      detail: "The identity provider is unreachable",
    });
  });

  it.each(["/session/oidc", "/session/oidc/callback"])(
    "%s is 404 without an identity provider",
    async (path) => {
      const { admin } = await createTestGateway();
      const answer = await request(admin).get(path);
      expect([answer.status, (answer.body as { code: string }).code]).toEqual([404, "ROUTE_UNKNOWN"]);
    },
  );
});

describe("the callback", () => {
  const CALLBACK = `/session/oidc/callback?state=${STATE}&code=c`;
  const COOKIE = "stationgate-signin-other123=y; stationgate-signin-abcdefgh=the-sealed-sign-in";

  it("opens a session with a page that goes on by itself", async () => {
    const { admin, finishes } = await open();
    const answer = await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE, Accept: BROWSER });
    expect([answer.status, answer.headers["cache-control"]]).toEqual([200, "no-store"]);
    expect(finishes).toEqual([{ state: STATE, sealed: "the-sealed-sign-in" }]);
    const [signIn = "", session = "", ...more] = cookiesOf(answer);
    expect(signIn).toBe(
      "stationgate-signin-abcdefgh=; Max-Age=0; Path=/session/oidc; HttpOnly; SameSite=Lax; Secure",
    );
    expect(session).toMatch(
      /^stationgate-session=[\w-]+; Expires=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect([more, Buffer.byteLength(session) <= 700]).toEqual([[], true]);
    expect(answer.text).toContain('<meta http-equiv="refresh" content="0; url=/" />');
    expect(answer.text).toContain("<p>Signed in as Ann &amp; &lt;b&gt;.</p>");
    expect(answer.text).toContain('<a href="/">Continue to the console</a>');

    const shown = await admin.get("/session").set("Cookie", session.split(";")[0] ?? "");
    expect(shown.body).toMatchObject({ name: "Ann & <b>", role: "operator", via: "oidc" });
  });

  it("goes on to the path of the sign-in, and escapes it", async () => {
    const { admin } = await open(undefined, { returnTo: '/#/stations/a"><script>' });
    const answer = await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    expect(answer.text).toContain('content="0; url=/#/stations/a&quot;&gt;&lt;script&gt;"');
    expect(answer.text).not.toContain("<script>");
  });

  it("audits the sign-in", async () => {
    const { admin, audited } = await open();
    await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    expect(audited).toEqual([
      expect.objectContaining({
        ...{
          action: "session.begin",
          actor: "Ann & <b>",
          role: "operator",
          via: "oidc",
          outcome: "done",
          status: 200,
        },
        subject: { iss: "https://id.example", sub: "sub-1" },
      }),
    ]);
  });

  it.each([
    [unknownSignIn("wrong state"), 400, "This sign-in has expired or was begun in another browser"],
    [refusedByProvider("access_denied"), 403, "The identity provider refused: access_denied"],
    [wrongAnswer("ID token: wrong nonce"), 401, "The identity provider&#39;s answer does not hold"],
    [withoutRole("<i>Eve</i>", EVE), 403, "Signed in as &lt;i&gt;Eve&lt;/i&gt;, but without a role here"],
    [providerUnreachable(new Error("ECONNREFUSED")), 503, "The identity provider is unreachable"],
  ])("shows a failure on the sign-in page, and opens no session: %s", async (failure, status, text) => {
    const { admin, audited } = await open(failure);
    const answer = await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE, Accept: BROWSER });
    expect([answer.status, cookiesOf(answer)]).toEqual([status, []]);
    expect(answer.text).toContain(`<p role="alert">${text}</p>`);
    expect(answer.text).toContain('<a href="/session/oidc">Sign in with Example &lt;ID&gt;</a>');
    expect(answer.headers["www-authenticate"]).toBe(status === 401 ? "Bearer" : undefined);
    expect(audited).toEqual([expect.objectContaining({ action: "session.begin", via: "oidc", status })]);
    const problem = await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    expect(problem.headers["cache-control"]).toBe("no-store");
    expect([problem.status, problem.body]).toEqual([
      status,
      expect.objectContaining({ code: "SIGN_IN_FAILED", status, detail: failure.message }),
    ]);
  });

  it("logs why the identity provider is unreachable", async () => {
    const { admin, lines } = await open(providerUnreachable(new Error("self-signed certificate")));
    await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    const [line] = lines.filter(({ code }) => code === "SIGN_IN_FAILED");
    expect(line).toMatchObject({ level: "warn", status: 503 });
    expect(line?.["err"]).toMatchObject({ cause: { message: "self-signed certificate" } });
  });

  it("does not log the cause of another refusal", async () => {
    const failure = new GatewayError("SIGN_IN_FAILED", { cause: new Error("the input") });
    const { admin, lines } = await open(failure);
    await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    expect(lines.filter((line) => line["err"] !== undefined)).toEqual([]);
  });

  it("audits the name and the subject of a user without a role", async () => {
    const { admin, audited } = await open(withoutRole("Eve", EVE));
    await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    const by = { actor: "Eve", via: "oidc", subject: EVE };
    expect(audited).toEqual([expect.objectContaining({ ...by, outcome: "refused", reason: "no role" })]);
    expect(audited[0]).not.toHaveProperty("role");
  });

  it("refuses a subject that is too long for the session", async () => {
    const operator = { name: "Ann", role: "viewer", sub: "語".repeat(255) } as const;
    const { admin } = await open(undefined, { operator });
    const answer = await admin.get(CALLBACK).set({ ...HOST, Cookie: COOKIE });
    expect([answer.status, cookiesOf(answer)]).toEqual([401, []]);
    expect(answer.body).toMatchObject({ code: "SIGN_IN_FAILED" });
  });
});

describe("the sign-in page", () => {
  it.each([
    ["/", "/session/oidc"],
    ["/docs?a=b", "/session/oidc?return=%2Fdocs%3Fa%3Db"],
    ["/session/nothing", "/session/oidc"],
  ])("has a link to the identity provider, with the path %s", async (path, href) => {
    const { admin } = await open();
    const answer = await admin.get(path).set("Accept", BROWSER);
    expect(answer.status).toBe(401);
    expect(answer.text).toContain(`<a href="${href}">Sign in with Example &lt;ID&gt;</a>`);
  });

  it("has no such link without an identity provider", async () => {
    const { admin } = await createTestGateway();
    const answer = await request(admin).get("/").set("Accept", BROWSER);
    expect(answer.text).not.toContain("Sign in with");
  });
});

describe("signing out", () => {
  const SAME = { "Sec-Fetch-Site": "same-origin" };

  it("goes on to the identity provider for a session that it made", async () => {
    const { admin } = await open();
    const entry = await admin.get("/session/oidc/callback?state=s&code=c").set(HOST);
    const session = cookiesOf(entry).find((cookie) => cookie.startsWith("stationgate-session"));
    const answer = await admin.post("/session/end").set({ ...SAME, Cookie: session?.split(";")[0] ?? "" });
    expect(answer.status).toBe(200);
    expect(cookiesOf(answer)).toEqual([
      "stationgate-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure",
    ]);
    expect(answer.text).toContain('content="0; url=https://id.example/logout?client_id=stationgate"');
  });
});
