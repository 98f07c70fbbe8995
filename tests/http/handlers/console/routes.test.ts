/** The console's page, its files, and the sign-in page. */
import request from "supertest";
import { ADMIN_TOKEN, createTestGateway } from "../../support.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const OPERATOR = `Bearer ${ADMIN_TOKEN}`;

const open = async () => request((await createTestGateway()).admin);
type Admin = Awaited<ReturnType<typeof open>>;

const signIn = (admin: Admin, token: string) =>
  admin.post("/session").type("form").set("Accept", BROWSER).send({ token });

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
