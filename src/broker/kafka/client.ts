/** Creates the kafkajs client from the adapter's options. */
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import kafkajs, { type ISocketFactory, type Kafka, type KafkaConfig } from "kafkajs";
import type { KafkaOptions, TlsOptions } from "./options.ts";
import { saslSettingOf, signInWith } from "./sign-in/kafkajs-sign-in.ts";

/** Milliseconds between the attempts of kafkajs. Short, so that it reconnects soon after the broker is back. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1000, retries: 3 };

/** Maximum time in milliseconds that a socket may take to close. */
const LINGER = 1000;

/**
 * kafkajs logs each error that it throws. Its log is off; the code that catches the error reports it.
 *
 * Each producer, consumer and admin client of kafkajs connects to the first of its bootstrap servers, and tries the next
 * one only if the connection breaks. A frozen broker accepts connections and doesn't answer, so kafkajs would never get
 * past it. Therefore kafkajs gets one bootstrap server at a time, which has just answered: `findBroker` resolves to its
 * host:port, and rejects if no broker answers.
 */
export const createKafkaClient = (options: KafkaOptions, findBroker: () => Promise<string>): Kafka => {
  const { sasl } = options;
  const config: KafkaConfig = {
    brokers: () =>
      findBroker().then(
        (broker) => [broker],
        // kafkajs tries them all, and reports its own error.
        () => [...options.brokers],
      ),
    clientId: options.clientId,
    connectionTimeout: options.connectTimeout,
    authenticationTimeout: options.requestTimeout,
    requestTimeout: options.requestTimeout,
    enforceRequestTimeout: true,
    logLevel: kafkajs.logLevel.NOTHING,
    retry: RETRY,
    socketFactory: createSocketFactory(options.ssl !== undefined, LINGER),
    ...(options.ssl === undefined ? undefined : { ssl: tlsOf(options.ssl) }),
    ...(sasl === undefined ? undefined : { sasl: saslSettingOf(sasl) }),
  };
  const kafka = new kafkajs.Kafka(config);
  if (sasl !== undefined) signInWith(kafka, sasl);
  return kafka;
};

interface NodeTls {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Options for node:tls. */
export const tlsOf = ({ ca, cert, key, checkCertificate = true }: TlsOptions): NodeTls => ({
  ...(ca === undefined ? undefined : { ca: [ca] }),
  ...(cert === undefined ? undefined : { cert }),
  ...(key === undefined ? undefined : { key }),
  ...(checkCertificate ? undefined : { rejectUnauthorized: false }),
});

const KEEP_ALIVE = 60_000;

/**
 * Creates sockets as kafkajs does, but destroys a socket `linger` milliseconds after its end. kafkajs waits for the broker
 * to close its side, so a frozen broker would keep all abandoned sockets open.
 */
const createSocketFactory =
  (secure: boolean, linger: number): ISocketFactory =>
  ({ host, port, ssl, onConnect }) => {
    const socket = secure
      ? connectTls(
          { host, port, ...(isIP(host) === 0 ? { servername: host } : undefined), ...ssl },
          onConnect,
        )
      : connect({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE);
    const end = socket.end.bind(socket);
    socket.end = () => {
      setTimeout(() => socket.destroy(), linger).unref();
      return end();
    };
    return socket;
  };
