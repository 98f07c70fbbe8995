/** Requests of attackers and broken clients. Each gets its answer, the process keeps running, and its memory doesn't grow. */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";

const ACCESS_SECRET = "access-secret-of-the-tests-0123456789abcdef";
const MEGABYTE = 1 << 20;

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const forge = (header: object, claims: object, secret = ACCESS_SECRET, digest = "sha256"): string => {
  const signed = `${base64url(header)}.${base64url(claims)}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest("base64url")}`;
};

describe("a hostile client", () => {
  let gateway: Gateway;
  let token: string;

  beforeAll(async () => {
    gateway = await startGateway();
    token = await signIn(gateway);
  }, 30_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  const single = (headers: Record<string, string>, body: string | Buffer = "{}", station = "hostile") =>
    fetch(`${gateway.url}/stations/${station}/produce/single`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      body,
    });

  const answerOf = async (answer: Response): Promise<[number, unknown]> => [
    answer.status,
    await answer.json(),
  ];

  const residentMegabytes = async (): Promise<number> => {
    const status = await readFile(`/proc/${gateway.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };

  describe("with an invalid token", () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = (): object =>
      JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as object;
    const hs256 = { alg: "HS256", typ: "JWT", kid: "default" };

    it.each<[string, () => string]>([
      ["signed with another secret", () => forge(hs256, claims(), "another")],
      ["expired", () => forge(hs256, { ...claims(), iat: now - 100, exp: now - 1 })],
      ["not yet valid", () => forge(hs256, { ...claims(), nbf: now + 1000 })],
      ["of algorithm none", () => `${base64url({ alg: "none" })}.${base64url(claims())}.`],
      ["of algorithm HS512", () => forge({ ...hs256, alg: "HS512" }, claims(), ACCESS_SECRET, "sha512")],
      ["without claims", () => forge(hs256, {})],
      ["without an expiry", () => forge(hs256, { ...claims(), exp: undefined })],
      ["of a user who doesn't exist", () => forge(hs256, { ...claims(), sub: "nobody" })],
      ["changed in one letter", () => token.replace(/.$/, (last) => (last === "A" ? "B" : "A"))],
      ["that is not a token", () => "x"],
    ])("%s gets 401", async (_name, make) => {
      const answer = await single({ authorization: `Bearer ${make()}` });
      expect(await answerOf(answer)).toEqual([401, { message: "Unauthorized" }]);
    });

    it("a refresh token instead of an access token gets 401", async () => {
      const signedIn = await fetch(`${gateway.url}/auth/authenticate`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: "root", connection_token: "root-connection-token-of-the-tests" }),
      });
      const { jwt_refresh_token } = (await signedIn.json()) as { jwt_refresh_token: string };
      expect((await single({ authorization: `Bearer ${jwt_refresh_token}` })).status).toBe(401);
    });
  });

  describe("with a body", () => {
    it.each<[string, () => string | Buffer, Record<string, string>, [number, string]]>([
      ["over the limit", () => `"${"x".repeat(5 * MEGABYTE)}"`, {}, [413, "Request Entity Too Large"]],
      ["of broken JSON", () => '{"a":', {}, [400, "Invalid JSON"]],
      ["of invalid UTF-8", () => Buffer.from([0x22, 0xff, 0xfe, 0x22]), {}, [400, "Invalid JSON"]],
      [
        "of bad gzip",
        () => "not gzip",
        { "content-encoding": "gzip" },
        [400, "The request body can't be decoded"],
      ],
      [
        "that is a gzip bomb",
        () => gzipSync(Buffer.alloc(200 * MEGABYTE)),
        { "content-encoding": "gzip" },
        [413, "Request Entity Too Large"],
      ],
      [
        "in an unknown encoding",
        () => "x",
        { "content-encoding": "zip" },
        [415, "unsupported content encoding"],
      ],
      ["nested without end", () => "[".repeat(MEGABYTE), {}, [400, "JSON is nested too deep"]],
      [
        "of an unknown content type",
        () => "x",
        { "content-type": "image/png" },
        [415, "unsupported content type"],
      ],
    ])("%s gets a specific error", async (_name, body, headers, [status, error]) => {
      expect(await answerOf(await single(headers, body()))).toEqual([status, { error, success: false }]);
    });

    it("that is shorter than its Content-Length gets 400, and the process keeps running", async () => {
      const { hostname, port } = new URL(gateway.url);
      const socket = connect(Number(port), hostname);
      socket.end(
        "POST /stations/half/produce/single HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n" +
          `Authorization: Bearer ${token}\r\nContent-Length: 100\r\n\r\nhalf of it`,
      );
      const answer = await new Promise<string>((resolve) => {
        let text = "";
        socket
          .on("data", (chunk: Buffer) => (text += chunk.toString()))
          .on("close", () => {
            resolve(text);
          });
      });
      expect(answer).toMatch(/^(HTTP\/1\.1 400 |$)/);
      expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    });

    it("of 100,000 elements is stored, or gets 400 if an element is invalid", async () => {
      const batch = (elements: string[]) =>
        fetch(`${gateway.url}/stations/many/produce/batch`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: `[${elements.join(",")}]`,
        });
      const elements = Array.from({ length: 100_000 }, (_, index) => `{"index":${index}}`);
      expect((await batch([...elements, "null"])).status).toBe(400);
      expect(await answerOf(await batch(elements))).toEqual([200, { error: null, success: true }]);
    }, 60_000);
  });

  it.each(["a%2Fb", "%E2%84%AA", "-a", "a.", "a b", "..%2f..", "%00", "x".repeat(129)])(
    "gets 400 for a station called %s",
    async (station) => {
      const answer = await single({}, "{}", encodeURI(station).replaceAll("%25", "%"));
      expect(answer.status).toBe(400);
    },
  );

  it("doesn't make the memory grow", async () => {
    const attack = async (): Promise<void> => {
      const bomb = gzipSync(Buffer.alloc(50 * MEGABYTE));
      const bodies = Array.from({ length: 10 }, () => single({ "content-encoding": "gzip" }, bomb));
      const deep = Array.from({ length: 10 }, () => single({}, "[".repeat(MEGABYTE)));
      const large = Array.from({ length: 10 }, () => single({}, Buffer.alloc(5 * MEGABYTE)));
      await Promise.all([...bodies, ...deep, ...large].map((answer) => answer.then((got) => got.text())));
    };
    await attack();
    const before = await residentMegabytes();
    for (let round = 0; round < 5; round++) await attack();
    expect((await residentMegabytes()) - before).toBeLessThan(150);
    expect((await single({})).status).toBe(200);
  }, 60_000);
});
