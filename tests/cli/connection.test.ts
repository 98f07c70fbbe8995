import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { adminConnection, publicConnection } from "../../src/cli/connection.ts";
import { loadOrCreateIdentity } from "../../src/config/identity.ts";
import { fakeShell } from "./support.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "stationgate-connection-"));
  writeFileSync(path.join(directory, "secret"), "from a file\n");
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const shell = (env: Record<string, string> = {}) => fakeShell({ env, cwd: directory });

describe("publicConnection", () => {
  it.each([
    ["a token", { STATIONGATE_TOKEN: "t" }, { kind: "bearer", token: "t" }],
    ["a token's file", { STATIONGATE_TOKEN_FILE: "secret" }, { kind: "bearer", token: "from a file" }],
    ["an API key", { STATIONGATE_API_KEY: "k" }, { kind: "apiKey", key: "k" }],
    [
      "an account",
      { STATIONGATE_USERNAME: "u", STATIONGATE_PASSWORD_FILE: "secret" },
      { kind: "account", username: "u", password: "from a file" },
    ],
  ])("reads %s from the environment", async (_, env, credential) => {
    expect(await publicConnection(shell(env), {})).toMatchObject({
      url: "http://localhost:4444",
      credential,
    });
  });

  it("prefers options to the environment", async () => {
    const env = { STATIONGATE_URL: "http://a.test", STATIONGATE_TOKEN: "t" };
    expect(
      await publicConnection(shell(env), { url: "https://b.test/gateway/", apiKeyFile: "secret" }),
    ).toEqual({ url: "https://b.test/gateway", credential: { kind: "apiKey", key: "from a file" } });
  });

  it("uses the identity in the data directory as the last source, and only for a gateway of this machine", async () => {
    const { connectionToken } = loadOrCreateIdentity(path.join(directory, "data"));
    const local = await publicConnection(shell(), {});
    expect(local.credential).toEqual({ kind: "account", username: "root", connectionToken });
    await expect(publicConnection(shell(), { url: "http://gateway.example" })).rejects.toMatchObject({
      exit: "forbidden",
    });
    const given = await publicConnection(shell({ STATIONGATE_TOKEN: "t" }), {});
    expect(given.credential).toEqual({ kind: "bearer", token: "t" });
  });

  it.each([
    [{}, "forbidden"],
    [{ url: "localhost:4444", tokenFile: "secret" }, "usage"],
    [{ tokenFile: "nowhere" }, "usage"],
    [{ username: "u" }, "forbidden"],
  ] as const)("refuses %j", async (options, exit) => {
    await expect(publicConnection(shell(), options)).rejects.toMatchObject({ exit });
  });
});

describe("adminConnection", () => {
  it("reads the operators' token from a file, the environment, or the identity in the data directory", () => {
    const env = { STATIONGATE_ADMIN_TOKEN: "a", STATIONGATE_ADMIN_URL: "http://127.0.0.1:5" };
    expect(adminConnection(shell(env), { adminTokenFile: "secret" }).credential).toEqual({
      kind: "bearer",
      token: "from a file",
    });
    expect(adminConnection(shell(env), {})).toEqual({
      url: "http://127.0.0.1:5",
      credential: { kind: "bearer", token: "a" },
    });
    const { adminToken } = loadOrCreateIdentity(path.join(directory, "data"));
    expect(adminConnection(shell(), {}).credential).toEqual({ kind: "bearer", token: adminToken });
    expect(() => adminConnection(shell(), { adminUrl: "http://gateway.example:4445" })).toThrow(
      "no admin token",
    );
  });
});
