/** The REST Proxy API with a real registry, Apicurio: texts are registered, found again, and the records can be read. */
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { describeApicurio } from "../support/registry/apicurio.ts";

const DRAFT_7 = "http://json-schema.org/draft-07/schema#";
const PAGE = { $schema: DRAFT_7, title: "Page", type: "object", properties: { url: { type: "string" } } };

const CASES = [
  [
    "AVRO",
    '{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}',
    '{"id":9007199254740993}',
  ],
  ["JSONSCHEMA", JSON.stringify(PAGE), '{"url":"\\u0061"}'],
  ["PROTOBUF", 'syntax = "proto3"; message Trade { int64 id = 1; }', '{"id":"9007199254740993"}'],
] as const;

describeApicurio("producing with Apicurio", (apicurio) => {
  let gateway: Gateway;
  let headers: Record<string, string>;

  beforeAll(async () => {
    const registry = { url: apicurio.url, timeout: "20s", autoRegister: true, negativeTtl: "1ms" };
    const stations = [
      { name: "avro-orders", schema: { type: "registry", subject: "station-orders", format: "avro" } },
    ];
    gateway = await startGateway({ settings: { registry, stations } });
    headers = { authorization: `Bearer ${await signIn(gateway)}` };
  }, 60_000);
  afterAll(() => gateway[Symbol.asyncDispose]());

  const post = async (path: string, body: string, type = "application/json") => {
    const request = { method: "POST", headers: { ...headers, "content-type": type }, body };
    return (await (await fetch(gateway.url + path, request)).json()) as Record<string, unknown>;
  };
  const v3 = (topic: string, value: string) =>
    post(`/v3/clusters/any/topics/${topic}/records`, `{"value":${value}}`);
  const read = (topic: string) =>
    post(
      `/stations/${topic}/consume/batch`,
      JSON.stringify({
        ...{ consumer_name: "r", consumer_group: "r", batch_size: 10, batch_max_wait_time_ms: 500 },
        decode: "json",
      }),
    );

  it.each(CASES)("registers and finds a text of type %s", async (type, schema, data) => {
    const topic = `apicurio-${type.toLowerCase()}`;
    const text = JSON.stringify(schema);
    const first = await v3(topic, `{"type":"${type}","schema":${text},"data":${data}}`);
    expect(first).toMatchObject({
      error_code: 200,
      value: { type, subject: `${topic}-value`, schema_version: 1 },
    });
    const { schema_id: id } = first["value"] as { schema_id: number };
    const ways = [
      `{"schema_id":${id},"data":${data}}`,
      `{"schema_version":1,"data":${data}}`,
      `{"data":${data}}`,
    ];
    for (const value of ways) expect(await v3(topic, value)).toMatchObject({ value: first["value"] });
    const v2Type = `application/vnd.kafka.${type.toLowerCase()}.v2+json`;
    const v2 = await post(
      `/topics/${topic}`,
      `{"value_schema":${text},"records":[{"value":${data}}]}`,
      v2Type,
    );
    expect(v2).toMatchObject({ offsets: [{ error: null }], value_schema_id: id });
    expect(await v3(topic, `{"schema_id":${id + 1000},"data":${data}}`)).toMatchObject({ error_code: 42207 });
    const messages = (await read(topic)) as unknown as { readonly message: string }[];
    expect(messages.map(({ message }) => message)).toEqual(Array(5).fill(data));
  });

  it("serves a station after its subject was registered", async () => {
    const single = "/stations/avro-orders/produce/single";
    expect(await post(single, '{"id":1}')).toMatchObject({ success: false });
    const schema = JSON.stringify({ schema: CASES[0][1] });
    await fetch(`${apicurio.url}/subjects/station-orders/versions`, {
      method: "POST",
      headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
      body: schema,
    });
    expect(await post(single, '{"id":1}')).toEqual({ error: null, success: true });
    expect(await post(single, '{"id":"1"}')).toMatchObject({
      error: "Schema validation has failed: avro: '/id': expected long, but got string",
    });
  });
});
