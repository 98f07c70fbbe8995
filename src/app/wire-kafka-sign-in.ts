/** The sign-in to Kafka of `broker.kafka.sasl`. All Kafka clients of this process share its token. */
import { readFileSync } from "node:fs";
import { createJsonClient } from "../auth/json-request.ts";
import type { MskSigner } from "../broker/kafka/sign-in/msk.ts";
import type { SaslOptions } from "../broker/kafka/sign-in/sasl.ts";
import type { TokenReports, TokenSource } from "../broker/kafka/sign-in/token-source.ts";
import type { Settings } from "../config/schema/schema.ts";
import { GatewayError } from "../errors.ts";
import type { LastingContext } from "./context.ts";

type SaslSettings = NonNullable<Settings["broker"]["kafka"]["sasl"]>;
type Parts = Pick<LastingContext, "clock" | "log" | "metrics" | "lifecycle">;

/** undefined: the gateway does not sign in. Throws SETTINGS_INVALID if a package is missing. */
export const openKafkaSignIn = async (
  { broker: { kafka } }: Settings,
  { clock, log, metrics, lifecycle }: Parts,
): Promise<SaslOptions | undefined> => {
  const { sasl } = kafka;
  if (sasl === undefined) return undefined;
  const { mechanism, username = "", password = "" } = sasl;
  if (mechanism !== "oauthbearer" && mechanism !== "aws-msk-iam") return { mechanism, username, password };
  const source = await openSource(sasl, kafka.requestTimeout, {
    clock,
    onFetch: (outcome) => {
      metrics.kafkaTokenFetched(outcome);
    },
    onFailure: ({ message }) => {
      log.logger.warn({ reason: message }, "the gateway has not got a token for Kafka; it tries again");
    },
  });
  lifecycle.onClose("token for Kafka", () => {
    source.close();
    return Promise.resolve();
  });
  return { mechanism: "oauthbearer", token: source.token };
};

const openSource = async (
  sasl: SaslSettings,
  timeout: number,
  parts: TokenReports & Pick<Parts, "clock">,
): Promise<TokenSource> => {
  const { tokenFile, tokenEndpoint: url = "", clientId = "", clientSecret = "", scope, audience, ca } = sasl;
  if (tokenFile !== undefined) {
    const { createTokenFile } = await import("../broker/kafka/sign-in/token-file.ts");
    return createTokenFile(tokenFile, parts);
  }
  const { createTokenSource } = await import("../broker/kafka/sign-in/token-source.ts");
  if (sasl.mechanism === "aws-msk-iam") return createTokenSource({ ...parts, fetch: await mskFetch(sasl) });
  const { createTokenFetch } = await import("../broker/kafka/sign-in/token-endpoint.ts");
  const request = createJsonClient(ca === undefined ? undefined : readFileSync(ca, "utf8"));
  const endpoint = { url, clientId, clientSecret, scope, audience };
  const fetch = createTokenFetch({
    endpoint,
    timeout,
    post: (form, signal) => request({ ...form, method: "POST" }, signal),
  });
  return createTokenSource({ ...parts, fetch });
};

/** The package brings a part of the AWS SDK, so it is an optional dependency and is imported only here. */
const importSigner = async (): Promise<MskSigner> => {
  try {
    return await import("aws-msk-iam-sasl-signer-js");
  } catch (cause) {
    throw new GatewayError("SETTINGS_INVALID", {
      message:
        "broker.kafka.sasl.mechanism: got aws-msk-iam, but the package aws-msk-iam-sasl-signer-js is not installed (npm install aws-msk-iam-sasl-signer-js)",
      cause,
    });
  }
};

const mskFetch = async ({ region = "", roleArn }: SaslSettings) => {
  const { createMskFetch } = await import("../broker/kafka/sign-in/msk.ts");
  return createMskFetch({ region, roleArn, signer: await importSigner(), now: Date.now });
};
