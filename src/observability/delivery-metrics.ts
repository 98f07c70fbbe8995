/** Metrics of deliveries, by connector. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

interface DeliveryState {
  readonly connector: string;
  readonly inFlight: number;
  /** Records that wait for the time of their next attempt. */
  readonly waiting: number;
  readonly lag: { readonly records: number; readonly seconds: number };
}

export interface DeliveryMetrics {
  attemptEnded(connector: string, outcome: string, seconds: number): void;
  recordDropped(connector: string, deadLettered: boolean): void;
  recordUndecodable(connector: string): void;
  filterEvaluated(outcome: string): void;
  /** The event service received a transaction that belongs to no client. */
  transactionUnowned(): void;
  /** Adds a function that is called at each scrape and returns the state of deliveries. */
  deliveriesFrom(read: () => Promise<readonly DeliveryState[]>): void;
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const counters = (registers: Registry[]): Omit<DeliveryMetrics, "deliveriesFrom" | "filterEvaluated"> => {
  const attempts = new Counter({
    name: "stationgate_delivery_attempts_total",
    help: "Attempts to deliver a record, by outcome: delivered, retry, dropped, stopped.",
    labelNames: ["connector", "outcome"],
    registers,
  });
  const duration = new Histogram({
    name: "stationgate_delivery_attempt_seconds",
    help: "Seconds from an attempt's request to the end of its answer.",
    labelNames: ["connector"],
    buckets: SECONDS,
    registers,
  });
  const dropped = new Counter({
    name: "stationgate_delivery_dropped_total",
    help: "Dropped records, dead letters included.",
    labelNames: ["connector"],
    registers,
  });
  const deadLettered = new Counter({
    name: "stationgate_delivery_dead_lettered_total",
    help: "Dropped records that are stored in the dead letter topic.",
    labelNames: ["connector"],
    registers,
  });
  const undecodable = new Counter({
    name: "stationgate_delivery_decode_failures_total",
    help: "Records that the connector could not decode, with any decode.failure.",
    labelNames: ["connector"],
    registers,
  });
  const unowned = new Counter({
    name: "stationgate_event_service_unowned_transactions_total",
    help: "Transactions that belong to no client.",
    registers,
  });
  return {
    transactionUnowned: () => {
      unowned.inc();
    },
    attemptEnded: (connector, outcome, seconds) => {
      attempts.inc({ connector, outcome });
      duration.observe({ connector }, seconds);
    },
    recordUndecodable: (connector) => {
      undecodable.inc({ connector });
    },
    recordDropped: (connector, stored) => {
      dropped.inc({ connector });
      if (stored) deadLettered.inc({ connector });
    },
  };
};

const filterCounter = (registers: Registry[]): Pick<DeliveryMetrics, "filterEvaluated"> => {
  const evaluations = new Counter({
    name: "stationgate_filter_evaluations_total",
    help: "Evaluations of filters, by outcome: match, no_match, error.",
    labelNames: ["outcome"],
    registers,
  });
  return {
    filterEvaluated: (outcome) => {
      evaluations.inc({ outcome });
    },
  };
};

type Reading = readonly [name: string, help: string, of: (state: DeliveryState) => number, sum?: "max"];

const GAUGES: readonly Reading[] = [
  ["stationgate_delivery_in_flight", "Requests in flight.", ({ inFlight }) => inFlight],
  ["stationgate_delivery_retrying", "Records that wait for their next attempt.", ({ waiting }) => waiting],
  [
    "stationgate_delivery_lag_records",
    "Records of this process's partitions without a final outcome.",
    ({ lag }) => lag.records,
  ],
  [
    "stationgate_delivery_lag_seconds",
    "Age in seconds of the oldest record that was read and has no final outcome.",
    ({ lag }) => lag.seconds,
    "max",
  ],
];

/** All gauges of a scrape are collected together and share one call of `read`. */
const gaugesFrom = (registers: Registry[], read: () => Promise<readonly DeliveryState[]>): void => {
  let reading: Promise<readonly DeliveryState[]> | undefined;
  const shared = (): Promise<readonly DeliveryState[]> =>
    (reading ??= read().finally(() => {
      reading = undefined;
    }));
  for (const [name, help, of, aggregator = "sum"] of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ["connector"],
      aggregator,
      registers,
      async collect() {
        const states = await shared();
        this.reset();
        for (const state of states) this.set({ connector: state.connector }, of(state));
      },
    });
  }
};

export const deliveryMetrics = (registry: Registry): DeliveryMetrics => {
  const readers: (() => Promise<readonly DeliveryState[]>)[] = [];
  return {
    ...counters([registry]),
    ...filterCounter([registry]),
    deliveriesFrom: (read) => {
      readers.push(read);
      if (readers.length > 1) return;
      gaugesFrom([registry], async () => (await Promise.all(readers.map((each) => each()))).flat());
    },
  };
};
