/**
 * The keys of all issuers in this process. They outlive a reload: an entry that is unchanged has the same keys, age and cool-down
 * afterwards.
 */
import { digestOf } from "../secrets.ts";
import type { Clock } from "../../lib/clock.ts";
import type { IssuerMetrics } from "../../observability/issuer-metrics.ts";
import type { Logger } from "../../observability/logger/logger.ts";
import { createDocumentClient, createDocumentFetch, type GetDocument } from "./issuer-documents.ts";
import { createIssuerKeys, type IssuerKeys, type KeptKeys, type KeysObserver } from "./issuer-keys.ts";

/** The settings that decide how keys are fetched. Durations are in milliseconds. */
export interface KeyUnitOptions {
  /** For metrics and log lines. */
  readonly name: string;
  readonly issuer: string;
  /** undefined: the discovery document names it. */
  readonly jwksUri?: string | undefined;
  /** Texts of PEM certificates. undefined: the system's roots. */
  readonly ca?: string | undefined;
  readonly refresh: number;
  readonly maxStale: number;
  readonly fetchTimeout: number;
}

/** Keys for a process that starts later. `keys` is absent if no entry uses this source any more. */
export interface Handover {
  /** Stands for the issuer, the URL of its keys and the `ca`. */
  readonly source: string;
  readonly keys?: KeptKeys;
}

interface TakenKeys {
  readonly keys: IssuerKeys;
  /** Ends the fetches if nobody else has taken the keys. */
  release(): void;
}

export interface KeyUnits {
  /** The keys of an entry with the same settings, or new ones. Their first fetch begins at once. */
  take(options: KeyUnitOptions): TakenKeys;
  /** Takes the keys that another process has fetched, if an entry uses their source. */
  adopt(handover: Handover): void;
  /** Ends all fetches. */
  close(): void;
}

interface KeyUnitsOptions {
  readonly clock: Clock;
  readonly metrics: IssuerMetrics;
  readonly logger: Pick<Logger, "info" | "warn">;
  /** Called after each successful fetch, and when a source is not used any more. */
  readonly handOver?: (handover: Handover) => void;
  /** Called when the keys of an issuer have changed. */
  readonly onChange?: () => void;
  /** For tests. */
  readonly client?: (ca: string | undefined) => GetDocument;
}

interface Unit {
  readonly name: string;
  readonly source: string;
  readonly keys: IssuerKeys;
  users: number;
}

const sourceOf = ({ issuer, jwksUri, ca }: KeyUnitOptions): string =>
  digestOf(JSON.stringify([issuer, jwksUri, ca]));

const idOf = (options: KeyUnitOptions): string => {
  const { name, refresh, maxStale, fetchTimeout } = options;
  return JSON.stringify([name, sourceOf(options), refresh, maxStale, fetchTimeout]);
};

export const createKeyUnits = (options: KeyUnitsOptions): KeyUnits => {
  const { clock, metrics, logger, handOver, onChange, client = createDocumentClient } = options;
  const units = new Map<string, Unit>();
  metrics.issuerKeysAgeFrom(() => agesOf(units.values()));

  const withSource = (source: string): readonly Unit[] =>
    [...units.values()].filter((unit) => unit.source === source);

  const open = (of: KeyUnitOptions): Unit => {
    const { name, issuer, jwksUri, ca, refresh, maxStale, fetchTimeout } = of;
    const source = sourceOf(of);
    const keys = createIssuerKeys({
      ...{ refresh, maxStale, fetchTimeout, clock },
      fetch: createDocumentFetch({ issuer, jwksUri, get: client(ca) }),
      observer: observerOf(name, metrics, logger),
      ...(onChange && { onChange }),
      keep: (kept) => handOver?.({ source, keys: kept }),
    });
    // The keys of an entry that differs only in its times, so that its tokens need not wait for the fetch.
    const known = withSource(source).find((unit) => unit.keys.kept !== undefined)?.keys.kept;
    if (known !== undefined) keys.adopt(known);
    return { name, source, keys, users: 0 };
  };

  const release = (id: string, unit: Unit): void => {
    unit.users -= 1;
    if (unit.users > 0) return;
    units.delete(id);
    unit.keys.close();
    if (withSource(unit.source).length === 0) handOver?.({ source: unit.source });
  };

  return {
    take: (of) => {
      const id = idOf(of);
      const unit = units.get(id) ?? open(of);
      units.set(id, unit);
      unit.users += 1;
      let isReleased = false;
      return {
        keys: unit.keys,
        release: () => {
          if (!isReleased) release(id, unit);
          isReleased = true;
        },
      };
    },
    adopt: ({ source, keys }) => {
      if (keys === undefined) return;
      for (const unit of withSource(source)) unit.keys.adopt(keys);
    },
    close: () => {
      for (const { keys } of units.values()) keys.close();
      units.clear();
    },
  };
};

/** Seconds, by name. During a reload two units can have one name; the oldest counts. */
const agesOf = (units: Iterable<Unit>): ReadonlyMap<string, number> => {
  const ages = new Map<string, number>();
  for (const { name, keys } of units) {
    if (keys.age !== undefined) ages.set(name, Math.max(keys.age / 1000, ages.get(name) ?? 0));
  }
  return ages;
};

const observerOf = (
  issuer: string,
  metrics: IssuerMetrics,
  logger: Pick<Logger, "info" | "warn">,
): KeysObserver => {
  metrics.issuerDeclared(issuer);
  return {
    fetched: (outcome) => {
      metrics.issuerFetched(issuer, outcome);
    },
    failing: (err, age) => {
      const ageSeconds = age === undefined ? undefined : Math.round(age / 1000);
      logger.warn({ issuer, err, ageSeconds }, "keys of the issuer can't be fetched");
    },
    changed: ({ keys }) => {
      logger.info({ issuer, keys: keys.length }, "keys of the issuer fetched");
    },
    leftOut: (leftOut) => {
      logger.warn({ issuer, leftOut }, "keys of the issuer can't be used");
    },
  };
};
