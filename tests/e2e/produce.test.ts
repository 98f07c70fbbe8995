/** Produces through the Memphis API with the real program, and reads the records back from the broker. */
import { ROOT, signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { uniqueName } from "../support/kafka/describe.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";

const station = uniqueName("produced");

describeOnEachBroker("produce", (broker) => {
  let gateway: Gateway;
  let token: string;

  beforeAll(async () => {
    gateway = await startGateway({ settings: { broker: broker.settings() } });
    token = await signIn(gateway);
  }, 60_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  const produce = (path: string, body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
    fetch(`${gateway.url}/stations/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
    });

  const values = async (name: string): Promise<string[]> =>
    (await broker.readAll(gateway, name)).map(({ value }) => value.toString());

  it("stores a single event byte for byte, with its headers and without a credential", async () => {
    const name = `${station}-single-${broker.kind}`;
    const body = '{ "id" : 12345678901234567890, "id": 2, "text": "h\\u00e9llo ☃" }';
    const answer = await produce(`${name}/produce/single`, body, {
      "content-type": "application/json; charset=utf-8",
      "x-trace": "abc",
      "x-api-key": "not to be stored",
      "x-session-token": "not to be stored",
      traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      cookie: "not=to be stored",
    });
    expect([answer.status, await answer.json()]).toEqual([200, { error: null, success: true }]);
    const [event] = await broker.readAll(gateway, name);
    expect(event?.value.toString()).toBe(body);
    expect(event?.headers["x-trace"]).toBe("abc");
    expect(event?.headers["traceparent"]).toContain("4bf92f3577b34da6a3ce929d0e0e4736");
    expect(JSON.stringify(event?.headers)).not.toContain("not to be stored");
    expect(JSON.stringify(event?.headers)).not.toContain(token);
    expect(Object.keys(event?.headers ?? {})).not.toContain("authorization");
  });

  it("keeps the bytes of each batch element, also big integers and duplicate keys", async () => {
    const name = `${station}-batch-${broker.kind}`;
    const elements = [
      '{"n":123456789012345678901234567890}',
      '{"a":1,"a":2}',
      '{ "spaced" : [ 1.0, 1e2 ] }',
      '{"escaped":"\\u0041\\/"}',
    ];
    const answer = await produce(`${name}/produce/batch`, `[ ${elements.join(" , ")} ]`, {
      "content-type": "application/json",
    });
    expect([answer.status, await answer.json()]).toEqual([200, { error: null, success: true }]);
    expect((await values(name)).sort()).toEqual([...elements].sort());
  });

  it("stores binary bodies", async () => {
    const name = `${station}-binary-${broker.kind}`;
    const body = Buffer.from([0x08, 0x96, 0x01, 0xff, 0xfe, 0x00]);
    const answer = await produce(`${name}/produce/single`, body, {
      "content-type": "application/x-protobuf",
    });
    expect(answer.status).toBe(200);
    const [event] = await broker.readAll(gateway, name);
    expect(event?.value).toEqual(body);
  });

  it("stores 20,000 elements of one batch, each once", async () => {
    const name = `${station}-large-${broker.kind}`;
    const elements = Array.from({ length: 20_000 }, (_, index) => `{"index":${index}}`);
    const answer = await produce(`${name}/produce/batch`, `[${elements.join(",")}]`, {
      "content-type": "application/json",
      prefer: "return=representation",
    });
    expect(answer.status).toBe(200);
    const { sent, fail, results } = (await answer.json()) as {
      sent: number;
      fail: number;
      results: unknown[];
    };
    expect([sent, fail, results.length]).toEqual([20_000, 0, 20_000]);
    expect((await values(name)).sort()).toEqual([...elements].sort());
  }, 60_000);

  it("returns stored events through consume/batch", async () => {
    const name = `${station}-consume-${broker.kind}`;
    await produce(`${name}/produce/single`, "hello", { "content-type": "text/plain" });
    const answer = await produce(
      `${name}/consume/batch`,
      JSON.stringify({ consumer_name: "c", batch_size: 1, batch_max_wait_time_ms: 10_000 }),
      { "content-type": "application/json" },
    );
    expect([answer.status, await answer.json()]).toMatchObject([200, [{ message: "hello" }]]);
  }, 30_000);

  it("accepts a refreshed token", async () => {
    const signedIn = await fetch(`${gateway.url}/auth/authenticate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(ROOT),
    });
    const pair = (await signedIn.json()) as { jwt_refresh_token: string };
    const refreshed = await fetch(`${gateway.url}/auth/refreshToken`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jwt_refresh_token: pair.jwt_refresh_token }),
    });
    token = ((await refreshed.json()) as { jwt: string }).jwt;
    const answer = await produce(`${station}-refreshed-${broker.kind}/produce/single`, "x", {
      "content-type": "text/plain",
    });
    expect(answer.status).toBe(200);
  });
});
