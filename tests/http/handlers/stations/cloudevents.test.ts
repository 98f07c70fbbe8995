import { PARTNER_KEY } from "../../support.ts";
import { serve, type ServedGateway } from "../rest-proxy/support.ts";

let gateway: ServedGateway;

beforeEach(async () => {
  gateway = await serve();
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const SINGLE = "/stations/plain/produce/single";
const BATCH = "/stations/plain/produce/batch";
const EVENT = { specversion: "1.0", id: "1", source: "/shop", type: "order.made", data: { n: 1 } };

const headersOf = async (n = 0): Promise<string[]> =>
  ((await gateway.records("plain"))[n]?.headers ?? []).map(({ name, value }) => `${name}=${String(value)}`);

describe("CloudEvents over HTTP", () => {
  it("are accepted in binary mode: the attributes are percent-decoded headers", async () => {
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": "A%20%E2%82%AC",
      "ce-source": "/shop",
      "ce-type": "order.made",
      "ce-extra": "x",
    };
    expect((await gateway.post(SINGLE, '{"n":1}', headers)).status).toBe(200);
    expect(await headersOf()).toEqual([
      "content-type=application/json",
      "ce_specversion=1.0",
      "ce_id=A €",
      "ce_source=/shop",
      "ce_type=order.made",
      "ce_extra=x",
    ]);
  });

  it.each([{}, { "content-type": "application/json" }])(
    "are accepted in binary mode without data: %j",
    async (type) => {
      const attributes = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "order.gone",
      };
      const answer = await fetch(gateway.url + SINGLE, {
        method: "POST",
        headers: { "x-api-key": PARTNER_KEY, ...attributes, ...type },
      });
      expect(answer.status).toBe(200);
      const [record] = await gateway.records("plain");
      expect(record?.value).toBeNull();
      expect(await headersOf()).toContain("ce_type=order.gone");
    },
  );

  it("are refused in binary mode if data has no content type", async () => {
    const headers = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "t" };
    expect((await gateway.post(SINGLE, "x", { ...headers, "content-type": "" })).status).toBe(415);
    expect((await gateway.post(SINGLE, "")).status).toBe(400);
  });

  it("are stored with their source bytes in structured mode", async () => {
    const text = JSON.stringify(EVENT, null, 2);
    const type = "application/cloudevents+json; charset=utf-8";
    expect((await gateway.post(SINGLE, text, { "content-type": type, "ce-id": "another" })).status).toBe(200);
    const [record] = await gateway.records("plain");
    expect(record?.value?.toString()).toBe(text);
    expect(await headersOf()).toEqual([
      `content-type=${type}`,
      "ce_specversion=1.0",
      "ce_id=1",
      "ce_source=/shop",
      "ce_type=order.made",
    ]);
  });

  it("are accepted in batches, in which only wrong events fail", async () => {
    const type = { "content-type": "application/cloudevents-batch+json" };
    const answer = await gateway.post(BATCH, [EVENT, { ...EVENT, id: "" }, { ...EVENT, id: "2" }], type);
    expect([answer.status, answer.body]).toEqual([
      400,
      {
        errors: ['Invalid CloudEvent: the attribute "id" must be a non-empty string (got "")'],
        sent: 2,
        fail: 1,
        success: false,
      },
    ]);
    expect(await headersOf(1)).toContain("ce_id=2");
    expect(await headersOf(1)).toContain("content-type=application/cloudevents+json");
    expect((await gateway.post(BATCH, [], type)).status).toBe(200);
  });

  it.each([
    [
      "binary",
      { "content-type": "application/json", "ce-id": "1", "ce-specversion": "1.0", "ce-source": "/s" },
      {},
    ],
    ["structured", { "content-type": "application/cloudevents+json" }, { ...EVENT, type: undefined }],
  ])("are refused with the name of the missing attribute in %s mode", async (_, headers, body) => {
    const answer = await gateway.post(SINGLE, body, headers);
    expect([answer.status, answer.body]).toEqual([
      400,
      { error: 'Invalid CloudEvent: the attribute "type" is missing', success: false },
    ]);
    expect(await gateway.records("plain")).toEqual([]);
  });

  it("are refused as a batch on produce/single and as a single event on produce/batch", async () => {
    const batch = await gateway.post(SINGLE, [EVENT], {
      "content-type": "application/cloudevents-batch+json",
    });
    const single = await gateway.post(BATCH, EVENT, { "content-type": "application/cloudevents+json" });
    expect([batch.status, single.status]).toEqual([415, 415]);
  });
});
