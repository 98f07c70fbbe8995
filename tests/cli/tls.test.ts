import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { TLSSocket } from "node:tls";
import { openClient } from "../../src/cli/client.ts";
import { adminConnection, publicConnection } from "../../src/cli/connection.ts";
import { loadOrCreateIdentity } from "../../src/config/identity.ts";
import { readClientTls } from "../../src/cli/tls.ts";
import { type Authority, createAuthority } from "../support/authority.ts";
import { fakeShell } from "./support.ts";

let directory: string;
let authority: Authority;
const pathOf = (name: string): string => path.join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "stationgate-cli-tls-"));
  authority = await createAuthority();
  const [client, other, server] = await Promise.all([
    authority.client("billing"),
    authority.client("other"),
    authority.server(),
  ]);
  const files = {
    "ca.crt": authority.cert,
    "billing.crt": client.cert,
    "billing.key": client.key,
    "billing.pem": client.cert + client.key,
    "other.key": other.key,
    "server.crt": server.cert,
    "server.key": server.key,
    "cut.crt": authority.cert + client.cert.slice(0, -30),
    text: "no PEM",
  };
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(pathOf(name), content)));
});

afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const NO_FILES = { ca: undefined, cert: undefined, key: undefined };
const read = (files: Partial<typeof NO_FILES> | Record<string, string>) =>
  readClientTls({ ...NO_FILES, ...files }, (name) => readFileSync(pathOf(name), "utf8"));

describe("readClientTls", () => {
  it("reads nothing without a file", () => {
    expect(read({})).toBeUndefined();
  });

  it("reads a CA, a certificate and its key, also from one file", async () => {
    const { cert, key } = read({ cert: "billing.crt", key: "billing.key" }) ?? {};

    expect(read({ ca: "ca.crt" })).toEqual({ ca: authority.cert });
    expect([cert, key]).toEqual([
      await readFile(pathOf("billing.crt"), "utf8"),
      await readFile(pathOf("billing.key"), "utf8"),
    ]);
    expect(read({ cert: "billing.pem" })?.key).toContain("PRIVATE KEY");
  });

  it.each([
    [{ ca: "text" }, "got text, which contains no PEM certificate"],
    [{ cert: "text", key: "billing.key" }, "got text, which contains no PEM certificate"],
    [{ ca: "cut.crt" }, "got cut.crt, which has a PEM block without its end"],
    [{ cert: "billing.crt" }, "billing.crt contains no private key of the certificate in billing.crt (PEM)"],
    [
      { cert: "billing.crt", key: "other.key" },
      "other.key contains no private key of the certificate in billing.crt (PEM)",
    ],
    [{ key: "billing.key" }, "the key billing.key needs its certificate: give --cert"],
  ])("refuses %j", (files, message) => {
    expect(() => read(files)).toThrow(message);
  });
});

describe("the certificate as credential", () => {
  const shell = (env: Record<string, string> = {}) => fakeShell({ env, cwd: directory });
  const files = { cert: "billing.crt", key: "billing.key" };
  const HTTPS = {
    STATIONGATE_URL: "https://localhost:4444",
    STATIONGATE_ADMIN_URL: "https://localhost:4445",
  };

  it("counts if there is no other credential", async () => {
    const env = { ...HTTPS, STATIONGATE_CERT: "billing.pem", STATIONGATE_CA: "ca.crt" };

    expect(await publicConnection(shell(HTTPS), files)).toMatchObject({
      credential: { kind: "certificate" },
    });
    expect(await publicConnection(shell(env), {})).toMatchObject({
      credential: { kind: "certificate" },
      tls: { ca: authority.cert.trimEnd() },
    });
    expect(adminConnection(shell(HTTPS), files)).toMatchObject({ credential: { kind: "certificate" } });
  });

  it("does not count for an http URL", async () => {
    const env = { STATIONGATE_CERT: "billing.pem", STATIONGATE_API_KEY: "k" };
    const withIdentity = shell({ STATIONGATE_CERT: "billing.pem", STATIONGATE_DATA_DIR: "data" });
    loadOrCreateIdentity(pathOf("data"));

    expect(await publicConnection(withIdentity, {})).toMatchObject({ credential: { kind: "account" } });
    expect(adminConnection(withIdentity, {})).toMatchObject({ credential: { kind: "bearer" } });
    expect(await publicConnection(shell(env), files)).toMatchObject({ credential: { kind: "apiKey" } });
    const message = "--cert needs an https URL (got http://localhost:4444)";
    await expect(publicConnection(shell(), files)).rejects.toThrow(message);
    expect(() => adminConnection(shell(), files)).toThrow("--cert needs an https URL");
  });

  it("does not count beside a token", async () => {
    const tokens = { STATIONGATE_TOKEN: "t", STATIONGATE_ADMIN_TOKEN: "a" };

    expect(await publicConnection(shell(tokens), files)).toMatchObject({
      credential: { kind: "bearer", token: "t" },
      tls: { cert: expect.stringContaining("CERTIFICATE") as string },
    });
    expect(adminConnection(shell(tokens), files).credential).toEqual({ kind: "bearer", token: "a" });
  });
});

describe("a call", () => {
  let server: Server;
  let url: string;

  beforeAll(async () => {
    const [cert, key] = await Promise.all([readFile(pathOf("server.crt")), readFile(pathOf("server.key"))]);
    server = createServer({ cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false });
    server.on("request", ({ socket }, response) => {
      const shown = socket instanceof TLSSocket ? socket.getPeerCertificate() : undefined;
      // Without a certificate the object is empty.
      response.end(shown && "subject" in shown ? shown.subject.CN : "nobody");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = async (files: Record<string, string>): Promise<string> => {
    const tls = read(files);
    return (await openClient({ url, ...(tls && { tls }) }).call({ method: "GET", path: "/" })).text;
  };

  it("trusts the CA and shows the certificate", async () => {
    expect(await ask({ ca: "ca.crt" })).toBe("nobody");
    expect(await ask({ ca: "ca.crt", cert: "billing.pem" })).toBe("billing");
  });

  it("says what is missing if the gateway has a certificate of another CA", async () => {
    await expect(ask({})).rejects.toMatchObject({
      exit: "unreachable",
      message: expect.stringContaining("give the CA of its certificate by --ca") as string,
    });
  });
});
