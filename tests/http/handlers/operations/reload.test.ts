import request from "supertest";
import type { ReloadAnswer, Reloading } from "../../../../src/http/handlers/operations/reload.ts";
import { ADMIN_TOKEN, createTestGateway, VIEWER_TOKEN } from "../../support.ts";

const APPLIED: ReloadAnswer = {
  status: "applied",
  trigger: "request",
  generation: 3,
  changed: ["auth.apiKeys[partner-a]"],
  needsRestart: ["server.port"],
  workers: 2,
};

const post = async (path: string, reload: Reloading["reload"]) => {
  const { admin } = await createTestGateway({ reload });
  return request(admin).post(path).set("Authorization", `Bearer ${ADMIN_TOKEN}`);
};

const answering = (answer: ReloadAnswer) => (): Promise<ReloadAnswer> => Promise.resolve(answer);

it.each([
  ["/gateway/reload", false],
  ["/gateway/reload?dryRun=false", false],
  ["/gateway/reload?dryRun=true", true],
])("%s reloads with dryRun %s", async (path, dryRun) => {
  const asked: unknown[] = [];
  const answer = await post(path, (options) => {
    asked.push(options);
    return Promise.resolve(APPLIED);
  });

  expect(asked).toEqual([{ dryRun }]);
  expect([answer.status, answer.body]).toEqual([200, APPLIED]);
});

it.each([
  [{ status: "refused", faults: ["a: b", "c: d"] }, 422, "SETTINGS_REFUSED", ["a: b", "c: d"]],
  [{ status: "failed", faults: ["worker 2: e"] }, 503, "RELOAD_FAILED", ["worker 2: e"]],
  [{ status: "nothingToReload" }, 409, "NOTHING_TO_RELOAD", undefined],
] as const)("answers %j with %i", async (given, status, code, faults) => {
  const answer = await post("/gateway/reload", answering(given));

  expect(answer.status).toBe(status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ status, code });
  expect((answer.body as { faults?: unknown }).faults).toEqual(faults);
});

it.each([
  ["/gateway/reload", APPLIED, [200]],
  ["/gateway/reload", { status: "refused", faults: ["a: b"] }, [422]],
  ["/gateway/reload?dryRun=true", { ...APPLIED, status: "dryRun" }, []],
  ["/gateway/reload?dryRun=true", { status: "refused", faults: ["a: b"] }, []],
] as const)("%s that answers %j has audit entries with %j", async (path, given, statuses) => {
  const gateway = await createTestGateway({ reload: answering(given) });
  await request(gateway.admin).post(path).set("Authorization", `Bearer ${ADMIN_TOKEN}`);

  expect(gateway.audited.map(({ status }) => status)).toEqual(statuses);
});

it.each([
  ["/gateway/reload", [403]],
  ["/gateway/reload?dryRun=true", []],
] as const)("%s of a viewer has audit entries with %j", async (path, statuses) => {
  const gateway = await createTestGateway({ reload: answering(APPLIED) });
  await request(gateway.admin).post(path).set("Authorization", `Bearer ${VIEWER_TOKEN}`).expect(403);

  expect(gateway.audited.map(({ status }) => status)).toEqual(statuses);
});

it("refuses another value of dryRun, and reloads nothing", async () => {
  const answer = await post("/gateway/reload?dryRun=yes", () => {
    throw new TypeError("reloaded");
  });

  expect([answer.status, (answer.body as { detail: string }).detail]).toEqual([
    400,
    "dryRun must be true or false",
  ]);
});

it("refuses callers without a credential", async () => {
  const { admin } = await createTestGateway({ reload: answering(APPLIED) });

  expect((await request(admin).post("/gateway/reload")).status).toBe(401);
});
