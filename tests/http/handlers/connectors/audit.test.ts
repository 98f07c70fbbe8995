/** The audit entries of changes of connectors. */
import { useConnectors } from "./rig.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

const rig = useConnectors();

const lastOf = () => {
  const { action, target, outcome, status, changed }: Record<string, unknown> = rig.audited.at(-1) ?? {};
  return { action, target, outcome, status, ...(changed !== undefined && { changed }) };
};

describe("the audit of a connector's configuration", () => {
  it("names the keys of a new connector", async () => {
    await rig.create("crm", { secret: SECRET }).expect(201);
    expect(lastOf()).toEqual({
      ...{ action: "connector.create", target: "crm", outcome: "done", status: 201 },
      changed: [...Object.keys(rig.config()), "secret"],
    });
    await rig.http.put("/connectors/erp/config").send(rig.config()).expect(201);
    expect(lastOf()).toMatchObject({ action: "connector.create", target: "erp", status: 201 });
  });

  it("names the keys that a change sets, changes and removes, and no value", async () => {
    await rig.create("crm", { secret: SECRET, "tasks.max": "2", "retry.backoff.sec": "1" }).expect(201);
    const next = { ...rig.config(), "callback.request.method": "PUT", secret: SECRET, "tasks.max": "2" };
    await rig.http.put("/connectors/crm/config").send(next).expect(200);
    expect(lastOf()).toEqual({
      ...{ action: "connector.change", target: "crm", outcome: "done", status: 200 },
      changed: ["callback.request.method", "retry.backoff.sec"],
    });
    await rig.http.patch("/connectors/crm/config").send({ "tasks.max": 3, secret: "********" }).expect(200);
    expect(lastOf()).toMatchObject({ action: "connector.change", changed: ["tasks.max"] });
    expect(JSON.stringify(rig.audited)).not.toContain(SECRET.slice(6));
  });

  it("names a secret that has another value", async () => {
    await rig.create("crm", { secret: SECRET }).expect(201);
    const other = `${SECRET.slice(0, -4)}AAAA`;
    await rig.http.patch("/connectors/crm/config").send({ secret: other }).expect(200);
    expect(lastOf()).toMatchObject({ changed: ["secret"] });
  });

  it("has no keys for a change that is refused or changes nothing", async () => {
    await rig.create("crm").expect(201);
    await rig.http.put("/connectors/crm/config").send(rig.config()).expect(200);
    expect(lastOf()).toEqual({ action: "connector.change", target: "crm", outcome: "done", status: 200 });
    await rig.http.put("/connectors/crm/config").send({}).expect(400);
    expect(lastOf()).toEqual({ action: "connector.change", target: "crm", outcome: "refused", status: 400 });
    await rig.http.post("/connectors").send({ name: "crm", config: rig.config() }).expect(409);
    expect(lastOf()).toEqual({ action: "connector.create", target: "crm", outcome: "refused", status: 409 });
  });
});

it.each([
  ["get", "pause", "connector.pause"],
  ["put", "pause", "connector.pause"],
  ["get", "resume", "connector.resume"],
  ["put", "resume", "connector.resume"],
  ["put", "stop", "connector.stop"],
  ["post", "restart", "connector.restart"],
  ["post", "tasks/0/restart", "connector.restart"],
  ["patch", "offsets", "connector.offsets"],
  ["delete", "offsets", "connector.offsets"],
  ["put", "topics/reset", "connector.topics"],
  ["post", "dead-letters/replay", "connector.replay"],
] as const)("%s /connectors/crm/%s is audited as %s", async (method, path, action) => {
  await rig.create("crm").expect(201);
  const { status } = await rig.http[method](`/connectors/crm/${path}`).send(
    method === "patch" ? {} : undefined,
  );
  expect(lastOf()).toEqual({ action, target: "crm", outcome: status < 400 ? "done" : "refused", status });
  await rig.http.delete("/connectors/crm").expect(204);
  expect(lastOf()).toMatchObject({ action: "connector.delete", target: "crm", outcome: "done" });
  expect(rig.audited).toHaveLength(3);
});

it("reading and checking a configuration is not audited", async () => {
  await rig.http.put("/connector-plugins/HttpSinkConnector/config/validate").send(rig.config());
  await rig.http.get("/connectors").expect(200);
  expect(rig.audited).toEqual([]);
});
