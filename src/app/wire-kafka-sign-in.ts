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
type ImportSigner = () => Promise<MskSigner>;

/** The package brings a part of the AWS SDK, so it is an optional dependency and is imported only for its mechanism. */
const awsSigner: ImportSigner = () => import("aws-msk-iam-sasl-signer-js");

/** undefined: the gateway does not sign in. Throws SETTINGS_INVALID if the signer can't be imported. */
export const openKafkaSignIn = async (
  { broker: { kafka } }: Settings,
  { clock, log, metrics, lifecycle }: Parts,
  importSigner = awsSigner,
): Promise<SaslOptions | undefined> => {
  const { sasl } = kafka;
  if (sasl === undefined) return undefined;
  const { mechanism, username = "", password = "" } = sasl;
  if (mechanism !== "oauthbearer" && mechanism !== "aws-msk-iam") return { mechanism, username, password };
  const source = await openSource(sasl, {
    clock,
    importSigner,
    timeout: kafka.requestTimeout,
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

interface SourceParts extends TokenReports, Pick<Parts, "clock"> {
  readonly importSigner: ImportSigner;
  /** Milliseconds for a request to a token endpoint. */
  readonly timeout: number;
}

const openSource = async (sasl: SaslSettings, parts: SourceParts): Promise<TokenSource> => {
  if (sasl.tokenFile !== undefined) {
    const { createTokenFile } = await import("../broker/kafka/sign-in/token-file.ts");
    return createTokenFile(sasl.tokenFile, parts);
  }
  const { createTokenSource } = await import("../broker/kafka/sign-in/token-source.ts");
  const isMsk = sasl.mechanism === "aws-msk-iam";
  const fetch = isMsk ? await mskFetch(sasl, parts) : await endpointFetch(sasl, parts);
  return createTokenSource({ ...parts, fetch });
};

const endpointFetch = async (
  { tokenEndpoint: url = "", clientId = "", clientSecret = "", scope, audience, ca }: SaslSettings,
  { timeout }: SourceParts,
) => {
  const { createTokenFetch } = await import("../broker/kafka/sign-in/token-endpoint.ts");
  const request = createJsonClient(ca === undefined ? undefined : readFileSync(ca, "utf8"));
  return createTokenFetch({
    endpoint: { url, clientId, clientSecret, scope, audience },
    timeout,
    post: (form, signal) => request({ ...form, method: "POST" }, signal),
  });
};

const mskFetch = async ({ region = "", roleArn }: SaslSettings, { importSigner }: SourceParts) => {
  const { createMskFetch } = await import("../broker/kafka/sign-in/msk.ts");
  const signer = await importSigner().catch((cause: unknown) => {
    throw new GatewayError("SETTINGS_INVALID", {
      message:
        "broker.kafka.sasl.mechanism: got aws-msk-iam, but the package aws-msk-iam-sasl-signer-js is not installed",
      cause,
    });
  });
  return createMskFetch({ region, roleArn, signer, now: Date.now });
};
