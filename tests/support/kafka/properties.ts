/** `server.properties` of a single temporary KRaft node that starts fast. */
import type { Certificates } from "./certificates.ts";

/** The listeners. PLAINTEXT always exists; PROXIED is plaintext through the proxy of a test. */
export type Protocol = "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" | "PROXIED";

export interface NodeLayout {
  readonly folder: string;
  readonly ports: ReadonlyMap<Protocol, number>;
  /** The advertised port of PROXIED. */
  readonly proxyPort: number | undefined;
  readonly controllerPort: number;
  /** User name → password, for SASL. */
  readonly users: Readonly<Record<string, string>>;
  /** URL of the key set that verifies the tokens of OAUTHBEARER. undefined: the mechanism is off. */
  readonly tokenKeys: string | undefined;
  readonly certificates: Certificates | undefined;
  /** Override the properties of this file. */
  readonly properties: Readonly<Record<string, string>>;
}

/** The audience of the tokens of `tests/support/identity-provider.ts`. */
const TOKEN_AUDIENCE = "stationgate";
const SASL_MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/** A properties file needs PEM texts in one line. */
const oneLine = (...pems: string[]): string => pems.join("").replaceAll("\n", "\\n");

const listenersOf = ({ ports, proxyPort, controllerPort }: NodeLayout): Record<string, string> => {
  const clients = [...ports].map(([protocol, port]) => `${protocol}://127.0.0.1:${port}`);
  const advertised = [...ports].map(
    ([protocol, port]) => `${protocol}://127.0.0.1:${protocol === "PROXIED" ? (proxyPort ?? port) : port}`,
  );
  const protocols = [...ports.keys()].map(
    (protocol) => `${protocol}:${protocol === "PROXIED" ? "PLAINTEXT" : protocol}`,
  );
  return {
    listeners: [...clients, `CONTROLLER://127.0.0.1:${controllerPort}`].join(","),
    "advertised.listeners": advertised.join(","),
    "listener.security.protocol.map": [...protocols, "CONTROLLER:PLAINTEXT"].join(","),
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
  };
};

const saslOf = ({ ports, users, tokenKeys }: NodeLayout): Record<string, string> => {
  const accounts = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  const jaas: Record<string, string> = {};
  for (const protocol of ports.keys()) {
    if (!protocol.startsWith("SASL")) continue;
    const prefix = `listener.name.${protocol.toLowerCase()}`;
    const modules = "org.apache.kafka.common.security";
    jaas[`${prefix}.plain.sasl.jaas.config`] =
      `${modules}.plain.PlainLoginModule required ${accounts.join(" ")};`;
    for (const scram of ["scram-sha-256", "scram-sha-512"])
      jaas[`${prefix}.${scram}.sasl.jaas.config`] = `${modules}.scram.ScramLoginModule required;`;
    if (tokenKeys === undefined) continue;
    jaas[`${prefix}.oauthbearer.sasl.jaas.config`] =
      `${modules}.oauthbearer.OAuthBearerLoginModule required;`;
    jaas[`${prefix}.oauthbearer.sasl.server.callback.handler.class`] =
      `${modules}.oauthbearer.OAuthBearerValidatorCallbackHandler`;
    jaas["sasl.oauthbearer.jwks.endpoint.url"] = tokenKeys;
    // The default of Kafka 4.1 is the validator of clients, which checks no signature and no end of a token.
    jaas["sasl.oauthbearer.jwt.validator.class"] = `${modules}.oauthbearer.BrokerJwtValidator`;
    // Without it Kafka refuses each token that has an audience.
    jaas["sasl.oauthbearer.expected.audience"] = TOKEN_AUDIENCE;
  }
  const mechanisms = [...SASL_MECHANISMS, ...(tokenKeys === undefined ? [] : ["OAUTHBEARER"])];
  return { "sasl.enabled.mechanisms": mechanisms.join(","), ...jaas };
};

const tlsOf = ({ certificates }: NodeLayout): Record<string, string> =>
  certificates === undefined
    ? {}
    : {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": oneLine(certificates.server.key),
        "ssl.keystore.certificate.chain": oneLine(certificates.server.cert),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": oneLine(certificates.ca),
        "ssl.client.auth": "requested",
      };

export const serverProperties = (layout: NodeLayout): string => {
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "log.dirs": `${layout.folder}/data`,
    "auto.create.topics.enable": "false",
    "num.partitions": "3",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    // KIP-848: a partition moves at the second heartbeat, five seconds each by default.
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    // A killed node can only return when the controller has noticed its end: nine seconds by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    ...listenersOf(layout),
    ...saslOf(layout),
    ...tlsOf(layout),
    ...layout.properties,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
};
