/** The event service on a memory broker, with scripted endpoints. */
import type { Broker, ConsumedRecord } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import type { CallbackClient } from "../../../src/delivery/event-service/callback-client.ts";
import {
  createEventService,
  type ClientCallbacks,
  type EventService,
  type EventServiceOptions,
} from "../../../src/delivery/event-service/event-service.ts";
import type { AttemptReport } from "../../../src/delivery/engine/observer.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { systemClock, type Clock } from "../../../src/lib/clock.ts";
import { startHttpSink, type HttpSink } from "../../support/http-sink.ts";
import { SEED } from "./vectors.ts";

export const TOPIC = "TRANSACTION";

export type Subject = Readonly<Record<string, unknown>>;

export interface Rig {
  readonly broker: Broker;
  readonly sink: HttpSink;
  readonly attempts: readonly AttemptReport[];
  readonly faults: readonly GatewayError[];
  readonly broken: readonly string[];
  /** Number of transactions without an owner. */
  readonly unowned: { readonly count: number };
  start(
    options: Partial<Pick<EventServiceOptions, "businessServer">> & {
      clients?: CallbackClient[];
      /** Default: the settings of earlier Stationgates. */
      callbacks?: Partial<ClientCallbacks>;
    },
  ): EventService;
  /** Stores records with these values, each with these headers. */
  write(values: readonly (string | null)[], headers?: Readonly<Record<string, string>>): Promise<void>;
  /** Resolves when there are `count` dead letters. */
  deadLetters(count: number): Promise<readonly ConsumedRecord[]>;
  close(): Promise<void>;
}

/** A status change of a transaction, as JSON. */
export const changed = (id: string, transaction: Subject, sep = "24"): string =>
  JSON.stringify({ type: "transaction_status_changed", id, sep, transaction: { ...transaction, sep } });

/** The form and the choice of transactions of earlier Stationgates. Their bodies need only an id. */
const EARLIER = { transactions: "own_and_unnamed", form: "platform", moreInfo: {} } as const;

export const createRig = async (clock: Clock = systemClock): Promise<Rig> => {
  const broker = createMemoryBroker({ partitions: 1 });
  await broker.open();
  await broker.ensureTopic({ name: TOPIC });
  const sink = await startHttpSink(() => ({ status: 204 }));
  const attempts: AttemptReport[] = [];
  const faults: GatewayError[] = [];
  const broken: string[] = [];
  const unowned = { count: 0 };
  const services: EventService[] = [];
  return {
    broker,
    sink,
    attempts,
    faults,
    broken,
    unowned,
    start: ({ businessServer, clients, callbacks }) => {
      const service = createEventService({
        broker,
        topic: TOPIC,
        businessServer,
        clients: clients && { list: clients, seed: SEED, ...EARLIER, ...callbacks },
        observer: {
          attempted: (report) => attempts.push(report),
          dropped: () => undefined,
          skipped: () => undefined,
          fault: (_, error) => faults.push(error),
        },
        onBroken: ({ offset }, reason) => broken.push(`${offset} ${reason}`),
        onUnowned: () => {
          unowned.count += 1;
        },
        clock,
      });
      services.push(service);
      return service;
    },
    write: async (values, headers = {}) => {
      const records = values.map((value) => ({
        key: null,
        value: value === null ? null : Buffer.from(value),
        headers: Object.entries(headers).map(([name, text]) => ({ name, value: Buffer.from(text) })),
        timestamp: clock.now(),
      }));
      await broker.append(TOPIC, records);
    },
    deadLetters: async (count) => {
      const topic = await broker.ensureTopic({ name: `${TOPIC}.dead-letter` });
      const letters: ConsumedRecord[] = [];
      await new Promise<void>((resolve, reject) => {
        const onRecords = (records: readonly ConsumedRecord[]): void => {
          letters.push(...records);
          if (letters.length >= count) resolve();
        };
        broker.subscribe({ topics: [topic.name], from: "earliest" }, { onRecords }).catch(reject);
      });
      return letters;
    },
    close: async () => {
      await sink.close();
      await Promise.all(services.map((service) => service.close()));
      await broker.close();
    },
  };
};
