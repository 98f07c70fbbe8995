/** schemathesis sends valid and invalid requests to the real program. Each answer must match the OpenAPI document. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { ADMIN_TOKEN, startGateway, signIn, type Gateway } from "../support/gateway.ts";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);

/**
 * Without the check that each valid request is accepted: a schema doesn't contain the limits of the settings and rules
 * between fields. Without `unsupported_method`, which expects 405 where the REST Proxy answers 403.
 */
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "ignored_auth",
].join(",");

const TIMEOUT = 240_000;

describeWithTools("the OpenAPI documents checked by schemathesis", ["schemathesis"], () => {
  let gateway: Gateway;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "stationgate-schemathesis-"));
    gateway = await startGateway({
      settings: {
        log: { level: "info" },
        webhooks: [
          { source: "open", station: "hooks", scheme: "none" },
          { source: "signed", station: "hooks", scheme: "github", secrets: ["webhook-secret"] },
        ],
      },
    });
  }, 30_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const check = async (url: string, token: string): Promise<void> => {
    const given = ["-H", `Authorization: Bearer ${token}`, "--checks", CHECKS, "--max-examples", "10"];
    // The answers of these operations are endless, or wait for events as long as the request asks for.
    const waiting = ["tailStation", "consumeStream", "consumeBatch", "readConsumerRecords"].flatMap((id) => [
      "--exclude-operation-id",
      id,
    ]);
    const bounds = ["--phases", "coverage,fuzzing", "--seed", "1", "--request-timeout", "20", "--no-color"];
    const program = run("schemathesis", ["run", `${url}/openapi.json`, ...given, ...waiting, ...bounds], {
      cwd: folder,
      maxBuffer: 64 * 1024 * 1024,
    });
    const report = await program.then(
      () => "",
      (error: unknown) => (error as { stdout: string }).stdout,
    );
    expect(report).toBe("");
  };

  it(
    "match the clients' routes",
    async () => {
      await check(gateway.url, await signIn(gateway));
    },
    TIMEOUT,
  );

  it(
    "match the operators' routes",
    async () => {
      await check(gateway.adminUrl, ADMIN_TOKEN);
    },
    TIMEOUT,
  );

  it("cause no error line in the log", () => {
    expect(gateway.output()).not.toContain('"level":"error"');
  });
});
