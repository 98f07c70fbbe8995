import { DONE, RETRY } from "../../../support/http-sink.ts";
import { bodyOf, useConnectors, WORKER } from "./rig.ts";

const rig = useConnectors();

describe("POST /connectors", () => {
  it("creates a connector that delivers", async () => {
    const info = {
      name: "crm",
      config: { ...rig.config(), name: "crm" },
      tasks: [{ connector: "crm", task: 0 }],
      type: "sink",
    };
    await rig.create("crm").expect(201, info).expect("Location", "/connectors/crm");
    await rig.http.get("/connectors/crm").expect(200, info);
    await rig.http.get("/connectors").expect(200, ["crm", "filed"]);
    await rig.produce("a");
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual(["a"]);
  });

  it("refuses a name that is taken", async () => {
    await rig.create("crm").expect(201);
    await rig.create("crm").expect(409, { error_code: 409, message: "Connector crm already exists" });
  });

  it("refuses a wrong configuration with one line for each fault", async () => {
    const body = await bodyOf(
      rig.http
        .post("/connectors")
        .send({ name: "bad", config: { "callback.request.method": "PATCH", "retry.backoff.sec": "5,x" } })
        .expect(400),
    );

    expect(body.message.split("\n").slice(0, -1)).toStrictEqual([
      "Connector configuration is invalid and contains the following 4 error(s):",
      "Must configure one of topics or topics.regex",
      'Missing required configuration "callback.request.url" which has no default value.',
      "Invalid value PATCH for configuration callback.request.method: Unknown value. Valid values are [POST, PUT, DELETE]",
      "Invalid value 5,x for configuration retry.backoff.sec: x is not a whole number of seconds",
    ]);
    await rig.http
      .get("/connectors/bad")
      .expect(404, { error_code: 404, message: "Connector bad not found" });
  });

  it.each([
    ["malformed JSON", "application/json", "{", 400],
    ["a body of another shape", "application/json", '{"name":"x"}', 400],
    ["a nested setting", "application/json", '{"name":"x","config":{"a":{}}}', 400],
    ["another name in the configuration", "application/json", '{"name":"x","config":{"name":"y"}}', 400],
    ["a name of blanks", "application/json", '{"name":" ","config":{}}', 400],
    ["another content type", "text/plain", "{}", 415],
  ])("answers %s as Connect does", async (_, type, body, status) => {
    const answer = await rig.http.post("/connectors").set("Content-Type", type).send(body).expect(status);

    expect(answer.body).toMatchObject({ error_code: status, message: expect.any(String) as string });
  });

  it("creates a connector in the given initial state", async () => {
    const body = { name: "crm", config: rig.config(), initial_state: "PAUSED" };
    await rig.http.post("/connectors").send(body).expect(201);

    expect(await rig.stateOf("crm")).toBe("PAUSED");
  });
});

describe("credentials", () => {
  it("are masked in every answer, and stay the same if a masked value is sent", async () => {
    const secrets = {
      ...rig.config(),
      "callback.request.url": `http://user:pa55word@127.0.0.1:${rig.sink.port}/hook?token=qt0ken&x=1`,
      "callback.request.headers": "Authorization:Bearer h34der|X-Plain:visible",
      secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    };
    const answers = [await rig.http.post("/connectors").send({ name: "crm", config: secrets }).expect(201)];
    for (const path of ["", "/config", "/tasks", "?expand=info"]) {
      answers.push(
        await rig.http
          .get(path.startsWith("?") ? `/connectors${path}` : `/connectors/crm${path}`)
          .expect(200),
      );
    }
    answers.push(await rig.http.put("/connector-plugins/HttpSink/config/validate").send(secrets).expect(200));
    const masked = (answers[2]?.body ?? {}) as Record<string, string>;
    answers.push(
      await rig.http
        .put("/connectors/crm/config")
        .send({ ...masked, "tasks.max": "2" })
        .expect(200),
    );
    for (const { text } of answers) {
      expect(text).not.toMatch(/pa55word|qt0ken|h34der|MfKQ9r8/);
    }
    await rig.produce("a");
    await rig.sink.received(1);

    expect(masked["callback.request.headers"]).toBe("Authorization:********|X-Plain:visible");
    expect(rig.sink.requests[0]).toMatchObject({
      url: "/hook?token=qt0ken&x=1",
      headers: { authorization: "Bearer h34der", "webhook-id": expect.stringMatching(/^msg_/) as string },
    });
  });

  it("are refused if they are masked and no value is stored", async () => {
    const body = await bodyOf(rig.create("crm", { secret: "********" }).expect(400));

    expect(body.message).toContain("configuration secret: The value is masked");
  });
});

