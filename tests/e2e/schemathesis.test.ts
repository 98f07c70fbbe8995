/** schemathesis sends what the documents allow, and what they don't, to the real program: every answer as documented. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { ADMIN_TOKEN, startGateway, signIn, type Gateway } from "../support/gateway.ts";
import { describeWithTools } from "../support/tools.ts";

const run = promisify(execFile);

/**
 * Not whether everything that fits a schema is taken: limits that the settings give, and rules between fields, are
 * beyond a schema. `unsupported_method` expects 405 where the REST Proxy's refusal is a 403.
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

describeWithTools("the documents, by schemathesis", ["schemathesis"], () => {
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
    // Its answer has no end.
    const endless = ["--exclude-operation-id", "tailStation"];
    const bounds = ["--phases", "coverage,fuzzing", "--seed", "1", "--request-timeout", "20", "--no-color"];
    // A long wait for events is no part of what is checked here.
    const program = run("schemathesis", ["run", `${url}/openapi.json`, ...given, ...endless, ...bounds], {
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
    "clients' routes",
    async () => {
      await check(gateway.url, await signIn(gateway));
    },
    TIMEOUT,
  );

  it(
    "operators' routes",
    async () => {
      await check(gateway.adminUrl, ADMIN_TOKEN);
    },
    TIMEOUT,
  );

  it("and nothing failed inside", () => {
    expect(gateway.output()).not.toContain('"level":"error"');
  });
});
