/** The same requests with and without the fast path get the same bytes. `.ci/fast-path` runs it on further versions of Node. */
import { gzipSync } from "node:zlib";
import { openRaw } from "../raw.ts";
import { slowRoute } from "../slow-route.ts";
import { LIMIT, type TestOptions } from "../support.ts";
import { openListener, type TestListener } from "../test-listener.ts";

type Slow = ReturnType<typeof slowRoute>;

interface Pair {
  readonly fast: TestListener;
  readonly slow: TestListener;
  readonly routes: ReadonlyMap<TestListener, Slow>;
}

let pair: Pair;

const open = async (options: TestOptions = {}): Promise<void> => {
  const [first, second] = [slowRoute(), slowRoute()];
  const fast = await openListener({ ...options, routes: [first.route] }, {}, { fastPath: true });
  const slow = await openListener({ ...options, routes: [second.route] }, {}, { fastPath: false });
  pair = {
    fast,
    slow,
    routes: new Map([
      [fast, first],
      [slow, second],
    ]),
  };
};

const close = () => Promise.all([pair.fast.close(), pair.slow.close()]);

/** What differs between two equal answers: times and random ids. */
const masked = (answer: string): string =>
  answer
    .replaceAll(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$/gm, "Date: MASKED")
    .replaceAll(/[\w-]{30,}/g, "MASKED")
    .replaceAll(/"timestamp":"?[\d\-T:.Z]+"?/g, '"timestamp":MASKED');

type Script = (listener: TestListener, slow: Slow) => Promise<string>;

/** Runs a script on both listeners, and returns the answer. */
const both = async (script: Script): Promise<string> => {
  const { fast, slow, routes } = pair;
  const answers: string[] = [];
  for (const listener of [slow, fast]) {
    const route = routes.get(listener);
    if (route !== undefined) answers.push(masked(await script(listener, route)));
  }
  const [bySlow = "", byFast = ""] = answers;
  expect(byFast).toBe(bySlow);
  return byFast;
};

interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  /** Further header lines. */
  readonly more?: readonly string[];
  readonly type?: string;
  readonly body?: string | Buffer;
  readonly token?: string | null;
}

const BODY = '{"id":7}';
const SINGLE = "/stations/plain/produce/single";

const bytesOf = (request: Request, token: string): Buffer => {
  const { method = "POST", path = SINGLE, version = "1.1", more = [], type = "application/json" } = request;
  const body = Buffer.from(request.body ?? (method === "POST" ? BODY : ""));
  const lines = [
    `${method} ${path} HTTP/${version}`,
    "Host: x",
    ...(request.token === null ? [] : [`Authorization: Bearer ${request.token ?? token}`]),
    ...(method === "POST" ? [`Content-Type: ${type}`, `Content-Length: ${body.length}`] : []),
    ...more,
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]);
};

/** A request that the server answers and closes after, so that all bytes before are known to have arrived. */
const LAST: Request = { more: ["Connection: close"], body: '{"last":true}' };

/** Sends requests on one connection, without waiting for answers. */
const ask =
  (requests: readonly Request[]): Script =>
  async ({ port, token }) => {
    const { socket, closed } = await openRaw(port);
    socket.write(Buffer.concat([...requests, LAST].map((request) => bytesOf(request, token))));
    return closed();
  };

const HEADS = /HTTP\/1\.1 \d{3} /g;

const V2 = "application/vnd.kafka.json.v2+json";
const V3 = "/v3/clusters/c/topics/plain/records";

