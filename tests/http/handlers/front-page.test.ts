import request from "supertest";
import { frontPageRoute } from "../../../src/http/handlers/front-page.ts";
import { createTestGateway, type TestGateway } from "../support.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await createTestGateway({ routes: [frontPageRoute("1.2.3")] });
});

afterAll(() => gateway.home.close());

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

it.each([["*/*"], ["application/json"], ["text/plain"]])(
  "answers %s with JSON, without a credential",
  async (accept) => {
    const answer = await request(gateway.app).get("/").set("Accept", accept);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      name: "stationgate",
      version: "1.2.3",
      docs: "/docs",
      openapi: "/openapi.json",
      health: "/healthz",
    });
    expect(answer.headers["vary"]).toContain("Accept");
  },
);

it("answers a browser with a page that loads no file", async () => {
  const answer = await request(gateway.app).get("/").set("Accept", BROWSER);
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(answer.headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(answer.text).toContain('<a href="/docs">');
  expect(answer.text).toContain("1.2.3");
});

it("does not answer other paths", async () => {
  expect((await request(gateway.app).get("/nothing").set("Accept", BROWSER)).status).toBe(401);
});
