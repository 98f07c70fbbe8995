import request from "supertest";
import { createTestGateway, type TestGateway } from "./support.ts";

let gateway: TestGateway;
let token: string;
beforeEach(async () => {
  gateway = await createTestGateway();
  token = await gateway.token();
});

const bearer = (given = token): [string, string] => ["Authorization", `Bearer ${given}`];

/** JSON's view of an error is empty; the log's isn't. */
const errorsToo = (_name: string, value: unknown): unknown =>
  value instanceof Error ? { text: String(value), cause: value.cause } : value;

describe("paths", () => {
  it("answers 404 for an unknown path only to clients with a token", async () => {
    const stranger = await request(gateway.app).get("/nothing/here");
    expect([stranger.status, stranger.body]).toEqual([401, { message: "Unauthorized" }]);
    expect(stranger.headers["www-authenticate"]).toBe("Bearer");
    const known = await request(gateway.app)
      .get("/nothing/here")
      .set(...bearer());
    expect(known.status).toBe(404);
    expect(known.headers["content-type"]).toBe("application/problem+json");
    expect(known.body).toEqual({
      type: "about:blank",
      title: "Not Found",
      status: 404,
      detail: "Not Found",
      code: "ROUTE_UNKNOWN",
      requestId: known.headers["x-request-id"],
    });
  });

  it("answers unknown paths under /stations in the shape of the Memphis API", async () => {
    const answer = await request(gateway.app)
      .post("/stations/plain/produce/twice")
      .set(...bearer());
    expect([answer.status, answer.body]).toEqual([404, { error: "Not Found", success: false }]);
  });

  it.each([
    [
      "get",
      "/stations/plain/produce/single",
      "POST, OPTIONS",
      { error: "Method Not Allowed", success: false },
    ],
    ["delete", "/auth/authenticate", "POST, OPTIONS", { message: "Method Not Allowed" }],
    ["post", "/monitoring/status", "GET, HEAD, OPTIONS", { message: "Method Not Allowed" }],
  ] as const)("answers %s %s with 405, with or without a credential", async (method, path, allow, body) => {
    const answer = await request(gateway.app)[method](path);
    expect([answer.status, answer.headers["allow"], answer.body]).toEqual([405, allow, body]);
  });

  it("accepts HEAD wherever it accepts GET", async () => {
    const answer = await request(gateway.app).head("/monitoring/status");
    expect([answer.status, answer.text]).toEqual([200, undefined]);
  });
});

describe("tokens", () => {
  const produce = (path = "/stations/plain/produce/single") =>
    request(gateway.app).post(path).set("Content-Type", "text/plain");

  it("accepts the scheme in any case, and the token in the query", async () => {
    expect((await produce().set("Authorization", `bEARER ${token}`).send("x")).status).toBe(200);
    const inQuery = produce(`/stations/plain/produce/single?authorization=${token}`);
    expect((await inQuery.send("x")).status).toBe(200);
    expect(JSON.stringify(gateway.lines)).not.toContain(token);
  });

  it.each([
    "",
    "Bearer",
    "Bearer ",
    "Bearer  TOKEN",
    "Basic TOKEN",
    "TOKEN",
    "Token TOKEN",
    "Bearer TOKEN x",
  ])("refuses '%s', also with a valid token in the query", async (header) => {
    const answer = await produce(`/stations/plain/produce/single?authorization=${token}`)
      .set("Authorization", header.replace("TOKEN", token))
      .send("x");
    expect([answer.status, answer.body]).toEqual([401, { message: "Unauthorized" }]);
  });

  it("counts failures by reason", async () => {
    await produce().send("x");
    expect(await gateway.metrics.text()).toMatch(
      /stationgate_auth_failures_total\{reason="no credential"\} 1/,
    );
  });
});

