import { DONE } from "../../../support/http-sink.ts";
import { bodyOf, useConnectors } from "./rig.ts";

const rig = useConnectors();

describe("the name of a connector", () => {
  it.each([
    ["with 1600 characters", "n".repeat(1600), "has 1608 bytes, and at most 255 are allowed"],
    ["with 248 bytes", "é".repeat(124), "has 256 bytes"],
    ["with a control character", "a\u0007b", "control characters"],
    ["with half of a surrogate pair", "a\ud800", "surrogate"],
    ["with a slash", "a/b", "slash"],
    ["'.'", ".", ". or .."],
    ["'..'", "..", ". or .."],
  ])("is refused %s", async (_, name, reason) => {
    const { message } = await bodyOf(rig.create(name).expect(400));

    expect(message).toContain(reason);
    await rig.http.get("/connectors").expect(200, ["filed"]);
  });

  it("is checked by PUT too", async () => {
    await rig.http
      .put(`/connectors/${"n".repeat(1600)}/config`)
      .send(rig.config())
      .expect(400);
    await rig.http.put("/connectors/a%2Fb/config").send(rig.config()).expect(400);
    await rig.http.put("/connectors/%ff/config").send(rig.config()).expect(400);
  });

  it("is refused if it is not UTF-8", async () => {
    const body = Buffer.concat([
      Buffer.from('{"name":"a'),
      Buffer.from([0xff]),
      Buffer.from('","config":{}}'),
    ]);
    await rig.http
      .post("/connectors")
      .set("Content-Type", "application/json")
      .serialize((sent: unknown) => sent as string)
      .send(body as unknown as string)
      .expect(400);
  });

  it.each(["n".repeat(247), "Zoë's über-connector #1 ?&%", "名前"])("can be %s", async (name) => {
    await rig.create(name).expect(201);
    await rig.http.get(`/connectors/${encodeURIComponent(name)}`).expect(200);
  });
});

describe("the URL of a connector", () => {
  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["167772161", "10.0.0.1"],
    ["012.0.0.1", "10.0.0.1"],
    ["0xa.1", "10.0.0.1"],
    ["%31%30.0.0.1", "10.0.0.1"],
    ["１０.0.0.1", "10.0.0.1"],
    ["10.0.0.1.", "10.0.0.1"],
    ["user:pass@10.0.0.1:80", "10.0.0.1"],
    ["0", "0.0.0.0"],
    ["[::ffff:10.0.0.1]", "::ffff:a00:1"],
    ["[::ffff:a00:1]", "::ffff:a00:1"],
    ["[fd00::1]", "fd00::1"],
    ["[::1]", "::1"],
    ["[64:ff9b::a00:1]", "64:ff9b::a00:1"],
    ["169.254.169.254", "169.254.169.254"],
  ])("with the host %s is refused by POST, PUT and validate", async (host, shown) => {
    const url = `http://${host}/hook`;
    const line = `for configuration callback.request.url: ${shown} is not a public address; add it to delivery.allowTargets to allow it`;
    const config = { ...rig.config(), "callback.request.url": url };
    const posted = await bodyOf(rig.create("crm", config).expect(400));
    const put = await bodyOf(rig.http.put("/connectors/crm/config").send(config).expect(400));
    const report = await bodyOf(
      rig.http.put("/connector-plugins/HttpSink/config/validate").send(config).expect(200),
    );
    const errors = report.configs.find(({ definition }) => definition.name === "callback.request.url");

    expect(posted.message).toContain(line);
    expect(put.message).toContain(line);
    expect(errors?.value.errors.join()).toContain(line);
    expect(posted.message).not.toContain("pass@");
  });

  it.each(["[fe80::1%25eth0]", "[::1"])("with the host %s is not a URL", async (host) => {
    await rig.create("crm", { "callback.request.url": `http://${host}/` }).expect(400);
  });

  it.each(["127.0.0.1", "localhost", "LOCALHOST.", "crm.localhost", "1.1.1.1", "example.com"])(
    "can have the host %s if loopback is allowed",
    async (host) => {
      await rig.create("crm", { "callback.request.url": `http://${host}:1/` }).expect(201);
    },
  );
});

