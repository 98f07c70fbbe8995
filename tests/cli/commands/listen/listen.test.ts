/** `stationgate listen` against a fake gateway and an endpoint. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { eventLine, startFakeStreams, type FakeStreams } from "../../../support/fake-stream.ts";
import { type FakeShell, fakeShell, runInProcess } from "../../support.ts";

interface Post {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An endpoint that answers with the given statuses, then with 200. */
const startEndpoint = async (...statuses: readonly (number | "reset" | "never")[]) => {
  const posts: Post[] = [];
  const left = [...statuses];
  const watchers = new Set<() => void>();
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      posts.push({ method: request.method, url: request.url, headers: request.headers, body });
      const status = left.shift() ?? 200;
      for (const watcher of watchers) watcher();
      if (status === "reset") response.destroy();
      else if (status !== "never") response.writeHead(status).end("thanks");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    posts,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1`,
    got: (count: number) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (posts.length >= count) resolve();
        };
        watchers.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
};

let gateway: FakeStreams;
let shell: FakeShell;

beforeEach(async () => {
  gateway = await startFakeStreams();
  shell = fakeShell({ env: { STATIONGATE_URL: gateway.url, STATIONGATE_TOKEN: "token" } });
});
afterEach(() => gateway.close());

const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString("base64");

const event = (n: number, value: Buffer | string, headers: Record<string, string | string[]> = {}): object =>
  eventLine(n, {
    value: base64(value),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [name, [text].flat().map(base64)]),
    ),
    base64: ["value", ...Object.keys(headers).map((name) => `headers.${name}`)],
  });

const notedUntil = async (text: string): Promise<void> => {
  while (!shell.noted().includes(text)) await new Promise((resolve) => setImmediate(resolve));
};
const printedLines = async (count: number): Promise<readonly string[]> => {
  const lines = (): string[] => shell.printed().split("\n").slice(0, -1);
  while (lines().length < count) await new Promise((resolve) => setImmediate(resolve));
  return lines();
};

describe("stationgate listen", () => {
  it("posts each event in order with its bytes, content type and headers", async () => {
    await using endpoint = await startEndpoint();
    const ended = runInProcess(shell, ["listen", "clicks", "--to", endpoint.url, "--from", "earliest"]);
    const stream = await gateway.next();
    expect(stream.request.url.searchParams.get("from")).toBe("earliest");
    const binary = Buffer.from([0, 13, 10, 255]);
    stream.write(
      event(1, binary, {
        "content-type": "text/x-odd",
        ce_type: "click",
        ce_subject: 'grüße "x"',
        "x-many": ["a", "b"],
        connection: "upgrade",
        "content-length": "999",
        "x-broken": "a\nb",
        "bad name": "x",
        "x-stationgate-offset": "forged",
      }),
      event(2, "{}"),
    );
    await endpoint.got(2);
    const [first, second] = endpoint.posts;
    expect(first).toMatchObject({ method: "POST", url: "/hook?x=1", body: binary });
    expect(first?.headers).toMatchObject({
      "content-type": "text/x-odd",
      "ce-type": "click",
      "ce-subject": "gr%C3%BC%C3%9Fe%20%22x%22",
      "x-many": "a, b",
      "x-stationgate-station": "clicks",
      "x-stationgate-partition": "0",
      "x-stationgate-offset": "1",
      "content-length": "4",
    });
    expect(Object.keys(first?.headers ?? {})).not.toEqual(expect.arrayContaining(["x-broken"]));
    expect(second?.body.toString()).toBe("{}");
    expect(second?.headers).not.toHaveProperty("content-type");
    const lines = await printedLines(2);
    expect(lines).toEqual([
      expect.stringMatching(/^0@1 {2}200 {2}\d+ ms$/),
      expect.stringMatching(/^0@2 {2}200 {2}\d+ ms$/),
    ]);
    shell.signal();
    expect(await ended).toEqual({ exit: "ok", failure: undefined });
    expect(shell.noted()).toContain("To continue after the last event: --after id-2\n");
  });

  it("passes over an event whose POST gets no 2xx", async () => {
    await using endpoint = await startEndpoint(500, "reset", 302);
    const ended = runInProcess(shell, ["listen", "clicks", "--to", endpoint.url, "--json"]);
    const stream = await gateway.next();
    stream.write(event(1, "a"), event(2, "b"), event(3, "c"), event(4, "d"));
    const lines = await printedLines(4);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { partition: 0, offset: "1", status: 500 },
      { offset: "2", status: null, error: expect.any(String) as string },
      { offset: "3", status: 302 },
      { offset: "4", status: 200 },
    ]);
    shell.signal();
    await ended;
    expect(endpoint.posts).toHaveLength(4);
  });

  it("sends an event again with --retry, and later events only after it", async () => {
    await using endpoint = await startEndpoint(503);
    const ended = runInProcess(shell, ["listen", "clicks", "--to", endpoint.url, "--retry"]);
    const stream = await gateway.next();
    stream.write(event(1, "a"), event(2, "b"));
    await printedLines(2);
    expect(endpoint.posts.map(({ body }) => body.toString())).toEqual(["a", "a", "b"]);
    expect(shell.noted()).toMatch(/0@1: 503; sending it again in \d s\n/);
    shell.signal();
    await ended;
  });

  it("does not count an event as received whose POST is interrupted", async () => {
    await using endpoint = await startEndpoint(200, "never");
    const ended = runInProcess(shell, ["listen", "clicks", "--to", endpoint.url, "--after", "id-0"]);
    const stream = await gateway.next();
    expect(stream.request.headers["last-event-id"]).toBe("id-0");
    stream.write(event(1, "a"), event(2, "b"));
    await endpoint.got(2);
    shell.signal();
    expect((await ended).exit).toBe("ok");
    await stream.closed;
    expect(shell.noted()).toContain("--after id-1\n");
  });

  it("reconnects with its last id", async () => {
    await using endpoint = await startEndpoint();
    const ended = runInProcess(shell, ["listen", "clicks", "--to", endpoint.url]);
    const stream = await gateway.next();
    stream.write(event(1, "a"));
    await printedLines(1);
    stream.reset();
    await notedUntil("trying again");
    const again = await gateway.next();
    expect(again.request.headers["last-event-id"]).toBe("id-1");
    shell.signal();
    await ended;
  });

  it("ends if the station does not exist", async () => {
    gateway.refuse(404, {}, JSON.stringify({ error: "Station x does not exist", success: false }));
    const { exit, failure } = await runInProcess(shell, ["listen", "x", "--to", "http://localhost:1/"]);
    expect([exit, failure?.message]).toEqual(["failed", "Station x does not exist (404)"]);
  });

  it.each(["ftp://x/", "nonsense", "http://user:word@x/"])("refuses the URL %s", async (url) => {
    await expect(runInProcess(shell, ["listen", "x", "--to", url])).rejects.toMatchObject({
      code: "commander.invalidArgument",
    });
  });
});
