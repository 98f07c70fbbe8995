/** Requests of which a careless server would ignore a part (RFC 9110, 5.4), and offers to upgrade, which are ignored. */
import { openRaw } from "./raw.ts";
import { slowRoute } from "./slow-route.ts";
import type { TestGateway, TestOptions } from "./support.ts";
import { openListener, type TestListener } from "./test-listener.ts";

let gateway: TestGateway;
let listener: TestListener;
let port: number;
let token: string;

const start = async (options: TestOptions = {}): Promise<void> => {
  listener = await openListener(options);
  ({ gateway, port, token } = listener);
};

afterEach(() => listener.close());

const request = (headers: readonly string[], body: string, version = "1.1"): string =>
  [
    `POST /stations/plain/produce/single HTTP/${version}`,
    `Authorization: Bearer ${token}`,
    "Content-Type: text/plain",
    ...headers,
    `\r\n${body}`,
  ].join("\r\n");

const HOST = "Host: x";
const CHUNKS = "3\r\nabc\r\n0\r\n\r\n";
const H2C = [
  "Connection: Upgrade, HTTP2-Settings",
  "Upgrade: h2c",
  "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk",
];
const STORED = '{"error":null,"success":true}';

describe("a request that the gateway would understand only in part", () => {
  it.each([
    ["gzip before chunked", [HOST, "Transfer-Encoding: gzip, chunked"], "501"],
    ["identity before chunked", [HOST, "Transfer-Encoding: identity, chunked"], "501"],
    ["another expectation", [HOST, "Content-Length: 3", "Expect: tea"], "417"],
    ["two expectations", [HOST, "Content-Length: 3", "Expect: 100-continue, tea"], "417"],
    ["two hosts", [HOST, "Host: y", "Content-Length: 3"], "400"],
  ])("is refused: %s", async (_, headers, status) => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write(request(headers, headers.some((line) => line.startsWith("Transfer")) ? CHUNKS : "abc"));
    const answer = await closed();
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain("Connection: close");
    expect(answer).toContain('"success":false');
    expect(await gateway.records("plain")).toEqual([]);
  });

  it("is refused: chunks in HTTP/1.0", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write(request([HOST, "Transfer-Encoding: chunked"], CHUNKS, "1.0"));
    expect(await closed()).toContain("HTTP/1.1 400");
  });

  it("keeps all of its 1,990 headers", async () => {
    await start();
    const { socket, until } = await openRaw(port);
    const many = Array.from({ length: 1990 }, () => "a:");
    socket.write(request([HOST, ...many, "Content-Length: 3", "X-Last: seen"], "abc"));
    await until(STORED);
    const [record] = await gateway.records("plain");
    expect(record?.headers.map(({ name }) => name)).toContain("x-last");
    socket.destroy();
  });
});

describe("an offer to upgrade", () => {
  it("does not change requests with a body", async () => {
    await start();
    const { socket, until } = await openRaw(port);
    for (const body of ["one", "two"]) {
      socket.write(request([HOST, ...H2C, "Content-Length: 3", `X-Body: ${body}`], body));
      await until(STORED);
      while ((await gateway.records("plain")).length < (body === "one" ? 1 : 2))
        await new Promise(setImmediate);
    }
    socket.write(request([HOST, ...H2C, "Transfer-Encoding: chunked"], CHUNKS));
    while ((await gateway.records("plain")).length < 3) await new Promise(setImmediate);
    const records = await gateway.records("plain");
    expect(records.map(({ value }) => value?.toString())).toEqual(["one", "two", "abc"]);
    expect(records[0]?.headers).toContainEqual({ name: "x-body", value: Buffer.from("one") });
    socket.destroy();
  });

  it("does not change a request without a body", async () => {
    await start();
    const { socket, until } = await openRaw(port);
    socket.write(["GET /healthz HTTP/1.1", HOST, ...H2C, "\r\n"].join("\r\n"));
    expect(await until('"ok"')).toContain("200 OK");
    socket.destroy();
  });

  it("does not hide a broken chunk", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.write(request([HOST, ...H2C, "Transfer-Encoding: chunked"], "3\r\nabcdef\r\n0\r\n\r\n"));
    expect(await closed()).toContain("400 Bad Request");
    expect(await gateway.records("plain")).toEqual([]);
  });

  it.each([
    ["Content-Length: 100", "some"],
    ["Transfer-Encoding: chunked", "ff\r\nsome"],
  ])("does not hide a body that ends early (%s)", async (header, part) => {
    await start();
    const { socket, closed } = await openRaw(port);
    socket.end(request([HOST, ...H2C, header], part));
    expect(await closed()).toContain("400 Bad Request");
    expect(await gateway.records("plain")).toEqual([]);
  });

  it("waits for the earlier answers of its connection", async () => {
    const { route, asked, answer } = slowRoute();
    await start({ routes: [route] });
    const { socket, until, received } = await openRaw(port);
    socket.write(
      `GET /slow HTTP/1.1\r\n${HOST}\r\n\r\n${request([HOST, ...H2C, "Content-Length: 3"], "abc")}`,
    );
    await asked;
    expect(await gateway.records("plain")).toEqual([]);
    answer();
    await until(STORED);
    expect(received().indexOf("slow answer")).toBeLessThan(received().indexOf(STORED));
    socket.destroy();
  });

  it("keeps the other options of Connection", async () => {
    await start();
    const { socket, closed } = await openRaw(port);
    const headers = [
      HOST,
      "Connection: upgrade, X-Hop, close",
      "Upgrade: websocket",
      "X-Hop: 1",
      "X-Kept: 2",
    ];
    socket.write(request([...headers, "Content-Length: 3"], "abc"));
    expect(await closed()).toContain(STORED);
    const [record] = await gateway.records("plain");
    expect(record?.headers.map(({ name }) => name)).toEqual(["content-type", "x-kept"]);
  });
});
