/** compose.tls.yaml: its commands make a certificate, with which clients, nginx and the gateways speak TLS. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { get } from "node:https";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { parse } from "yaml";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { startNginx, type Nginx } from "../support/nginx.ts";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
}

const text = readFileSync("compose.tls.yaml", "utf8");
const { services } = parse(text, { merge: true }) as { services: Readonly<Record<string, Service>> };
const base = parse(readFileSync("compose.yaml", "utf8"), { merge: true }) as {
  services: Readonly<Record<string, object>>;
};

describe("compose.tls.yaml", () => {
  it("follows the Compose specification and changes services of compose.yaml only", () => {
    const ajv = new Ajv2020({ strict: false });
    formats.default(ajv);
    const validate = ajv.compile(
      JSON.parse(readFileSync("tests/deploy/compose-spec.json", "utf8")) as object,
    );
    expect([validate(parse(text, { merge: true })), validate.errors]).toEqual([true, null]);
    expect(Object.keys(services).filter((name) => !(name in base.services))).toEqual([]);
  });

  it("gives every gateway the certificate, as a folder", () => {
    const gateways = Object.keys(base.services).filter((name) => name.startsWith("gateway-"));
    for (const name of gateways) expect(services[name]?.volumes).toEqual(["./certs:/etc/stationgate/tls:ro"]);
  });

  it("has the configuration of nginx.conf, but for TLS", () => {
    const linesOf = (file: string): readonly string[] =>
      readFileSync(file, "utf8")
        .replaceAll("https://", "http://")
        .split("\n")
        .filter((line) => !/^#|ssl|self-signed/.test(line) && !line.includes("listen 4444"));
    expect(linesOf("deploy/nginx-tls.conf")).toEqual(linesOf("deploy/nginx.conf"));
  });
});

describeWithTools("compose.tls.yaml, by openssl and nginx", ["openssl", "nginx"], () => {
  let folder: string;
  let gateway: Gateway;
  let nginx: Nginx;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "stationgate-compose-"));
    const commands = [...text.matchAll(/^# {3}((?:mkdir|chmod) .*)$/gm)].map(([, command = ""]) => command);
    await run("sh", ["-ec", commands.join("\n")], { cwd: folder });
    const env = Object.entries(services["gateway-1"]?.environment ?? {}).map(([name, value]) => [
      name,
      value.replace("/etc/stationgate/tls", `${folder}/certs`),
    ]);
    gateway = await startGateway({ env: Object.fromEntries(env) as Record<string, string> });
    nginx = await startNginx([new URL(gateway.url).host], `${folder}/certs`);
  }, 60_000);

  afterAll(async () => {
    await nginx[Symbol.asyncDispose]();
    await gateway[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it("answers a client that trusts the certificate", async () => {
    const ca = await readFile(`${folder}/certs/tls.crt`);
    const [answer] = (await once(get(`${nginx.url}/readyz`, { ca }), "response")) as [IncomingMessage];
    answer.resume();
    expect([answer.statusCode, await nginx.errors()]).toEqual([200, ""]);
  });
});