const CASES: Readonly<Record<string, Request>> = {
  "a stored event": {},
  "a given request id": { more: ["X-Request-Id: mine-1"] },
  "an unsafe request id": { more: ["X-Request-Id: ; drop"] },
  "an empty body": { body: "" },
  "plain text": { type: "text/plain", body: "hello" },
  "a form": { type: "application/x-www-form-urlencoded", body: "a=1&b=2" },
  "a binary event": { type: "application/octet-stream", body: Buffer.from([0, 1, 255]) },
  "a CloudEvent": {
    type: "application/cloudevents+json",
    body: '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}',
  },
  "a batch": { path: "/stations/plain/produce/batch", body: '[{"a":1},{"b":2}]' },
  "a batch with a refused event": { path: "/stations/orders/produce/batch", body: '[{"id":1},{"bad":2}]' },
  "a batch with the outcome of each event": {
    path: "/stations/plain/produce/batch",
    body: '[{"a":1},{"b":2}]',
    more: ["Prefer: return=representation"],
  },
  "an event with its outcome": { more: ["Prefer: return=representation"] },
  "the v2 API": { path: "/topics/plain", type: V2, body: '{"records":[{"value":{"a":1}}]}' },
  "the v3 API": { path: V3, body: '{"value":{"type":"JSON","data":{"a":1}}}' },
  "a gzipped body": { more: ["Content-Encoding: gzip"], body: gzipSync(BODY) },
  "an unknown coding": { more: ["Content-Encoding: zip"] },
  "invalid JSON": { body: "{" },
  "a body with other letters": { body: '{"name":"Zoë"}' },
  "a refused event": { path: "/stations/orders/produce/single", body: '{"bad":1}' },
  "an error text with other letters": { path: "/stations/orders/produce/single", body: '{"bad":"Zoë"}' },
  "an unknown station": { path: "/stations/nobody/produce/single" },
  "an unknown path": { path: "/nowhere" },
  "no credential": { token: null },
  "a wrong credential": { token: "wrong" },
  "a wrong method": { method: "GET" },
  "another topic list": { method: "GET", path: "/topics" },
  HEAD: { method: "HEAD", path: "/topics" },
  "HEAD of an unknown path": { method: "HEAD", path: "/nowhere" },
  OPTIONS: { method: "OPTIONS" },
  "a preflight": {
    method: "OPTIONS",
    more: ["Origin: https://shop.example", "Access-Control-Request-Method: POST"],
  },
  "an origin": { more: ["Origin: https://shop.example"] },
  "another origin": { more: ["Origin: https://other.example"] },
  "HTTP/1.0": { version: "1.0" },
  "HTTP/1.0 with keep-alive": { version: "1.0", more: ["Connection: keep-alive"] },
  "Connection: close": { more: ["Connection: close"] },
  "an unknown expectation": { more: ["Expect: magic"] },
};

describe.each([
  ["any origin", {}],
  ["listed origins", { corsOrigins: ["https://shop.example"] }],
  ["rate limits", { perAddress: { requestsPerSecond: 1000 }, rateClock: () => 1 }],
] as const)("with %s", (_name, options) => {
  beforeAll(() => open(options));
  afterAll(close);

  it.each(Object.entries(CASES))("answers %s", async (_case, request) => {
    expect(await both(ask([request]))).toMatch(/^HTTP\/1\.1 \d{3} /);
  });
});