describe("CORS", () => {
  it("answers preflights without a credential", async () => {
    const answer = await request(gateway.app)
      .options("/stations/plain/produce/single")
      .set("Origin", "https://a.example")
      .set("Access-Control-Request-Method", "POST")
      .set("Access-Control-Request-Headers", "authorization,content-type");
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET,POST,HEAD,PUT,DELETE,PATCH",
      "access-control-allow-headers": "authorization,content-type",
    });
    expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
  });

  it.each(["/", "/nothing", "/stations/plain/produce/single"])(
    "answers OPTIONS %s without preflight headers",
    async (path) => {
      const answer = await request(gateway.app).options(path);
      expect(answer.status).toBe(204);
      expect(answer.headers["access-control-allow-methods"]).toBe("GET,POST,HEAD,PUT,DELETE,PATCH");
    },
  );

  it("lets pages read errors and Retry-After", async () => {
    const answer = await request(gateway.app).get("/nothing").set("Origin", "https://a.example");
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
    expect(answer.headers["access-control-expose-headers"]).toContain("Retry-After");
  });

  it("names the origin if origins are configured", async () => {
    gateway = await createTestGateway({ corsOrigins: ["https://a.example"] });
    const ask = (origin: string) => request(gateway.app).get("/healthz").set("Origin", origin);
    const listed = await ask("https://A.example");
    expect(listed.headers["access-control-allow-origin"]).toBe("https://A.example");
    expect(listed.headers["vary"]).toBe("Origin");
    const other = await ask("https://b.example");
    expect(other.headers).not.toHaveProperty("access-control-allow-origin");
    expect(other.headers["vary"]).toBe("Origin");
  });

  it("checks the origins of a principal before an event is stored", async () => {
    const page = await gateway.token("page");
    const produce = (origin?: string) => {
      const test = request(gateway.app)
        .post("/stations/plain/produce/single")
        .set(...bearer(page))
        .set("Content-Type", "text/plain");
      return (origin === undefined ? test : test.set("Origin", origin)).send("x");
    };
    const own = await produce("https://shop.example");
    expect([own.status, own.headers["access-control-allow-origin"]]).toEqual([200, "https://shop.example"]);
    expect(own.headers["vary"]).toContain("Origin");
    for (const refused of [await produce("https://evil.example"), await produce()]) {
      expect(refused.status).toBe(403);
      expect(refused.headers).not.toHaveProperty("access-control-allow-origin");
    }
    expect(await gateway.records("plain")).toHaveLength(1);
  });
});

