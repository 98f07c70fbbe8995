import supertest from "supertest";
import { GatewayError } from "../../../../src/errors.ts";
import { createApp } from "../../../../src/http/http-app.ts";
import { workerRoutes } from "../../../../src/http/handlers/connect-worker/routes.ts";
import { bodyReaders } from "../../../../src/http/middleware/body/body.ts";
import { createMemoryBudget } from "../../../../src/lib/memory-budget.ts";
import type { Readiness } from "../../../../src/observability/health.ts";
import { createLog } from "../../../../src/observability/logger/logger.ts";

const limits = { maxBytes: 1024, timeoutMs: 10_000 };

const open = (
  ready: () => Promise<Readiness> = () => Promise.resolve({ isSpooling: false }),
  hasStarted = true,
): supertest.Agent => {
  const log = createLog({ level: "silent" });
  const { levels } = log;
  return supertest(
    createApp({
      routes: workerRoutes({
        health: { ready },
        hasStarted: () => hasStarted,
        levels,
        connectorNames: () => Promise.resolve(["crm"]),
        setLevel: (logger, level) => {
          levels.set(logger, level, 1_700_000_000_000);
          return Promise.resolve();
        },
        readBody: bodyReaders(createMemoryBudget(1 << 24))(limits),
      }),
      guard: {
        authenticate: () => Promise.reject(new Error("no client calls here")),
        admitOperator: ({ authorizationHeader }) =>
          authorizationHeader === undefined
            ? Promise.reject(new GatewayError("UNAUTHORIZED"))
            : Promise.resolve({ name: "ops", role: "operator", via: "token" }),
      },
      unknownPaths: "admin",
      bodyLimits: limits,
      trustProxy: 0,
      ...log,
      metrics: { requestObserved: () => undefined, authFailed: () => undefined },
    }),
  );
};

const OPERATOR = ["Authorization", "Bearer t"] as const;
const silent = { level: "OFF", last_modified: null };

describe("GET /health without a token", () => {
  it("answers healthy after the start", async () => {
    await open().get("/health").expect(200, {
      status: "healthy",
      message: "Worker has completed startup and is ready to handle requests.",
    });
  });

  it("answers starting until the connectors are read", async () => {
    await open(() => Promise.reject(new GatewayError("BROKER_UNAVAILABLE")), false)
      .get("/health")
      .expect(503, { status: "starting", message: "Worker is still starting up." });
  });

  it("answers unhealthy while the broker is unavailable", async () => {
    const away = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE", { message: "No broker." }));
    await open(away).get("/health").expect(500, {
      status: "unhealthy",
      message:
        "Worker was unable to handle this request and may be unable to handle other requests: No broker.",
    });
  });
});

describe("loggers", () => {
  it("are the fixed loggers, one per connector, and the loggers whose level was set", async () => {
    const http = open();
    await http.get("/admin/loggers").expect(401);
    await http
      .get("/admin/loggers")
      .set(...OPERATOR)
      .expect(200, { delivery: silent, "delivery.crm": silent, http: silent, kafka: silent, root: silent });
    await http
      .put("/admin/loggers/delivery")
      .set(...OPERATOR)
      .send({ level: "debug" })
      .expect(200, ["delivery"]);
    await http
      .put("/admin/loggers/some%2Fother")
      .query({ scope: "cluster" })
      .set(...OPERATOR)
      .send({ level: "WARN" })
      .expect(204, {});
    await http
      .get("/admin/loggers/delivery.crm")
      .set(...OPERATOR)
      .expect(200, { level: "DEBUG", last_modified: null });
    await http
      .get("/admin/loggers/some%2Fother")
      .set(...OPERATOR)
      .expect(200, { level: "WARN", last_modified: 1_700_000_000_000 });
  });

  it.each([
    ["an unknown level", { level: "LOUD" }, 404, "invalid log level 'LOUD'."],
    ["a number as level", { level: 5 }, 404, "invalid log level '5'."],
    ["no level", {}, 400, "Desired 'level' parameter was not specified in request."],
    ["null", { level: null }, 400, "Desired 'level' parameter was not specified in request."],
  ])("are refused %s", async (_, body, status, message) => {
    await open()
      .put("/admin/loggers/http")
      .set(...OPERATOR)
      .send(body)
      .expect(status, { error_code: status, message });
  });

  it("are answered with 404 if they are unknown", async () => {
    await open()
      .get("/admin/loggers/delivery.other")
      .set(...OPERATOR)
      .expect(404, { error_code: 404, message: "Logger delivery.other not found." });
  });

  it("answer 405 to other methods and 415 to other content types", async () => {
    const http = open();
    await http
      .delete("/admin/loggers/http")
      .set(...OPERATOR)
      .expect(405);
    await http
      .put("/admin/loggers/http")
      .set(...OPERATOR)
      .type("text/plain")
      .send("{}")
      .expect(415);
  });

  it("are refused a level if the name is too long", async () => {
    await open()
      .put(`/admin/loggers/${"n".repeat(301)}`)
      .set(...OPERATOR)
      .send({ level: "INFO" })
      .expect(400);
  });
});
