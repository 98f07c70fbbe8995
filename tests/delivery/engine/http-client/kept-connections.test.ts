/** A kept connection that breaks while the next request is being sent. */
import type { Socket } from "node:net";
import type { HttpResult } from "../../../../src/delivery/engine/delivery-plan.ts";
import {
  createHttpClient,
  type HttpClient,
} from "../../../../src/delivery/engine/http-client/http-client.ts";
import { createTargets } from "../../../../src/delivery/engine/targets.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import {
  HTTP_DONE,
  startRawEndpoint,
  type RawEndpoint,
  type RawRequest,
} from "../../../support/raw-endpoint.ts";

let endpoint: RawEndpoint;
let client: HttpClient;

const start = async (answer: (socket: Socket, request: RawRequest) => void): Promise<void> => {
  endpoint = await startRawEndpoint(answer);
  client = createHttpClient({
    targets: createTargets(["127.0.0.0/8"]),
    clock: createFakeClock(),
    connectTimeoutMs: 1000,
    readTimeoutMs: 0,
  });
};

const send = (body = "body", method: "POST" | "DELETE" = "POST"): Promise<HttpResult> =>
  client.send({ origin: endpoint.url, path: "/", method, headers: [], body: Buffer.from(body) });

const done = { status: 200, reason: "OK", retryAfter: undefined, body: Buffer.from('{"retry":false}') };

afterEach(async () => {
  await client.close();
  await endpoint.close();
});

describe("a kept connection that breaks before the first byte of an answer", () => {
  it.each([
    ["by a close", (socket: Socket) => socket.end()],
    ["by a reset", (socket: Socket) => socket.resetAndDestroy()],
  ])("%s: the request is sent once more, on a new connection", async (_, breakOff) => {
    await start((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else breakOff(socket);
    });

    for (let sent = 1; sent <= 5; sent += 1) expect(await send(`${sent}`)).toStrictEqual(done);

    const connectionsThatAnswered = endpoint.requests.filter(({ onConnection }) => onConnection === 0);
    expect(connectionsThatAnswered.map(({ text }) => text.at(-1))).toEqual(["1", "2", "3", "4", "5"]);
    expect(endpoint.requests).toHaveLength(9);
  });

  it("doesn't cause a third request", async () => {
    await start((socket, { index }) => {
      if (index === 0) socket.write(HTTP_DONE);
      else socket.resetAndDestroy();
    });
    await send();

    expect(await send()).toMatchObject({ kind: "lost" });
    expect(endpoint.requests).toHaveLength(3);
  });

  it("sends a large body again", async () => {
    await start((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else socket.resetAndDestroy();
    });
    await send();

    expect(await send("x".repeat(1024 * 1024))).toStrictEqual(done);
    expect(endpoint.requests.at(-1)?.text).toContain("x".repeat(1024 * 1024));
  });

  it("is closed, so that the number of connections doesn't grow", async () => {
    await start((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else socket.resetAndDestroy();
    });
    for (let sent = 0; sent < 20; sent += 1) await send();

    expect(endpoint.connections).toBe(20);
  });
});

describe("a request is sent once if", () => {
  it("the connection is new", async () => {
    await start((socket) => socket.resetAndDestroy());

    expect(await send()).toMatchObject({ kind: "lost" });
    expect(endpoint.requests).toHaveLength(1);
  });

  it("an answer has begun", async () => {
    await start((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else socket.end("HTTP/1.1 2");
    });
    await send();

    expect(await send()).toMatchObject({ kind: "lost" });
    expect(endpoint.requests).toHaveLength(2);
  });

  it("the client is closed", async () => {
    await start((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else void client.close();
    });
    await send();

    expect(await send()).toMatchObject({ kind: "lost" });
    expect(endpoint.requests).toHaveLength(2);
  });
});