describe("on a connection", () => {
  beforeAll(() => open());
  afterAll(close);

  it("answers requests one after the other", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, until, closed } = await openRaw(port);
      for (const id of ["first", "second", "third"]) {
        socket.write(bytesOf({ more: [`X-Request-Id: ${id}`] }, token));
        await until(id);
      }
      socket.write(bytesOf(LAST, token));
      return closed();
    });
    expect(answer.match(HEADS)).toHaveLength(4);
  });

  it("answers pipelined requests of all kinds in their order", async () => {
    const kept = Object.values(CASES).filter(
      ({ version, more = [], path }) =>
        version === undefined && path !== "/nowhere" && !more.some((line) => /close|Expect|zip/.test(line)),
    );
    const answer = await both(ask(kept));
    expect(answer.match(HEADS)).toHaveLength(kept.length + 1);
  });

  it("answers a body that comes in pieces", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, until } = await openRaw(port);
      const bytes = bytesOf({}, token);
      for (const end of [10, bytes.length - 6, bytes.length - 2, bytes.length]) {
        const start =
          { 10: 0 }[end] ?? (end === bytes.length ? end - 2 : end === bytes.length - 2 ? end - 4 : 10);
        socket.write(bytes.subarray(start, end));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const received = await until("}");
      socket.destroy();
      return received;
    });
    expect(answer).toContain('"success":true');
  });

  it("answers a chunked body", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, closed } = await openRaw(port);
      const more = ["Content-Type: text/plain", "Transfer-Encoding: chunked", "Connection: close"];
      socket.write(String(bytesOf({ method: "GET", more }, token)).replace("GET", "POST"));
      socket.write('4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n');
      return closed();
    });
    expect(answer).toContain('"success":true');
  });

  it("answers a chunked body above the limit", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, until } = await openRaw(port);
      const more = ["Content-Type: text/plain", "Transfer-Encoding: chunked"];
      socket.write(String(bytesOf({ method: "GET", more }, token)).replace("GET", "POST"));
      const chunk = `${LIMIT.toString(16)}\r\n${"x".repeat(LIMIT)}\r\n`;
      socket.write(`${chunk}${chunk}0\r\n\r\n`);
      const received = await until("}");
      socket.destroy();
      return received;
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("answers a request after a refused one whose body comes later", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, until, closed } = await openRaw(port);
      const bytes = bytesOf({ type: "image/png" }, token);
      socket.write(bytes.subarray(0, bytes.length - BODY.length));
      await until("}");
      socket.write(Buffer.concat([Buffer.from(BODY), bytesOf(LAST, token)]));
      return closed();
    });
    expect(answer).toMatch(/^HTTP\/1\.1 415 [^]*HTTP\/1\.1 200 /);
  });

  it("asks for the body of 100-continue", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, until, closed } = await openRaw(port);
      const bytes = bytesOf({ more: ["Expect: 100-continue"] }, token);
      socket.write(bytes.subarray(0, bytes.length - BODY.length));
      await until("100 Continue\r\n\r\n");
      socket.write(BODY);
      await until("success");
      socket.write(bytesOf(LAST, token));
      return closed();
    });
    expect(answer).toMatch(/^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 /);
  });

  it("does not ask for the body of a refused request with 100-continue", async () => {
    const answer = await both(async ({ port }) => {
      const { socket, closed } = await openRaw(port);
      const bytes = bytesOf({ more: ["Expect: 100-continue"], token: "wrong" }, "");
      socket.write(bytes.subarray(0, bytes.length - BODY.length));
      return closed();
    });
    expect(answer).toMatch(/^HTTP\/1\.1 401 [^]*Connection: close/);
  });

  it("answers malformed bytes after a request", async () => {
    const answer = await both(async ({ port, token }) => {
      const { socket, closed } = await openRaw(port);
      socket.write(Buffer.concat([bytesOf({}, token), Buffer.from("nonsense\r\n\r\n")]));
      return closed();
    });
    expect(answer).toContain('"success":true');
  });
});

describe("while it drains", () => {
  beforeEach(() => open());
  afterEach(close);

  it("closes connections while it drains, also that of a request in progress", async () => {
    const answer = await both(async ({ port, server, token }, slow) => {
      const inProgress = await openRaw(port);
      inProgress.socket.write(bytesOf({ method: "GET", path: "/slow" }, token));
      await slow.asked;
      const idle = await openRaw(port);
      idle.socket.write(bytesOf({}, token));
      await idle.until("success");
      await server.stopAccepting();
      idle.socket.write(bytesOf({}, token));
      slow.answer();
      return `${await inProgress.closed()}\n${await idle.closed()}`;
    });
    expect(answer.match(/^Connection: close/gm)).toHaveLength(2);
  });

  it("tells the drain's Connection: close to a produce that was in progress", async () => {
    const answer = await both(async ({ port, server, token }) => {
      const { socket, until, closed } = await openRaw(port);
      const bytes = bytesOf({}, token);
      socket.write(bytesOf({}, token));
      await until("success");
      socket.write(bytes.subarray(0, bytes.length - 1));
      await server.stopAccepting();
      socket.write(bytes.subarray(bytes.length - 1));
      return closed();
    });
    expect(answer.match(/^Connection: (.+)\r$/gm)).toEqual([
      "Connection: keep-alive\r",
      "Connection: close\r",
    ]);
  });
});