describe("PATCH /connectors/:name/config", () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

  beforeEach(async () => {
    await rig.create("crm", { secret, "tasks.max": "2", "retry.backoff.sec": "1" }).expect(201);
  });

  const patch = (body: object) => rig.http.patch("/connectors/crm/config").send(body);
  const config = () => bodyOf<Record<string, string>>(rig.http.get("/connectors/crm/config").expect(200));

  it("sets and removes settings, keeps the others, and takes effect at once", async () => {
    const info = await bodyOf<{ config: Record<string, string>; tasks: unknown[] }>(
      patch({ "tasks.max": 3, "retry.backoff.sec": null, "callback.request.method": "PUT" }).expect(200),
    );
    await rig.produce("a");
    await rig.sink.received(1);

    expect(info.config).toStrictEqual({
      ...rig.config(),
      name: "crm",
      secret: "********",
      "tasks.max": "3",
      "callback.request.method": "PUT",
    });
    expect(info.tasks).toHaveLength(3);
    expect(rig.sink.requests[0]).toMatchObject({
      method: "PUT",
      headers: { "webhook-id": expect.any(String) as string },
    });
  });

  it("keeps a secret that is sent masked", async () => {
    await patch({ secret: "********", name: "crm" }).expect(200);
    rig.sink.answer(() => DONE);
    await rig.produce("a");
    await rig.sink.received(1);

    expect(rig.sink.requests[0]?.headers).toHaveProperty("webhook-signature");
  });

  it.each([
    ["a bad value", { "tasks.max": "0" }, "Invalid value 0 for configuration tasks.max"],
    ["a required setting that is removed", { topics: null }, "Must configure one of topics"],
    ["a URL that is not allowed", { "callback.request.url": "http://10.0.0.1" }, "delivery.allowTargets"],
    ["another name", { name: "other" }, "doesn't match"],
    ["a name that is removed", { name: null }, "doesn't match"],
    [
      "a nested value",
      { "tasks.max": {} },
      "tasks.max must be a string, a number or a boolean (got an object)",
    ],
    ["an array", [], "must be an object"],
  ])("refuses %s and changes nothing", async (_, body, reason) => {
    const before = await config();
    const { message } = await bodyOf(patch(body).expect(400));

    expect(message).toContain(reason);
    expect(await config()).toStrictEqual(before);
  });

  it("answers 404, 409, 415 and 400", async () => {
    await rig.http.patch("/connectors/nobody/config").send({}).expect(404);
    await rig.http.patch("/connectors/filed/config").send({ "tasks.max": "2" }).expect(409);
    await rig.http.patch("/connectors/crm/config").type("text/plain").send("{}").expect(415);
    await rig.http.patch("/connectors/crm/config").type("application/json").send("{").expect(400);
  });

  it("applies simultaneous changes one after the other and loses none", async () => {
    const keys = Array.from({ length: 8 }, (_, index) => `x.key.${index}`);
    const answers = await Promise.all(keys.map((key) => patch({ [key]: "set" })));

    expect(answers.map(({ status }) => status)).toStrictEqual(keys.map(() => 200));
    expect(await config()).toMatchObject(Object.fromEntries(keys.map((key) => [key, "set"])));
  });
});

describe("POST /connectors", () => {
  it.each([
    [
      "an unknown state",
      { initial_state: "ASLEEP" },
      "initial_state must be one of RUNNING, PAUSED, STOPPED",
    ],
    ["an unknown member", { colour: "red" }, "has unknown fields: colour"],
    ["a nested value", { config: { topics: ["orders"] } }, "config.topics must be a string"],
    ["an unknown class", { config: { "connector.class": "x.Y" } }, "Failed to find any class"],
  ])("refuses %s", async (_, body, reason) => {
    const { message } = await bodyOf(
      rig.http
        .post("/connectors")
        .send({ name: "crm", config: rig.config(), ...body })
        .expect(400),
    );

    expect(message).toContain(reason);
  });
});

describe("the topics of a connector", () => {
  const topics = () => bodyOf(rig.http.get("/connectors/crm/topics").expect(200));

  /** The topics are stored while the delivery runs, so the test waits for them. */
  const until = async (expected: readonly string[]): Promise<void> => {
    while (JSON.stringify(await topics()) !== JSON.stringify({ crm: { topics: expected } }))
      await new Promise(setImmediate);
  };

  it("are the topics that it has read since it was created or since the last reset", async () => {
    await rig.create("crm").expect(201);
    expect(await topics()).toStrictEqual({ crm: { topics: [] } });
    await rig.produce("a");
    await until(["orders"]);
    await rig.restart();
    await until(["orders"]);

    const { text } = await rig.http.put("/connectors/crm/topics/reset").expect(202);
    expect(text).toBe("");
    expect(await topics()).toStrictEqual({ crm: { topics: [] } });
    await rig.produce("b");
    await until(["orders"]);

    await rig.http.delete("/connectors/crm").expect(204);
    await rig.create("crm", { topics: "others" }).expect(201);
    expect(await topics()).toStrictEqual({ crm: { topics: [] } });
  });

  it("are answered with 404 for an unknown connector", async () => {
    await rig.http.get("/connectors/nobody/topics").expect(404);
    await rig.http.put("/connectors/nobody/topics/reset").expect(404);
  });
});

describe("GET /connector-plugins/:class/config", () => {
  it("lists every key of the class", async () => {
    const path = "/connector-plugins/nz.ac.auckland.kafka.http.sink.HttpSinkConnector/config";
    const keys = await bodyOf<Record<string, unknown>[]>(rig.http.get(path).expect(200));

    expect(keys.find(({ name }) => name === "retry.backoff.sec")).toStrictEqual({
      name: "retry.backoff.sec",
      type: "LIST",
      required: false,
      default_value: "5,30,60,300,600",
      importance: "MEDIUM",
      documentation: expect.any(String) as string,
      group: "Common",
      order: expect.any(Number) as number,
      width: "NONE",
      display_name: "retry.backoff.sec",
      dependents: [],
    });
  });

  it("answers 404 for an unknown class", async () => {
    await rig.http
      .get("/connector-plugins/x.Y/config")
      .expect(404, { error_code: 404, message: "Unknown plugin x.Y." });
  });
});

it("answers 404 for tasks-config and 405 for methods that a path does not have", async () => {
  await rig.create("crm").expect(201);
  await rig.http.get("/connectors/crm/tasks-config").expect(404);
  await rig.http.delete("/connectors/crm/config").expect(405);
  await rig.http.post("/connectors/crm/topics").expect(405);
});
