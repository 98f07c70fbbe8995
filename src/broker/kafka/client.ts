/** kafkajs, set up from our options. */
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import kafkajs, { type ISocketFactory, type Kafka, type KafkaConfig, type SASLOptions } from "kafkajs";
import type { KafkaOptions, TlsOptions } from "./options.ts";

/** Waits between a client's own attempts, in milliseconds: short, so that it is back soon after the broker is. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1000, retries: 3 };

/** Milliseconds that a socket may take to close. */
const LINGER = 1000;

const saslOf = ({ sasl }: KafkaOptions): SASLOptions | undefined => sasl && { ...sasl };

/** kafkajs logs and throws: its log is left out, what it throws is told once, by whoever catches it. */
export const createKafkaClient = (options: KafkaOptions): Kafka => {
  const sasl = saslOf(options);
  const config: KafkaConfig = {
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: options.connectTimeout,
    authenticationTimeout: options.requestTimeout,
    requestTimeout: options.requestTimeout,
    enforceRequestTimeout: true,
    logLevel: kafkajs.logLevel.NOTHING,
    retry: RETRY,
    socketFactory: createSocketFactory(options.ssl !== undefined, LINGER),
    ...(options.ssl === undefined ? undefined : { ssl: tlsOf(options.ssl) }),
    ...(sasl === undefined ? undefined : { sasl }),
  };
  return new kafkajs.Kafka(config);
};

interface NodeTls {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

/** node:tls options of what was given. */
export const tlsOf = ({ ca, cert, key, checkCertificate = true }: TlsOptions): NodeTls => ({
  ...(ca === undefined ? undefined : { ca: [ca] }),
  ...(cert === undefined ? undefined : { cert }),
  ...(key === undefined ? undefined : { key }),
  ...(checkCertificate ? undefined : { rejectUnauthorized: false }),
});

/** The sockets of kafkajs. */

const KEEP_ALIVE = 60_000;

/**
 * As kafkajs makes them, but that one which was ended is closed after so many milliseconds: kafkajs waits for the other
 * side, and a broker that is frozen keeps every socket that was given up on.
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
