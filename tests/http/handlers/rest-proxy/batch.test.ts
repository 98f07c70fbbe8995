import { BATCH, error, json, serve, type ServedGateway, statusAndCode } from "./support.ts";

let gateway: ServedGateway;

beforeAll(async () => {
  gateway = await serve();
});

afterAll(() => gateway.server.drain({ graceMs: 0 }));

const entry = (id: string, more: object = json(1)): object => ({ id, ...more });

describe("records:batch", () => {
  it("reports stored and failed entries by id", async () => {
    const path = BATCH.replace("plain", "orders");
    const entries = [
      entry("good", json({ id: "k" })),
      entry("refused", json("bad")),
      entry("place", { ...json(1), partition_id: 7 }),
      entry("wrong", { value: { type: "STRING", data: 5 } }),
      entry("ö"),
    ];
    const answer = await gateway.post(path, { entries });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([207, "application/json"]);
    const report = { error_code: 200, cluster_id: "any", topic_name: "orders", partition_id: 0 };
    expect(answer.body).toEqual({
      successes: [
        {
          id: "good",
          ...report,
          offset: 0,
          timestamp: expect.any(String) as unknown,
          value: { type: "JSON", size: 10 },
        },
        {
          id: "ö",
          ...report,
          offset: 1,
          timestamp: expect.any(String) as unknown,
          value: { type: "JSON", size: 1 },
        },
      ],
      failures: [
        { id: "refused", ...error(42206, expect.stringContaining("Schema")) },
        { id: "place", ...error(40402, expect.any(String)) },
        { id: "wrong", ...error(400, "value.data must be a string") },
      ],
    });
  });

  it("answers 207 if nothing is stored", async () => {
    const answer = await gateway.post(BATCH, { entries: [entry("a", { ...json(1), partition_id: 9 })] });
    expect([answer.status, answer.body]).toMatchObject([207, { successes: [], failures: [{ id: "a" }] }]);
  });

  it("stores the source bytes of each entry", async () => {
    const big = "123456789012345678901234567890";
    await gateway.post(BATCH, `{"entries":[{"id":"a","value":{"data": ${big} ,"type":"JSON"}}]}`);
    expect((await gateway.records("plain")).at(-1)?.value?.toString()).toBe(big);
  });

  it.each([
    ["no entries", {}, "entries"],
    ["an empty list", { entries: [] }, "entries"],
    ["too many entries", { entries: ["a", "b", "c", "d", "e", "f"].map((id) => entry(id)) }, "at most 5"],
    [
      "the same id twice",
      { entries: [entry("a"), entry("a")] },
      'entries.1.id must be unique in the batch (got "a" twice)',
    ],
    ["an empty id", { entries: [entry("")] }, "id"],
    ["an id that is too long", { entries: [entry("x".repeat(81))] }, "id"],
    ["an entry without id", { entries: [json(1)] }, "id"],
    ["an id that is not a string", { entries: [{ id: 5 }] }, "id"],
    [
      "an unknown field of an entry",
      { entries: [entry("a"), entry("b", { vlaue: 1 })] },
      "Unrecognized field: vlaue",
    ],
    ["an unknown field of the batch", { entries: [entry("a")], more: 1 }, "Unrecognized field: more"],
  ])("answers 422 to a batch with %s", async (_, body, message) => {
    const before = (await gateway.records("plain")).length;
    const answer = await gateway.post(BATCH, body);
    expect([answer.status, answer.body]).toEqual([422, error(42208, expect.stringContaining(message))]);
    expect(await gateway.records("plain")).toHaveLength(before);
  });

  it.each(["[]", "5", "null", '"a"'])("answers 400 to a body that is not an object: %s", async (body) => {
    const answer = await gateway.post(BATCH, body);
    expect([answer.status, answer.body]).toEqual([400, error(400, expect.stringContaining("object"))]);
  });

  it("accepts an id of 80 characters that have two UTF-16 code units each", async () => {
    const answer = await gateway.post(BATCH, { entries: [entry("😀".repeat(80)), entry("x")] });
    expect([answer.status, answer.body]).toMatchObject([207, { failures: [] }]);
  });

  it("refuses broken JSON, an unknown or forbidden topic and another content type", async () => {
    const body = { entries: [entry("a")] };
    const answers = [
      await gateway.post(BATCH, "{"),
      await gateway.post(BATCH.replace("plain", "nope"), body),
      await gateway.post(BATCH.replace("plain", "hidden"), body),
      await gateway.post(BATCH, body, { "content-type": "text/plain" }),
    ];
    expect(answers.map(statusAndCode)).toEqual([
      [400, 400],
      [404, 40403],
      [403, 40301],
      [415, 415],
    ]);
  });
});
