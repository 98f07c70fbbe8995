/** OAuth 2.0, a proxy, a trust store and references, with the real program. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { type Authority, createAuthority } from "../support/authority.ts";
import { admin, produceBatch } from "../support/connector-api.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type HttpProxy, startHttpProxy } from "../support/http-proxy.ts";
import { type HttpSink, startHttpSink } from "../support/http-sink.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const run = promisify(execFile);

const TOPIC = "orders";
const SECRET = "client-s3cr3t";
const EVENT = { n: 1 };

let authority: Authority;
let gateway: Gateway;
let tokens: HttpSink;
let proxy: HttpProxy;
let target: Server;
let targetUrl: string;
let folder: string;
let trustStore: string;
let answerOf = (_authorization: string): number => 204;
const authorizations: string[] = [];

/** keytool writes the store as an operator does. */
const trustStoreOf = async (certificate: string): Promise<string> => {
  const [pem, store] = ["ca.pem", "trust.jks"].map((name) => path.join(folder, name)) as [string, string];
  await writeFile(pem, certificate);
  const options = ["-noprompt", "-alias", "ca", "-storetype", "JKS", "-storepass", "changeit"];
  await run("keytool", ["-importcert", "-file", pem, "-keystore", store, ...options]);
  return store;
};

beforeAll(async () => {
  folder = temporaryDirectory("stationgate-outbound-");
  await writeFile(path.join(folder, "crm.properties"), `secret=${SECRET}\n`);
  authority = await createAuthority();
  trustStore = await trustStoreOf(authority.cert);
  const { cert, key } = await authority.server();
  target = createServer({ cert, key }, (request, response) => {
    const { authorization = "" } = request.headers;
    request.resume();
    authorizations.push(authorization);
    response.writeHead(answerOf(authorization)).end();
  });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  targetUrl = `https://localhost:${(target.address() as AddressInfo).port}/hook`;
  tokens = await startHttpSink((_, index) => ({
    status: 200,
    body: JSON.stringify({ access_token: `token-${index + 1}`, token_type: "Bearer", expires_in: 3600 }),
  }));
  proxy = await startHttpProxy();
  gateway = await startGateway({
    settings: {
      delivery: { allowTargets: ["127.0.0.0/8"], configProviders: { file: [folder] } },
      stations: [{ name: TOPIC, partitions: 1 }],
    },
  });
  await produceBatch(gateway, TOPIC, [EVENT]);
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  target.close();
  await Promise.all([tokens.close(), proxy.close(), authority[Symbol.asyncDispose]()]);
});

const REFERENCE = (): string => `\${file:${folder}/crm.properties:secret}`;

const configOf = (more: Record<string, string> = {}): Record<string, string> => ({
  "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
  topics: TOPIC,
  "http.url": targetUrl,
  "http.authorization.type": "oauth2",
  "oauth2.access.token.url": `${tokens.url}/token`,
  "oauth2.client.id": "crm",
  "oauth2.client.secret": REFERENCE(),
  "retry.backoff.ms": "600000",
  "http.proxy.host": "127.0.0.1",
  "http.proxy.port": String(proxy.port),
  "http.ssl.truststore.location": trustStore,
  "http.ssl.truststore.password": "changeit",
  ...more,
});

const traceOf = async (name: string): Promise<string> => {
  for (;;) {
    const { tasks } = (await admin(gateway, "GET", `/connectors/${name}/status`)) as {
      tasks: { trace?: string }[];
    };
    const trace = tasks[0]?.trace;
    if (trace !== undefined) return trace;
    await new Promise(setImmediate);
  }
};

it("delivers with a renewed token through the proxy to a target of the trust store", async () => {
  const delivered = new Promise<void>((resolve) => {
    answerOf = (authorization) => {
      if (authorization !== "Bearer token-2") return 401;
      resolve();
      return 204;
    };
  });
  const created = await admin(gateway, "POST", "/connectors", { name: "crm", config: configOf() });
  await delivered;

  expect(authorizations).toStrictEqual(["Bearer token-1", "Bearer token-2"]);
  expect(tokens.bodies).toStrictEqual(Array(2).fill("grant_type=client_credentials"));
  expect(tokens.requests[0]?.headers["authorization"]).toBe(
    `Basic ${Buffer.from(`crm:${SECRET}`).toString("base64")}`,
  );
  expect(proxy.asked).toStrictEqual([
    `POST ${tokens.url}/token`,
    `CONNECT ${new URL(targetUrl).host}`,
    `POST ${tokens.url}/token`,
  ]);
  expect(created).toMatchObject({
    config: { "oauth2.client.secret": REFERENCE(), "http.ssl.truststore.password": "********" },
  });
  expect(gateway.output()).not.toContain(SECRET);
  expect(gateway.output()).not.toContain("token-2");
});

it("stops the task at a reference that can't be read, and names only the reference", async () => {
  const missing = `\${file:${folder}/crm.properties:other}`;
  const config = configOf({ "oauth2.client.secret": missing });
  await admin(gateway, "POST", "/connectors", { name: "unread", config });

  expect(await traceOf("unread")).toBe(
    `The reference ${missing} of the key oauth2.client.secret can't be read: the file has no such key`,
  );
});

it("refuses a reference that is not allowed", async () => {
  const config = configOf({ "oauth2.client.secret": "${env:HOME}" });

  await expect(admin(gateway, "POST", "/connectors", { name: "env", config })).rejects.toThrow(
    "Invalid value ${env:HOME} for configuration oauth2.client.secret: config provider env is not allowed",
  );
});
