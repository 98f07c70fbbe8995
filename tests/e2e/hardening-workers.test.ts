/** Operators' answers come from one worker and describe all workers. */
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { admin, createConnector, deliverySettings, produceBatch } from "../support/connector-api.ts";
import { DONE, RETRY, startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { describeKafkaApart, uniqueName } from "../support/kafka/describe.ts";
import { linesOf, type LogLine, until } from "../support/log-lines.ts";

interface Failures {
  readonly failures: readonly { readonly partition: number; readonly offset: string }[];
  readonly missingWorkers?: number;
}

const TIMEOUT = 120_000;
const EVENTS = 12;
/** Number of operators' requests, each on its own connection. */
const CONNECTIONS = 6;

const attempts = (gateway: Gateway, wanted: "delivered" | "dropped"): readonly LogLine[] =>
  linesOf(gateway, "delivery attempt").filter(({ outcome }) => outcome === wanted);

const areOfBothWorkers = (all: readonly LogLine[]): boolean =>
  new Set(all.map(({ worker }) => worker)).size === 2;

const positionOf = ({
  partition,
  offset,
}: {
  readonly partition?: number;
  readonly offset?: string;
}): string => `${partition}@${offset}`;

const get = async <T>(gateway: Gateway, path: string): Promise<T> => {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, connection: "close" };
  return (await (await fetch(`${gateway.adminUrl}${path}`, { headers })).json()) as T;
};

const onEveryConnection = <T>(gateway: Gateway, path: string): Promise<readonly T[]> =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => get<T>(gateway, path)));

describeKafkaApart("operators of two workers", (kafka) => {
  let gateway: Gateway;
  let sink: HttpSink;
  let topic: string;

  const produce = (): Promise<void> =>
    produceBatch(
      gateway,
      topic,
      Array.from({ length: EVENTS }, (_, n) => ({ key: `key${n}`, n })),
    );

  /** Waits until both workers have partitions and deliver. */
  const settle = async (): Promise<void> => {
    let produced = 0;
    do {
      await produce();
      produced += EVENTS;
      await until(() => attempts(gateway, "delivered").length >= produced);
    } while (!areOfBothWorkers(attempts(gateway, "delivered")));
  };

  beforeEach(async () => {
    topic = uniqueName("workers");
    sink = await startHttpSink();
    gateway = await startGateway({
      settings: {
        server: { host: "127.0.0.1", port: 0, workers: 2 },
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        ...deliverySettings(topic, 6),
      },
    });
    await createConnector(gateway, topic, {
      ...{ sink, topic, "exception.strategy": "DROP_MESSAGE" },
      "dead.letter.topic": `${topic}-dead`,
    });
    await settle();
  }, TIMEOUT);

  afterEach(async () => {
    sink.answer(() => DONE);
    await admin(gateway, "DELETE", `/connectors/${topic}`);
    await gateway[Symbol.asyncDispose]();
    await sink.close();
  }, TIMEOUT);

  it(
    "see all failed attempts on each connection, and the number of workers that don't answer",
    async () => {
      sink.answer(() => RETRY);
      await produce();
      await until(() => attempts(gateway, "dropped").length === EVENTS);
      const logged = attempts(gateway, "dropped");
      const path = `/connectors/${topic}/failures`;
      const expected = logged.map(positionOf).sort();

      expect(areOfBothWorkers(logged)).toBe(true);
      for (const answer of await onEveryConnection<Failures>(gateway, path)) {
        expect(answer.failures.map(positionOf).sort()).toStrictEqual(expected);
        expect(answer).not.toHaveProperty("missingWorkers");
      }

      const frozen = linesOf(gateway, "worker started").find(({ worker }) => worker === 2)?.pid ?? 0;
      process.kill(frozen, "SIGSTOP");
      const partial = await get<Failures>(gateway, path).finally(() => process.kill(frozen, "SIGCONT"));

      expect(partial.missingWorkers).toBe(1);
      expect(partial.failures).toHaveLength(logged.filter(({ worker }) => worker === 1).length);

      await until(async () => (await get<Failures>(gateway, path)).failures.length === EVENTS);
    },
    TIMEOUT,
  );

  it(
    "see the lag of all partitions, and a running replay",
    async () => {
      sink.answer(() => RETRY);
      await produce();
      await until(() => attempts(gateway, "dropped").length === EVENTS);
      sink.answer(() => "hang");
      await admin(gateway, "POST", `/connectors/${topic}/dead-letters/replay`);
      const dead = await onEveryConnection<{ records: number; replaying: boolean }>(
        gateway,
        `/connectors/${topic}/dead-letters`,
      );

      expect(dead.map(({ replaying }) => replaying)).toStrictEqual(dead.map(() => true));

      await produce();
      const lag = new RegExp(`^stationgate_delivery_lag_records\\{connector="${topic}"\\} (.*)$`, "m");
      const scrape = async (): Promise<string> => (await fetch(`${gateway.adminUrl}/metrics`)).text();
      await until(async () => lag.exec(await scrape())?.[1] === String(EVENTS));
    },
    TIMEOUT,
  );
});
