/** Settings of the sign-in to Kafka: `broker.kafka.sasl`. */
import { join } from "node:path";
import { faultsOf, load, settingsOf } from "./support.ts";

const yamlOf = (sasl: string): string =>
  `broker: { type: kafka, kafka: { brokers: ["k:1"], sasl: { ${sasl} } } }`;
const ENDPOINT = "tokenEndpoint: https://id.example/token, clientId: gateway, clientSecret: hush";
const AT = "broker.kafka.sasl";

describe("broker.kafka.sasl", () => {
  it("takes a token from an endpoint, with the secret in a file", () => {
    const settings = settingsOf({
      yaml: yamlOf(
        "mechanism: oauthbearer, tokenEndpoint: https://id.example/token, clientId: gateway, clientSecretFile: secret, scope: kafka, audience: cluster, ca: ca.pem",
      ),
      files: { secret: "hush\n", "ca.pem": "" },
    });
    expect(settings.broker.kafka.sasl).toMatchObject({
      mechanism: "oauthbearer",
      tokenEndpoint: "https://id.example/token",
      clientSecret: "hush",
      scope: "kafka",
      audience: "cluster",
    });
  });

  it("takes a token from a file that may be missing and may change", () => {
    const { result, dir } = load({ yaml: yamlOf("mechanism: oauthbearer, tokenFile: token") });
    expect(result).toMatchObject({
      status: "loaded",
      settings: { broker: { kafka: { sasl: { tokenFile: join(dir, "token") } } } },
    });
    expect([...result.files.keys()]).not.toContain(join(dir, "token"));
  });

  it("takes the credentials of AWS, by the environment too", () => {
    const settings = settingsOf({
      env: {
        STATIONGATE_BROKER_KAFKA_SASL_MECHANISM: "aws-msk-iam",
        STATIONGATE_BROKER_KAFKA_SASL_REGION: "eu-central-1",
        STATIONGATE_BROKER_KAFKA_SASL_ROLE_ARN: "arn:aws:iam::1:role/gateway",
      },
    });
    expect(settings.broker.kafka.sasl).toEqual({
      mechanism: "aws-msk-iam",
      region: "eu-central-1",
      roleArn: "arn:aws:iam::1:role/gateway",
    });
  });

  it.each<[string, readonly string[]]>([
    [
      "mechanism: scram-sha-512, username: u",
      [`${AT}.password: got nothing, allowed: a value if mechanism is scram-sha-512`],
    ],
    [
      "mechanism: plain, username: u, password: p, tokenFile: token",
      [`${AT}.tokenFile: is set, allowed: nothing if mechanism is plain`],
    ],
    [
      "mechanism: oauthbearer",
      [`${AT}.tokenFile: got nothing, allowed: a path, or tokenEndpoint with clientId and clientSecret`],
    ],
    [
      `mechanism: oauthbearer, tokenFile: token, ${ENDPOINT}`,
      ["tokenEndpoint", "clientId", "clientSecret"].map(
        (key) => `${AT}.${key}: is set, allowed: nothing if mechanism is oauthbearer with tokenFile`,
      ),
    ],
    [
      "mechanism: oauthbearer, tokenEndpoint: https://id.example/token",
      ["clientId", "clientSecret"].map(
        (key) => `${AT}.${key}: got nothing, allowed: a value if mechanism is oauthbearer without tokenFile`,
      ),
    ],
    [
      `mechanism: oauthbearer, ${ENDPOINT}, username: u`,
      [`${AT}.username: is set, allowed: nothing if mechanism is oauthbearer without tokenFile`],
    ],
    [
      "mechanism: oauthbearer, tokenEndpoint: http://id.example/token, clientId: gateway, clientSecret: hush",
      [
        `${AT}.tokenEndpoint: got "http://id.example/token", allowed: an https URL, or an http URL of a loopback host, without user and fragment`,
      ],
    ],
    ["mechanism: aws-msk-iam", [`${AT}.region: got nothing, allowed: a value if mechanism is aws-msk-iam`]],
    [
      "mechanism: gssapi",
      [
        `${AT}.mechanism: got "gssapi", allowed: one of plain, scram-sha-256, scram-sha-512, oauthbearer, aws-msk-iam`,
      ],
    ],
  ])("refuses { %s }", (sasl, faults) => {
    expect(faultsOf({ yaml: yamlOf(sasl) })).toEqual(faults);
  });
});