describe("headers of every answer", () => {
  it("keeps a safe request id and replaces an unsafe one", async () => {
    const ask = (id: string) => request(gateway.app).get("/healthz").set("X-Request-Id", id);
    expect((await ask("abc-1.2_3")).headers["x-request-id"]).toBe("abc-1.2_3");
    for (const id of ["a b", "x".repeat(129), "é", "{}"])
      expect((await ask(encodeURI(id))).headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("hides the server's name and sets security headers", async () => {
    const { headers } = await request(gateway.app).get("/healthz");
    expect(headers).not.toHaveProperty("x-powered-by");
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "cross-origin",
    });
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
  });
});

describe("the log", () => {
  it("has one line for each request", async () => {
    await request(gateway.app)
      .post("/stations/Plain/produce/single")
      .set(...bearer())
      .set("X-Request-Id", "r1")
      .set("Content-Type", "text/plain")
      .send("hello");
    const lines = gateway.lines.filter(({ requestId }) => requestId === "r1");
    expect(lines).toEqual([
      expect.objectContaining({
        level: "info",
        method: "POST",
        route: "/stations/:name/produce/single",
        status: 200,
        principal: "root",
        station: "plain",
        stored: 1,
        bytes: 5,
      }),
    ]);
  });

  it.each([
    ["only requests with an error", Infinity, false, ["refused", "unknown"]],
    ["slow requests too", 0, false, ["stored", "refused", "unknown"]],
    ["every request with the level debug", Infinity, true, ["stored", "refused", "unknown"]],
  ] as const)("has %s, if it is limited to errors", async (_lines, slowMs, debug, expected) => {
    gateway = await createTestGateway({ onlyErrors: { slowMs, isDebug: () => debug } });
    token = await gateway.token();
    const send = (id: string, path: string, body: object) =>
      request(gateway.app)
        .post(path)
        .set(...bearer())
        .set("X-Request-Id", id)
        .send(body);
    await send("stored", "/stations/orders/produce/single", { id: 1 });
    // The status is a success, although one of the two events is refused.
    const batch = await send("refused", "/v3/clusters/stationgate/topics/plain/records:batch", {
      entries: [
        { id: "1", value: { type: "JSON", data: 1 } },
        { id: "2", value: { type: "NONE" } },
      ],
    });
    await send("unknown", "/stations/orders/produce/never", {});
    expect(batch.status).toBe(207);
    const ids = gateway.lines.map(({ requestId }) => requestId);
    expect(ids.filter((id) => ["stored", "refused", "unknown"].includes(String(id)))).toEqual(expected);
  });

  it("never contains the query", async () => {
    await request(gateway.app).get("/nothing?authorization=s3cret");
    const line = gateway.lines.at(-1);
    expect(line).toMatchObject({ route: "/nothing", status: 401, code: "UNAUTHORIZED" });
    expect(JSON.stringify(gateway.lines)).not.toContain("s3cret");
  });

  it.each([
    ["/auth/authenticate", "application/json", '{"username":"root","password": s3cret}'],
    ["/auth/authenticate", "application/x-www-form-urlencoded", "username=root&account_id=s3cret"],
    ["/auth/refreshToken", "application/json", "s3cret"],
    ["/stations/plain/produce/single", "application/json", '{"card": s3cret}'],
    ["/stations/plain/produce/batch", "application/json", '[{"card": s3cret}]'],
    ["/stations/plain/consume/batch", "application/json", "s3cret"],
  ])("never contains the text that the parser of a body to %s (%s) quotes", async (path, type, body) => {
    const answer = await request(gateway.app)
      .post(path)
      .set(...bearer())
      .type(type)
      .send(body);
    expect(answer.status).toBe(400);
    expect(gateway.lines.at(-1)).toMatchObject({ route: path.replace("plain", ":name"), status: 400 });
    expect(JSON.stringify(gateway.lines, errorsToo)).not.toContain("s3cret");
  });

  it("names the reason of a refused credential in a fixed phrase", async () => {
    await request(gateway.app).post("/auth/authenticate").send({ username: "root", password: "wrong" });
    expect(gateway.lines.at(-1)).toMatchObject({ code: "UNAUTHORIZED", reason: "wrong login" });
  });

  it("omits probes", async () => {
    await request(gateway.app).get("/healthz");
    expect(gateway.lines.at(-1)).toMatchObject({ level: "debug", route: "/healthz" });
  });

  it("contains the cause of an internal error", async () => {
    gateway = await createTestGateway({
      routes: [
        {
          method: "GET",
          path: "/fails",
          auth: "none",
          family: "problem",
          documentation: undefined,
          handler: () => {
            throw new TypeError("secret detail");
          },
        },
      ],
    });
    const answer = await request(gateway.app).get("/fails");
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("secret detail");
    expect(answer.text).not.toContain("at ");
    expect(answer.body).toMatchObject({ code: "INTERNAL", detail: "Server error", status: 500 });
    expect(gateway.lines).toEqual([
      expect.objectContaining({ level: "error", code: "INTERNAL", err: expect.anything() as object }),
    ]);
  });

  it("cuts an answer that fails after its beginning", async () => {
    gateway = await createTestGateway({
      routes: [
        {
          method: "GET",
          path: "/torso",
          auth: "none",
          family: "problem",
          documentation: undefined,
          handler: ({ response }) => {
            response.write("half");
            throw new TypeError("and then");
          },
        },
      ],
    });
    await expect(request(gateway.app).get("/torso")).rejects.toThrow(/aborted|hang up/);
  });
});

it("counts requests by their template", async () => {
  await request(gateway.app)
    .post("/stations/plain/produce/single")
    .set(...bearer());
  await request(gateway.app).get("/whatever/1");
  const text = await gateway.metrics.text();
  expect(text).toContain(
    'stationgate_http_requests_total{route="/stations/:name/produce/single",method="POST",status="415"} 1',
  );
  expect(text).toContain('stationgate_http_requests_total{route="unknown",method="GET",status="401"} 1');
  expect(text).not.toContain("whatever");
});
