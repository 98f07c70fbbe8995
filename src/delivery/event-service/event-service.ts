/**
 * The event service of the Stellar Anchor Platform, on the delivery engine. It sends the business events of one topic to
 * the business server, and to each client the events of the client's own transactions.
 */
import type { Broker, ConsumedRecord } from "../../broker/broker.ts";
import type { ErrorCode } from "../../errors.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Tracing } from "../../observability/tracing/tracing.ts";
import type { DeliveryPlan } from "../engine/delivery-plan.ts";
import { type ConnectorSample, createProgress, lagOf } from "../engine/progress.ts";
import type { DeliveryObserver } from "../engine/observer.ts";
import { createRunner, type Runner } from "../engine/runner.ts";
import { createTargets } from "../engine/targets.ts";
import {
  type CallbackClient,
  isForIn,
  isOwned,
  type TransactionScope,
  withEarlierGroups,
} from "./callback-client.ts";
import { type BusinessServerOptions, type ClientBodies, signingKey } from "./callbacks.ts";
import { createEventReader } from "./event.ts";
import { businessServerPlan, clientPlan, CLIENTS_LEADER, groupsOf } from "./plans.ts";
import { createSharedReader } from "./shared-reader.ts";

const REPORT_INTERVAL_MS = 5000;

/** An outage would report one fault for each client. This reports each error code at most once in five seconds. */
const limitFaults = (observer: DeliveryObserver, clock: Clock): DeliveryObserver => {
  const reportedAt = new Map<ErrorCode, number>();
  return {
    ...observer,
    fault: (name, error) => {
      const now = clock.now();
      if (now - (reportedAt.get(error.code) ?? -Infinity) < REPORT_INTERVAL_MS) return;
      reportedAt.set(error.code, now);
      observer.fault(name, error);
    },
  };
};

export interface ClientCallbacks extends Pick<ClientBodies, "form" | "moreInfo"> {
  readonly list: readonly CallbackClient[];
  /** The 32 bytes of the signing seed. */
  readonly seed: Buffer;
  readonly transactions: TransactionScope;
}

export interface EventServiceOptions {
  /** An open broker. It has the topic and stores the positions and the dead letters. */
  readonly broker: Broker;
  readonly topic: string;
  /** Absent: no spans. The trace context of the record is still sent. */
  readonly tracing?: Tracing | undefined;
  /** undefined: callbacks to the business server are off. */
  readonly businessServer:
    (Omit<BusinessServerOptions, "read"> & { readonly checkCertificate: boolean }) | undefined;
  /** undefined: callbacks to clients are off. */
  readonly clients: ClientCallbacks | undefined;
  readonly observer: DeliveryObserver;
  /** Called for a record that is not a valid event. It is sent to no client. */
  readonly onBroken: (record: ConsumedRecord, reason: string) => void;
  /** Called for a transaction that no client owns. */
  readonly onUnowned: () => void;
  readonly clock?: Clock;
}

export interface EventService {
  sample(): Promise<readonly ConnectorSample[]>;
  /** Stops sending, waits for the requests in flight, commits, leaves the groups: as `close` of a delivery session. */
  close(withinMs?: number): Promise<void>;
}

/** The operator names each URL in the settings, so every address is allowed. */
const ANYWHERE = ["0.0.0.0/0", "::/0"];

const businessPlanOf = ({ topic, businessServer }: EventServiceOptions): DeliveryPlan | undefined =>
  businessServer && businessServerPlan(topic, { ...businessServer, read: createEventReader() });

const clientPlansOf = (options: EventServiceOptions): readonly DeliveryPlan[] => {
  const { topic, clients, onBroken, onUnowned } = options;
  if (clients === undefined) return [];
  const { list, seed, transactions, form, moreInfo } = clients;
  const read = createEventReader({
    onBroken,
    onEvent: (event) => {
      if (event.subject === "transaction" && !isOwned(event, list)) onUnowned();
    },
  });
  const shared = {
    read,
    key: signingKey(seed),
    isFor: isForIn(transactions, list),
    bodies: { form, moreInfo, clientNameOf: (domain: string) => clientWithDomain(list, domain) },
  };
  return list.map((client) => clientPlan(topic, { client, ...shared }));
};

const clientWithDomain = (list: readonly CallbackClient[], domain: string): string | undefined =>
  list.find(({ domains }) => domains.some((own) => own.toLowerCase() === domain.toLowerCase()))?.name;

/** Starts to deliver. It tries again while the broker is unavailable. */
export const createEventService = (options: EventServiceOptions): EventService => {
  const { broker, topic, observer, clock = systemClock } = options;
  const business = businessPlanOf(options);
  const targets = createTargets(ANYWHERE);
  const progress = createProgress();
  const start = (plan: DeliveryPlan, from: Broker, seen: DeliveryObserver): [string, Runner] => {
    const onStopped = (): void => undefined;
    const runner = createRunner({
      broker: from,
      plan,
      targets,
      clock,
      observer: seen,
      progress,
      random: Math.random,
      tracing: options.tracing,
      onStopped,
    });
    return [plan.name, runner];
  };

  const clientObserver = limitFaults(observer, clock);
  const groups = options.clients?.list.map(groupsOf) ?? [];
  const reader = createSharedReader({
    broker: withEarlierGroups(broker, new Map(groups.map(({ group, earlier }) => [group, earlier]))),
    clock,
    leader: CLIENTS_LEADER,
    topics: [topic],
    onError: (error) => {
      clientObserver.fault("event-service/clients", error);
    },
  });
  const runners = [
    ...(business === undefined ? [] : [start(business, broker, observer)]),
    ...clientPlansOf(options).map((plan) => start(plan, reader.broker, clientObserver)),
  ];

  return {
    sample: async () => {
      // All runners read the same partitions, so one request is enough.
      const marks = await broker.watermarks(topic).catch(() => []);
      const asked = { watermarks: () => Promise.resolve(marks) };
      return Promise.all(
        runners.map(async ([connector, { inFlight, waiting, claims }]) => ({
          connector,
          inFlight,
          waiting,
          lag: await lagOf(asked, clock, claims),
        })),
      );
    },
    close: async (withinMs) => {
      await Promise.all(runners.map(([, runner]) => runner.stop(withinMs)));
      await reader.close();
    },
  };
};
