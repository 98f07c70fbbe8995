/**
 * The event service of the Stellar Anchor Platform on our own engine: business events of one topic to the business
 * server, and to each client those of its own transactions.
 */
import type { Broker, ConsumedRecord } from "../../broker/broker.ts";
import type { ErrorCode } from "../../errors.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Tracing } from "../../observability/tracing/tracing.ts";
import type { DeliveryPlan } from "../engine/delivery-plan.ts";
import { type ConnectorSample, lagOf } from "../engine/lag.ts";
import type { DeliveryObserver } from "../engine/observer.ts";
import { createProgress } from "../engine/progress.ts";
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

const SILENCE_MS = 5000;

/** An outage is one fault and not one for each client: of faults of a kind one in five seconds is told. */
const createRareFaults = (observer: DeliveryObserver, clock: Clock): DeliveryObserver => {
  const toldAt = new Map<ErrorCode, number>();
  return {
    ...observer,
    fault: (name, error) => {
      const now = clock.now();
      if (now - (toldAt.get(error.code) ?? -Infinity) < SILENCE_MS) return;
      toldAt.set(error.code, now);
      observer.fault(name, error);
    },
  };
};

export interface ClientCallbacks extends Pick<ClientBodies, "form" | "moreInfo"> {
  readonly list: readonly CallbackClient[];
  /** The 32 bytes of the key that signs. */
  readonly seed: Buffer;
  readonly transactions: TransactionScope;
}

export interface EventServiceOptions {
  /** Holds the topic and the positions, and takes the dead letters. Is open. */
  readonly broker: Broker;
  readonly topic: string;
  /** Absent: no spans; a record's own trace goes on all the same. */
  readonly tracing?: Tracing | undefined;
  /** undefined: no callbacks to a business server. */
  readonly businessServer:
    (Omit<BusinessServerOptions, "read"> & { readonly checkCertificate: boolean }) | undefined;
  /** undefined: no callbacks to clients. */
  readonly clients: ClientCallbacks | undefined;
  readonly observer: DeliveryObserver;
  /** A record that is no event was read for the clients, and concerns none of them. */
  readonly onBroken: (record: ConsumedRecord, reason: string) => void;
  /** A transaction was read for the clients, and is no client's own. */
  readonly onUnowned: () => void;
  readonly clock?: Clock;
}

export interface EventService {
  sample(): Promise<readonly ConnectorSample[]>;
  /** Stops sending, commits, leaves the groups. */
  close(): Promise<void>;
}

/** Whom to call is the operator's own choice here, named one by one in the settings: every address may be meant. */
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

/** Begins to deliver, and goes on while the broker is away. */
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

  const rare = createRareFaults(observer, clock);
  const groups = options.clients?.list.map(groupsOf) ?? [];
  const reader = createSharedReader({
    broker: withEarlierGroups(broker, new Map(groups.map(({ group, earlier }) => [group, earlier]))),
    clock,
    leader: CLIENTS_LEADER,
    topics: [topic],
    onError: (error) => {
      rare.fault("event-service/clients", error);
    },
  });
  const runners = [
    ...(business === undefined ? [] : [start(business, broker, observer)]),
    ...clientPlansOf(options).map((plan) => start(plan, reader.broker, rare)),
  ];

  return {
    sample: async () => {
      // One answer for all of them: they read the same partitions.
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
    close: async () => {
      await Promise.all(runners.map(([, runner]) => runner.stop()));
      await reader.close();
    },
  };
};
