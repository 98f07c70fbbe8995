/** Real servers on this machine, with and without TLS. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createPlain, type RequestListener, type Server } from "node:http";
import { createServer as createEncrypted } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createDocumentClient,
  createDocumentFetch,
  type GetDocument,
} from "../../../src/auth/issuers/issuer-documents.ts";
import { type Certificates, makeCertificates } from "../../support/kafka/certificates.ts";
import { describeWithTools } from "../../support/tools.ts";

const servers = new Set<Server>();
const signal = AbortSignal.timeout(20_000);

const listen = async (server: Server): Promise<number> => {
  servers.add(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
};

const plain = async (listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createPlain(listener))}`;

afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  servers.clear();
});

const json =
  (value: unknown, headers = {}): RequestListener =>
  (_, response) => {
    response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };

const messageOf = async (task: Promise<unknown>): Promise<string> => {
  try {
    await task;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the task did not fail");
};

describe("a document of an issuer", () => {
  const get = createDocumentClient(undefined);

  it("is fetched with its cache control", async () => {
    const url = await plain(json({ keys: [] }, { "cache-control": "public, max-age=60" }));
    expect(await get(url, signal)).toEqual({ value: { keys: [] }, cacheControl: "public, max-age=60" });
  });

  it("is not fetched from the target of a redirect", async () => {
    let asked = 0;
    const target = await plain((_, response) => {
      asked += 1;
      response.end("{}");
    });
    const url = await plain((_, response) => response.writeHead(302, { location: target }).end());
    expect(await messageOf(get(url, signal))).toBe(`${url} answered 302`);
    expect(asked).toBe(0);
  });

  it.each([204, 401, 404, 500])("is refused with status %d", async (status) => {
    const url = await plain((_, response) => response.writeHead(status).end());
    expect(await messageOf(get(url, signal))).toBe(`${url} answered ${status}`);
  });

  it("is refused if it is no JSON", async () => {
    const url = await plain((_, response) => response.end("<html>"));
    expect(await messageOf(get(url, signal))).toBe(`${url} did not answer JSON`);
  });

  it("may have 256 KiB and not a byte more", async () => {
    const sized = (bytes: number) => plain((_, response) => response.end(`"${"x".repeat(bytes - 2)}"`));
    expect((await get(await sized(262_144), signal)).value).toHaveLength(262_142);
    const url = await sized(262_145);
    expect(await messageOf(get(url, signal))).toBe(`${url} answered more than 262144 bytes`);
  });

  it("that never ends is cut at 256 KiB", async () => {
    const closed: Promise<unknown>[] = [];
    const url = await plain((request, response) => {
      closed.push(new Promise((resolve) => request.socket.once("close", resolve)));
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        response.once("drain", write);
      };
      write();
    });
    expect(await messageOf(get(url, signal))).toContain("answered more than");
    await Promise.all(closed);
  });

  it("that breaks off is refused", async () => {
    const url = await plain((_, response) => {
      response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy());
    });
    expect(await messageOf(get(url, signal))).toBe("aborted");
  });

  it("is given up when the signal is aborted", async () => {
    const abort = new AbortController();
    const url = await plain(() => {
      abort.abort();
    });
    expect(await messageOf(get(url, abort.signal))).toBe("The operation was aborted");
  });

  it("is refused if nothing listens", async () => {
    expect(await messageOf(get("http://127.0.0.1:1", signal))).toContain("ECONNREFUSED");
  });
});

describeWithTools("a document over TLS", ["openssl"], () => {
  let folder: string;
  let certificates: Certificates;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stationgate-issuer-"));
    certificates = await makeCertificates(folder);
  });

  afterAll(() => rm(folder, { recursive: true }));

  const serve = async (): Promise<string> => {
    const server = createEncrypted({ ...certificates.server }, json({ keys: [] }));
    return `https://localhost:${await listen(server)}`;
  };

  it("is fetched if the ca of the entry has signed the certificate", async () => {
    expect(await createDocumentClient(certificates.ca)(await serve(), signal)).toMatchObject({
      value: { keys: [] },
    });
  });

  it("is refused if only the system's roots are trusted", async () => {
    expect(await messageOf(createDocumentClient(undefined)(await serve(), signal))).toMatch(/certificate/);
  });

  it("is refused under another name", async () => {
    const url = (await serve()).replace("localhost", "127.0.0.2");
    expect(await messageOf(createDocumentClient(certificates.ca)(url, signal))).toMatch(
      /altnames|ECONNREFUSED/,
    );
  });
});

describe("the documents of an issuer", () => {
  const KEYS = { keys: [] };
  const asking = (answers: Readonly<Record<string, unknown>>, cacheControl = "") => {
    const asked: string[] = [];
    const get: GetDocument = (url) => {
      asked.push(url);
      return Promise.resolve({ value: answers[url], cacheControl });
    };
    return { asked, get };
  };
  const WELL_KNOWN = "/.well-known/openid-configuration";

  it.each([
    "https://id.example",
    "https://id.example/",
    "https://id.example/realms/a",
    "http://127.0.0.1:80/a//",
  ])("of %s are found by its discovery document", async (issuer) => {
    const url = `${issuer.replace(/\/$/, "")}${WELL_KNOWN}`;
    const discovery = {
      issuer,
      jwks_uri: "https://keys.example/jwks",
      token_endpoint: "https://id.example/t",
    };
    const { asked, get } = asking({ [url]: discovery, "https://keys.example/jwks": KEYS });
    const fetch = createDocumentFetch({ issuer, jwksUri: undefined, get });
    expect(await fetch(signal)).toEqual({ discovery, keySet: KEYS, maxAge: undefined });
    expect(asked).toEqual([url, "https://keys.example/jwks"]);
  });

  it("need no discovery if the URL of the keys is configured", async () => {
    const { asked, get } = asking({ "https://k.example": KEYS }, "no-cache, Max-Age=90, private");
    const fetch = createDocumentFetch({ issuer: "https://id.example", jwksUri: "https://k.example", get });
    expect(await fetch(signal)).toEqual({ discovery: undefined, keySet: KEYS, maxAge: 90_000 });
    expect(asked).toEqual(["https://k.example"]);
  });

  it.each([
    [
      "another issuer",
      { issuer: "https://id.example/", jwks_uri: "https://k.example" },
      /names the issuer "https:\/\/id.example\/"/,
    ],
    ["no issuer", { jwks_uri: "https://k.example" }, /names the issuer nothing/],
    [
      "no URL of the keys",
      { issuer: "https://id.example" },
      /has the jwks_uri nothing, which is not an https URL/,
    ],
    [
      "an unprotected URL of the keys",
      { issuer: "https://id.example", jwks_uri: "http://k.example" },
      /not an https URL/,
    ],
    [
      "a file as URL of the keys",
      { issuer: "https://id.example", jwks_uri: "file:///etc/passwd" },
      /not an https URL/,
    ],
    ["a list instead of an object", [], /is not an object/],
  ])("are refused if the discovery document has %s", async (_, discovery, message) => {
    const { get } = asking({ [`https://id.example${WELL_KNOWN}`]: discovery, "http://k.example": KEYS });
    const fetch = createDocumentFetch({ issuer: "https://id.example", jwksUri: undefined, get });
    expect(await messageOf(fetch(signal))).toMatch(message);
  });
});
