/** The image's health check, against the real program with and without TLS. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { type Authority, createAuthority } from "../support/authority.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";

const run = promisify(execFile);

const dockerfile = readFileSync("Dockerfile", "utf8");
const commandOf = (text: string): readonly string[] => JSON.parse(text) as string[];
const check = commandOf(/^HEALTHCHECK .* CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? "[]");

/** Runs the command in the folder from which the image gets its script. */
const probe = ([program = "", ...args]: readonly string[], env: Record<string, string>): Promise<string> =>
  run(program, args, { cwd: "deploy", env: { PATH: process.env["PATH"], ...env } }).then(
    () => "healthy",
    () => "unhealthy",
  );

const portOf = ({ url }: Gateway): string => new URL(url).port;

describe("the image's health check", () => {
  let authority: Authority;
  let plain: Gateway;
  let encrypted: Gateway;

  beforeAll(async () => {
    authority = await createAuthority();
    const { cert, key } = await authority.server();
    const directory = await mkdtemp(path.join(tmpdir(), "stationgate-image-"));
    await writeFile(path.join(directory, "tls.crt"), cert);
    await writeFile(path.join(directory, "tls.key"), key);
    const server = { host: "127.0.0.1", port: 0, tls: { cert: "tls.crt", key: "tls.key" } };
    [plain, encrypted] = await Promise.all([
      startGateway(),
      startGateway({ directory, settings: { server } }),
    ]);
  }, 60_000);

  afterAll(async () => {
    await plain[Symbol.asyncDispose]();
    await encrypted[Symbol.asyncDispose]();
    await authority[Symbol.asyncDispose]();
  });

  const failures = async (): Promise<string | undefined> => {
    const metrics = await (await fetch(`${encrypted.adminUrl}/metrics`)).text();
    return /^stationgate_tls_failures_total\{listener="public",reason="not TLS"\} (\d+)$/m.exec(metrics)?.[1];
  };

  it("is in the image", () => {
    expect(dockerfile).toContain(`COPY deploy/${check[1]} ./`);
    expect(readFileSync(".dockerignore", "utf8")).toContain(`!deploy/${check[1]}\n`);
  });

  it("succeeds without TLS", async () => {
    expect(await probe(check, { STATIONGATE_SERVER_PORT: portOf(plain) })).toBe("healthy");
  });

  it("uses TLS at once if the environment has the certificate", async () => {
    const before = await failures();
    const env = { STATIONGATE_SERVER_PORT: portOf(encrypted), STATIONGATE_SERVER_TLS_CERT: "tls.crt" };

    expect([await probe(check, env), await failures()]).toEqual(["healthy", before]);
  });

  it("succeeds with TLS that only the settings file has", async () => {
    expect(await probe(check, { STATIONGATE_SERVER_PORT: portOf(encrypted) })).toBe("healthy");
  });

  it.each([{}, { STATIONGATE_SERVER_TLS_CERT: "tls.crt" }])(
    "fails if nothing listens, with %j",
    async (env) => {
      expect(await probe(check, { STATIONGATE_SERVER_PORT: "1", ...env })).toBe("unhealthy");
    },
  );

  it("is the one of compose.yaml, with another path", async () => {
    const { services } = parse(readFileSync("compose.yaml", "utf8"), { merge: true }) as {
      services: Record<string, { healthcheck: { test: readonly string[] } }>;
    };
    const [, ...command] = services["gateway-1"]?.healthcheck.test ?? [];
    const env = { STATIONGATE_SERVER_PORT: portOf(plain) };

    expect(command).toEqual([...check, "/readyz"]);
    expect(await probe(command, env)).toBe("healthy");
    expect(await probe([...check, "/no-such-path"], env)).toBe("unhealthy");
  });
});
