/**
 * All routes of both listeners, with and without a credential, get hostile requests up to the limits of size. Each request
 * gets its answer, `/healthz` answers soon meanwhile, and the memory doesn't grow.
 */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { jest } from "@jest/globals";
import { Agent } from "undici";
import { ADMIN_TOKEN, type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { cpuMs, watchStrain } from "../support/health-delay.ts";

jest.setTimeout(120_000);

/** The limits of the specification. */
const MAX_DELAY_MS = 300;
const MAX_MEMORY_MIB = 150;

const MEGABYTE = 1 << 20;
const LIMIT = 4 * MEGABYTE;

interface Route {
  readonly method: string;
  readonly path: string;
  readonly types: readonly string[];
  readonly isOperators: boolean;
}

const routesOf = (file: string): readonly Route[] => {
  const { paths } = JSON.parse(readFileSync(file, "utf8")) as {
    paths: Record<string, Record<string, { requestBody?: { content: Record<string, unknown> } }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => /^(get|post|put|patch|delete|options)$/.test(method))
      .map(([method, { requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        types: Object.keys(requestBody?.content ?? {}),
        isOperators: file.includes("operators"),
      })),
  );
};

const ROUTES = [...routesOf("openapi.json"), ...routesOf("openapi.operators.json")];
const WITH_BODY = ROUTES.filter(({ types }) => types.length > 0);

const filled = (head: string, piece: string, tail: string): string =>
  head + piece.repeat(Math.floor((LIMIT - head.length - tail.length - 2) / piece.length)) + tail;

interface Hostile {
  readonly body: string | Buffer;
  readonly encoding?: string;
}

const many = (element: string, wrap: (list: string) => string = (list) => list): string =>
  wrap(filled("[", `${element},`, `${element}]`));

/** Each body is made when it is needed. */
const BODIES: readonly (readonly [string, () => Hostile])[] = [
  ["1.4 million empty objects", () => ({ body: many("{}") })],
  ["1.4 million empty objects in gzip", () => ({ body: gzipSync(many("{}")), encoding: "gzip" })],
  ["a million numbers", () => ({ body: many("1") })],
  ["events of wrong types", () => ({ body: many("0", (list) => `{"events":${list.slice(0, -40)}]}`) })],
  ["empty records", () => ({ body: many("{}", (list) => `{"records":${list.slice(0, -41)}]}`) })],
  [
    "a scope of wrong types",
    () => ({ body: many("{}", (list) => `{"username":"a","scope":{"stations":${list.slice(0, -80)}]}}`) }),
  ],
  [
    "hundreds of thousands of keys",
    () => ({ body: `{${Array.from({ length: 380_000 }, (_, i) => `"${i}":1`).join(",")}}`.slice(0, LIMIT) }),
  ],
  ["one key many times", () => ({ body: filled("{", '"config":{},', '"config":{}}') })],
  ["arrays nested a hundred thousand deep", () => ({ body: "[".repeat(100_000) + "]".repeat(100_000) })],
  [
    "objects nested a hundred thousand deep",
    () => ({ body: '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000) }),
  ],
  ["arrays that never close", () => ({ body: "[".repeat(LIMIT - 1) })],
  ["one long text", () => ({ body: JSON.stringify({ name: "x".repeat(LIMIT - 100) }) })],
  ["one long number", () => ({ body: `{"token_expiry_in_minutes":${"9".repeat(LIMIT - 100)}}` })],
  ["escapes", () => ({ body: filled('{"username":"', "\\u0000", '"}') })],
  ["invalid UTF-8", () => ({ body: Buffer.alloc(MEGABYTE, 0xff) })],
  ["NULs", () => ({ body: Buffer.alloc(LIMIT - 1) })],
  ["form fields", () => ({ body: filled("a=1", "&a=1", "") })],
  ["broken gzip", () => ({ body: gzipSync(many("{}")).subarray(0, 1000), encoding: "gzip" })],
  ["plain text declared as gzip", () => ({ body: "plain", encoding: "gzip" })],
  ["a gzip bomb", () => ({ body: gzipSync(Buffer.alloc(200 * MEGABYTE)), encoding: "gzip" })],
  [
    "a brotli bomb",
    () => ({
      body: brotliCompressSync(Buffer.alloc(200 * MEGABYTE), {
        params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
      }),
      encoding: "br",
    }),
  ],
  ["an empty body", () => ({ body: "" })],
];

describe("hostile requests to every route", () => {
  let gateway: Gateway;
  let token: string;
  let cluster: string;
  const agent = new Agent({ connections: 4, bodyTimeout: 30_000, headersTimeout: 30_000 });

  beforeAll(async () => {
    gateway = await startGateway({
      nodeFlags: ["--max-old-space-size=320"],
      settings: {
        admin: { host: "127.0.0.1", port: 0, token: ADMIN_TOKEN, failuresPerMinute: 100_000 },
        webhooks: [{ source: "hook", station: "hostile", scheme: "none" }],
      },
    });
    token = await signIn(gateway);
    const answer = await fetch(`${gateway.url}/v3/clusters`, {
      headers: { authorization: `Bearer ${token}` },
    });
    cluster = ((await answer.json()) as { data: { cluster_id: string }[] }).data[0]?.cluster_id ?? "";
  });
  afterAll(async () => {
    await agent.close();
    await gateway[Symbol.asyncDispose]();
  });

  const pathOf = ({ path }: Route): string => {
    const values: Record<string, string> = { cluster, source: "hook", partition: "0", task: "0" };
    return path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "hostile");
  };
  const credentialFor = ({ isOperators }: Route): Record<string, string> => ({
    authorization: `Bearer ${isOperators ? ADMIN_TOKEN : token}`,
  });

  interface Outcome {
    readonly name: string;
    /** Milliseconds until its answer. */
    readonly ms: number;
    readonly problem: string | undefined;
  }

  const ask = async (
    route: Route,
    headers: Record<string, string>,
    { body, query = "" }: { readonly body?: string | Buffer; readonly query?: string } = {},
  ): Promise<Outcome> => {
    const hasCredential = headers["authorization"] !== undefined;
    const name = `${route.method} ${route.path}${hasCredential ? "" : " (no credential)"}`;
    const started = performance.now();
    const problem = await agent
      .request({
        origin: route.isOperators ? gateway.adminUrl : gateway.url,
        path: pathOf(route) + query,
        method: route.method,
        headers,
        ...(body !== undefined && { body }),
      })
      .then(
        async ({ statusCode, headers: answered, body: answer }) => {
          const type = String(answered["content-type"]);
          if (type.startsWith("text/event-stream")) {
            answer.on("error", () => undefined).destroy();
            return undefined;
          }
          return problemOf(statusCode, type, await answer.text());
        },
        (error: unknown) => String(error),
      );
    return { name, ms: performance.now() - started, problem };
  };

  /** Sends the requests one after the other. Expects an answer to each, and limits of delay and memory. */
  const expectLight = async (requests: readonly (() => Promise<Outcome>)[]): Promise<void> => {
    const watch = await watchStrain(gateway);
    const outcomes: (Outcome & { cpu: number })[] = [];
    for (const request of requests) {
      const before = cpuMs(gateway.pid);
      outcomes.push({ ...(await request()), cpu: cpuMs(gateway.pid) - before });
    }
    const { delayMs, memoryMiB } = await watch.stop();
    outcomes.sort((a, b) => b.cpu - a.cpu);
    const slowest = outcomes
      .slice(0, 5)
      .map(({ name, ms, cpu }) => `${name}: ${Math.round(ms)} ms, CPU ${cpu} ms`);
    const problems = outcomes.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [`${name}: ${problem}`],
    );
    expect(problems).toEqual([]);
    const isLate = delayMs > MAX_DELAY_MS;
    const isLarge = memoryMiB > MAX_MEMORY_MIB;
    expect(isLate || isLarge ? { slowest, delayMs, memoryMiB } : undefined).toBeUndefined();
  };

  const both = (route: Route): readonly Record<string, string>[] => [{}, credentialFor(route)];

  it.each(BODIES)("accepts or refuses %s", async (_, make) => {
    const { body, encoding } = make();
    await expectLight(
      WITH_BODY.flatMap((route) =>
        both(route).map((credential) => () => {
          const headers = { ...credential, "content-type": route.types[0] ?? "" };
          return ask(
            route,
            { ...headers, ...(encoding !== undefined && { "content-encoding": encoding }) },
            { body },
          );
        }),
      ),
    );
  });

  it.each<[string, Record<string, string>, string]>([
    ["a thousand cookies", { cookie: "a=1; ".repeat(2000) }, ""],
    ["a thousand entries of Accept", { accept: "a/b;q=0.1,".repeat(1000) }, ""],
    ["a long traceparent", { traceparent: "0-".repeat(5000), tracestate: "a=b,".repeat(500) }, ""],
    ["thousands of query parameters", {}, `?${"a&".repeat(6000)}`],
    ["a query of brackets", {}, `?a${"[a]".repeat(4000)}=1`],
    ["a query that does not decode", {}, `?last=%ff%&filter=${"%".repeat(8000)}`],
    ["many segments", {}, "/a".repeat(6000)],
    ["many slashes", {}, "/".repeat(12_000)],
    ["a long Basic credential", { "x-api-key": "k".repeat(12_000) }, ""],
  ])("answers %s", async (_, headers, query) => {
    await expectLight(
      ROUTES.flatMap((route) =>
        both(route).map((credential) => () => ask(route, { ...headers, ...credential }, { query })),
      ),
    );
  });

  it("answers thousands of header fields, also above the limit", async () => {
    const send = (route: Route, lines: string): Promise<Outcome> =>
      new Promise((resolve) => {
        const { port } = new URL(route.isOperators ? gateway.adminUrl : gateway.url);
        const started = performance.now();
        const socket = connect(Number(port), "127.0.0.1");
        let answer = "";
        socket.on("data", (chunk) => (answer += chunk.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => {
          const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
          const isAnswer = (status >= 200 && status < 500) || status === 503;
          resolve({
            name: `${route.method} ${route.path}`,
            ms: performance.now() - started,
            problem: isAnswer ? undefined : `answered ${answer.slice(0, 100)}`,
          });
        });
        socket.write(
          `${route.method} ${pathOf(route)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n${lines}\r\n`,
        );
      });
    const answered = ROUTES.filter(({ path }) => !path.endsWith("/tail"));
    await expectLight(
      answered.flatMap((route) => [
        () => send(route, "x-:\r\n".repeat(1990)),
        () => send(route, "x-a: b\r\n".repeat(20_000)),
      ]),
    );
  });

  it("serves other clients while all routes wait for the rest of a body", async () => {
    const watch = await watchStrain(gateway);
    const sockets = WITH_BODY.flatMap((route) =>
      both(route).map((credential): Socket => {
        const { port } = new URL(route.isOperators ? gateway.adminUrl : gateway.url);
        const socket = connect(Number(port), "127.0.0.1");
        const authorization = credential["authorization"];
        socket.on("error", () => undefined).resume();
        socket.write(
          `${route.method} ${pathOf(route)} HTTP/1.1\r\nHost: a\r\nContent-Type: ${route.types[0]}\r\nContent-Length: ${LIMIT}\r\n` +
            `${authorization === undefined ? "" : `Authorization: ${authorization}\r\n`}\r\n${" ".repeat(MEGABYTE)}`,
        );
        return socket;
      }),
    );
    const stored = await fetch(`${gateway.url}/stations/hostile/produce/single`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: "{}",
    });
    expect(stored.status).toBe(200);
    const { delayMs, memoryMiB } = await watch.stop();
    for (const socket of sockets) socket.destroy();
    expect(delayMs).toBeLessThan(MAX_DELAY_MS);
    expect(memoryMiB).toBeLessThan(MAX_MEMORY_MIB);
  });
});

/** undefined: the answer is a success, a 503 or a refusal in JSON. */
const problemOf = (status: number, type: string, text: string): string | undefined => {
  if (status < 400) return undefined;
  if (status >= 500 && status !== 503) return `${status} ${text.slice(0, 100)}`;
  if (type.startsWith("text/html")) return undefined;
  try {
    const body = JSON.parse(text) as unknown;
    return typeof body === "object" && body !== null
      ? undefined
      : `${status} without an error: ${text.slice(0, 100)}`;
  } catch {
    return `${status} ${type} ${text.slice(0, 100)}`;
  }
};
