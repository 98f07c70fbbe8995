/** Metrics of the schema registry. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface RegistryMetrics {
  /** A request to the registry has ended. `outcome`: found, absent, refused, forbidden or unavailable. */
  readonly registryAsked: (operation: string, outcome: string, seconds: number) => void;
  /** An old latest version was used because the registry was unavailable. */
  readonly registryAnsweredStale: () => void;
  /** `read` is called at each scrape and returns the number of compiled schemas in memory. */
  readonly registrySchemasFrom: (read: () => number) => void;
}

const OPERATIONS = ["id", "guid", "membership", "version", "look-up", "register"];
const OUTCOMES = ["found", "absent", "refused", "forbidden", "unavailable"];

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export const registryMetrics = (registry: Registry): RegistryMetrics => {
  const registers = [registry];
  const requests = new Counter({
    name: "stationgate_registry_requests_total",
    help: "Requests to the schema registry, by operation and outcome: found, absent, refused, forbidden, unavailable.",
    labelNames: ["operation", "outcome"],
    registers,
  });
  const duration = new Histogram({
    name: "stationgate_registry_request_seconds",
    help: "Seconds from a request to the schema registry to the end of its answer, by operation.",
    labelNames: ["operation"],
    buckets: BUCKETS,
    registers,
  });
  const stale = new Counter({
    name: "stationgate_registry_stale_answers_total",
    help: "Uses of a latest version that is older than registry.cacheTtl, because the schema registry did not answer.",
    registers,
  });
  for (const operation of OPERATIONS) {
    for (const outcome of OUTCOMES) requests.inc({ operation, outcome }, 0);
    duration.zero({ operation });
  }
  let schemas = (): number => 0;
  new Gauge({
    name: "stationgate_registry_schemas",
    help: "Compiled schemas of the schema registry in memory.",
    registers,
    collect() {
      this.set(schemas());
    },
  });
  return {
    registryAsked: (operation, outcome, seconds) => {
      requests.inc({ operation, outcome });
      duration.observe({ operation }, seconds);
    },
    registryAnsweredStale: () => {
      stale.inc();
    },
    registrySchemasFrom: (read) => {
      schemas = read;
    },
  };
};