describe("PUT /connectors/:name/config", () => {
  it("creates the connector, then retries the waiting record with the new settings", async () => {
    rig.sink.answer(() => RETRY);
    await rig.http.put("/connectors/crm/config").send(rig.config()).expect(201);
    await rig.produce("a");
    await rig.sink.received(1);
    rig.sink.answer(() => DONE);
    await rig.http
      .put("/connectors/crm")
      .send({ ...rig.config(), "callback.request.method": "PUT" })
      .expect(200);
    await rig.sink.received(2);

    expect(rig.sink.requests.map(({ method }) => method)).toStrictEqual(["POST", "PUT"]);
  });
});

describe("connectors of the settings file", () => {
  it("are listed and read-only", async () => {
    const message = "Connector filed is declared in the settings file and can only be changed there";
    await rig.http.get("/connectors/filed").expect(200);
    await rig.http
      .put("/connectors/filed/config")
      .send(rig.config())
      .expect(409, { error_code: 409, message });
    await rig.http.delete("/connectors/filed").expect(409, { error_code: 409, message });
    await rig.create("filed").expect(409);
  });
});

describe("a connector", () => {
  beforeEach(async () => {
    await rig.create("crm", { "exception.strategy": "stop_task" }).expect(201);
  });

  it("pauses and resumes by PUT and by GET", async () => {
    const answer = await rig.http.put("/connectors/crm/pause").expect(202);
    await rig.produce("a");

    expect(answer.text).toBe("");
    expect(await rig.stateOf("crm")).toBe("PAUSED");
    expect(rig.sink.bodies).toStrictEqual([]);

    await rig.http.get("/connectors/crm/resume").expect(202);
    await rig.sink.received(1);
    await rig.http.get("/connectors/crm/pause").expect(202);
    await rig.http.put("/connectors/crm/resume").expect(202);

    expect(await rig.stateOf("crm")).toBe("RUNNING");
  });

  it("fails its task if the strategy stops it, and continues at the same record after a restart", async () => {
    rig.sink.answer(() => RETRY);
    await rig.produce("a", "b");
    await rig.sink.received(1);
    while ((await rig.stateOf("crm")) !== "FAILED") await new Promise(setImmediate);
    const status = await bodyOf(rig.http.get("/connectors/crm/status"));

    expect(status).toStrictEqual({
      name: "crm",
      connector: { state: "RUNNING", worker_id: WORKER },
      tasks: [
        {
          id: 0,
          state: "FAILED",
          worker_id: WORKER,
          trace: "Delivery stopped at orders-0@0 after attempt 1: HTTP status 200",
        },
      ],
      type: "sink",
    });

    rig.sink.answer(() => DONE);
    const restarted = await rig.http
      .post("/connectors/crm/restart?includeTasks=true&onlyFailed=true")
      .expect(202);
    await rig.sink.received(3);

    expect(restarted.body).toMatchObject({ tasks: [{ id: 0, state: "RESTARTING" }] });
    expect(rig.sink.bodies).toStrictEqual(["a", "a", "b"]);
    expect(await rig.stateOf("crm")).toBe("RUNNING");
  });

  it("restarts a task by its number", async () => {
    await rig.http.post("/connectors/crm/restart").expect(204);
    await rig.http.post("/connectors/crm/tasks/0/restart").expect(204);
    await rig.http
      .get("/connectors/crm/tasks/0/status")
      .expect(200, { id: 0, state: "RUNNING", worker_id: WORKER });
    await rig.http
      .post("/connectors/crm/tasks/7/restart")
      .expect(404, { error_code: 404, message: "Unknown task: crm-7" });
  });

  it("is deleted once; a new connector of the same name continues at the committed offset", async () => {
    await rig.produce("a");
    await rig.sink.received(1);
    await rig.http.delete("/connectors/crm").expect(204);
    await rig.http
      .delete("/connectors/crm")
      .expect(404, { error_code: 404, message: "Connector crm not found" });
    await rig.produce("b");
    await rig.create("crm").expect(201);
    await rig.sink.received(2);

    expect(rig.sink.bodies).toStrictEqual(["a", "b"]);
  });

  it("keeps its target state after a restart of the process", async () => {
    await rig.http.put("/connectors/crm/pause").expect(202);
    await rig.restart();

    expect(await rig.stateOf("crm")).toBe("PAUSED");
  });
});

describe("expanded lists", () => {
  it("have the origin of each connector", async () => {
    await rig.create("made").expect(201);
    const body = await bodyOf(rig.http.get("/connectors?expand=origin").expect(200));

    expect(body).toStrictEqual({ filed: { origin: "file" }, made: { origin: "rest" } });
  });

  it("have status and info by name", async () => {
    const body = await bodyOf(rig.http.get("/connectors?expand=status&expand=info").expect(200));

    expect(body).toMatchObject({
      filed: { status: { name: "filed", type: "sink" }, info: { name: "filed", type: "sink" } },
    });
  });
});

