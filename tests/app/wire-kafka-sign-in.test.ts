/** The sign-in of `broker.kafka.sasl`: its token, metric and log lines. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLifecycle } from "../../src/app/lifecycle.ts";
import { openKafkaSignIn } from "../../src/app/wire-kafka-sign-in.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import { folder, settingsOf } from "../config/support.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startTokenEndpoint } from "../support/kafka/token-endpoint.ts";

describe("openKafkaSignIn", () => {
  const open = async (sasl: string, importSigner?: Parameters<typeof openKafkaSignIn>[2]) => {
    const lines: string[] = [];
    const line = (fields: unknown, text = ""): void => {
      lines.push(`${text} ${JSON.stringify(fields)}`);
    };
    const logger = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line };
    const log = { logger } as unknown as Parameters<typeof openKafkaSignIn>[1]["log"];
    const metrics = createMetrics();
    const lifecycle = createLifecycle(logger);
    const clock = createFakeClock();
    const settings = settingsOf({ yaml: `broker: { kafka: { sasl: { ${sasl} } } }` });
    const signIn = await openKafkaSignIn(settings, { clock, log, metrics, lifecycle }, importSigner);
    const fetches = async () =>
      [...(await metrics.text()).matchAll(/token_fetches_total\{outcome="(\w+)"\} (\d+)/g)].map(
        ([, outcome, count]) => `${outcome} ${count}`,
      );
    return { signIn, lines, fetches, clock, close: () => lifecycle.close(1000) };
  };

  const tokenOf = ({ signIn }: Awaited<ReturnType<typeof open>>): Promise<string> =>
    signIn?.mechanism === "oauthbearer" ? signIn.token() : Promise.reject(new TypeError("there is no token"));

  it("has the password of a mechanism without a token", async () => {
    const { signIn } = await open("mechanism: scram-sha-256, username: u, password: hush");
    expect(signIn).toEqual({ mechanism: "scram-sha-256", username: "u", password: "hush" });
  });

  it("fetches the token from the endpoint, and logs the first failure only, without a secret", async () => {
    const endpoint = await startTokenEndpoint(() => "one");
    const { url, clientId, clientSecret } = endpoint.settings;
    const opened = await open(
      `mechanism: oauthbearer, tokenEndpoint: "${url}", clientId: "${clientId}", clientSecret: "${clientSecret}"`,
    );
    endpoint.state = "away";
    await expect(tokenOf(opened)).rejects.toThrow("answers 503");
    opened.clock.advance(1000);
    await expect(tokenOf(opened)).rejects.toThrow("answers 503");
    endpoint.state = "up";
    opened.clock.advance(2000);
    expect(await tokenOf(opened)).toBe("one");
    expect(await opened.fetches()).toEqual(["ok 1", "failed 2"]);
    expect(opened.lines).toEqual([
      `the gateway has not got a token for Kafka; it tries again {"reason":"the token endpoint ${url} answers 503"}`,
    ]);
    await opened.close();
    await endpoint.stop();
  });

  it("reads the token file at each sign-in", async () => {
    const path = join(folder(), "token");
    const opened = await open(`mechanism: oauthbearer, tokenFile: "${path}"`);
    await expect(tokenOf(opened)).rejects.toThrow(`the token file ${path} cannot be read (ENOENT)`);
    for (const token of ["one", "two"]) {
      writeFileSync(path, `${token}\n`);
      expect(await tokenOf(opened)).toBe(token);
    }
    writeFileSync(path, "\n");
    await expect(tokenOf(opened)).rejects.toThrow(`the token file ${path} has no token`);
    expect(await opened.fetches()).toEqual(["ok 2", "failed 2"]);
    expect(opened.lines).toHaveLength(2);
  });

  it("has the token of AWS, which is an OAUTHBEARER token for Kafka", async () => {
    const signed = () => Promise.resolve({ token: "signed", expiryTime: Date.now() + 900_000 });
    const opened = await open("mechanism: aws-msk-iam, region: eu-central-1", () =>
      Promise.resolve({ generateAuthToken: signed, generateAuthTokenFromRole: signed }),
    );
    expect(await tokenOf(opened)).toBe("signed");
    await opened.close();
  });

  it("stops the start with one line if the package of AWS is missing", async () => {
    const missing = () => Promise.reject(new TypeError("Cannot find package"));
    await expect(open("mechanism: aws-msk-iam, region: eu-central-1", missing)).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      message:
        "broker.kafka.sasl.mechanism: got aws-msk-iam, but the package aws-msk-iam-sasl-signer-js is not installed",
    });
  });
});
