/** Metrics of the issuers of `auth.issuers`. */
import { Counter, Gauge, type Registry } from "prom-client";

const OUTCOMES = ["ok", "failed"] as const;

export interface IssuerMetrics {
  /** The counters of an issuer begin at 0. */
  issuerDeclared(issuer: string): void;
  issuerFetched(issuer: string, outcome: (typeof OUTCOMES)[number]): void;
  /** `read` is called at each scrape and returns the seconds since the last successful fetch, by issuer. */
  issuerKeysAgeFrom(read: () => ReadonlyMap<string, number>): void;
}

export const issuerMetrics = (registry: Registry): IssuerMetrics => {
  const registers = [registry];
  const fetches = new Counter({
    name: "stationgate_issuer_fetches_total",
    help: `Fetches of an issuer's keys, by issuer and outcome: ${OUTCOMES.join(", ")}.`,
    labelNames: ["issuer", "outcome"],
    registers,
  });
  let ages = (): ReadonlyMap<string, number> => new Map();
  new Gauge({
    name: "stationgate_issuer_keys_age_seconds",
    help: "Seconds since the last successful fetch of an issuer's keys, in the worker whose keys are the oldest. No value before the first one.",
    labelNames: ["issuer"],
    aggregator: "max",
    registers,
    collect() {
      // An issuer that a reload has removed has no age.
      this.reset();
      for (const [issuer, seconds] of ages()) this.set({ issuer }, seconds);
    },
  });
  return {
    issuerDeclared: (issuer) => {
      for (const outcome of OUTCOMES) fetches.inc({ issuer, outcome }, 0);
    },
    issuerFetched: (issuer, outcome) => {
      fetches.inc({ issuer, outcome });
    },
    issuerKeysAgeFrom: (read) => {
      ages = read;
    },
  };
};