describe("GET /connector-plugins", () => {
  it("lists the connectors, or all classes that run here", async () => {
    const only = await rig.http.get("/connector-plugins").expect(200);
    const all = await rig.http.get("/connector-plugins?connectorsOnly=false").expect(200);
    const sinks = only.body as readonly { readonly type: string; readonly version: string }[];
    const others = (all.body as readonly { readonly class: string; readonly type: string }[]).slice(
      sinks.length,
    );

    expect(new Set(sinks.map(({ type }) => type))).toStrictEqual(new Set(["sink"]));
    expect(all.body).toMatchObject(sinks.concat(others as never));
    expect(
      others.map(({ class: name, type }) => `${type} ${name.replace("org.apache.kafka.connect.", "")}`),
    ).toStrictEqual([
      "transformation transforms.Filter",
      "transformation transforms.InsertHeader",
      "transformation transforms.DropHeaders",
      "predicate transforms.predicates.TopicNameMatches",
      "predicate transforms.predicates.HasHeaderKey",
      "predicate transforms.predicates.RecordIsTombstone",
      "converter storage.StringConverter",
      "converter converters.ByteArrayConverter",
      "converter json.JsonConverter",
      "header_converter storage.StringConverter",
    ]);
  });
});

describe("PUT /connector-plugins/:class/config/validate", () => {
  it("checks the stored secret of the named connector in place of a masked value", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    await rig.create("crm", { secret }).expect(201);
    const check = async (name: string) => {
      const config = { ...rig.config(), name, secret: "********" };
      const path = "/connector-plugins/HttpSinkConnector/config/validate";
      const body = await bodyOf(rig.http.put(path).send(config).expect(200));
      expect(JSON.stringify(body)).not.toContain(secret);
      return body.error_count;
    };

    expect(await check("crm")).toBe(0);
    expect(await check("unknown")).toBe(1);
  });

  it("answers the error of a wrong name, and the values of an enumeration", async () => {
    const body = await bodyOf(
      rig.http
        .put("/connector-plugins/HttpSinkConnector/config/validate")
        .send({ ...rig.config(), name: "a/b" })
        .expect(200),
    );
    const valueOf = (name: string) => body.configs.find(({ definition }) => definition.name === name)?.value;

    expect(valueOf("name")).toMatchObject({ errors: ["Connector name should not contain a slash"] });
    expect(valueOf("callback.request.method")).toMatchObject({
      recommended_values: ["POST", "PUT", "DELETE"],
    });
  });

  it("answers the errors of each key", async () => {
    const body = await bodyOf(
      rig.http
        .put("/connector-plugins/HttpSinkConnector/config/validate")
        .send({ ...rig.config(), "callback.request.method": "GET", topics: "" })
        .expect(200),
    );
    const method = body.configs.find(({ definition }) => definition.name === "callback.request.method");

    expect(body.error_count).toBe(2);
    expect(method?.value).toMatchObject({
      value: "GET",
      errors: [
        "Invalid value GET for configuration callback.request.method: Unknown value. Valid values are [POST, PUT, DELETE]",
      ],
    });
  });

  it("answers a refused key that the class does not have", async () => {
    const { error_count, configs } = await bodyOf(
      rig.http
        .put("/connector-plugins/HttpSinkConnector/config/validate")
        .send({ ...rig.config(), transforms: "a", "transforms.a.type": "C" })
        .expect(200),
    );
    const wrong = configs.filter(({ value }) => value.errors.length > 0);

    expect(error_count).toBe(1);
    expect(wrong).toMatchObject([
      { definition: { name: "transforms.a.type", type: "STRING" }, value: { value: "C" } },
    ]);
  });

  it("refuses an unknown class", async () => {
    await rig.http.put("/connector-plugins/FileStreamSink/config/validate").send(rig.config()).expect(400);
  });
});

describe("an unknown path", () => {
  it.each(["/connectors/crm/nothing", "/connectors/crm/tasks/0/nothing", "/connector-plugins/a/b/c"])(
    "%s is answered as Connect does",
    async (path) => {
      const answer = await rig.http.get(path).expect(404, { error_code: 404, message: "HTTP 404 Not Found" });
      expect(answer.type).toBe("application/json");
    },
  );

  it("is answered with a problem document outside of Connect's paths", async () => {
    expect((await rig.http.get("/connectorsandmore").expect(404)).type).toBe("application/problem+json");
  });
});

describe("an unknown connector", () => {
  it.each([
    ["get", ""],
    ["get", "/config"],
    ["get", "/status"],
    ["get", "/tasks"],
    ["get", "/offsets"],
    ["put", "/pause"],
    ["put", "/resume"],
    ["put", "/stop"],
    ["post", "/restart"],
    ["delete", ""],
  ] as const)("is answered with 404: %s /connectors/none%s", async (method, path) => {
    await rig.http[method](`/connectors/none${path}`).expect(404, {
      error_code: 404,
      message: "Connector none not found",
    });
  });
});
