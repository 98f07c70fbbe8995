/** Which settings a reload applies, and which keep their value until a restart. */
import { type Change, nameOfElement, patternOf, textOf } from "./changes.ts";
import type { Settings } from "./schema/schema.ts";
import { isObject } from "./tree.ts";

type Decision = "reload" | "restart";

/**
 * A row decides for its path and everything below it, unless a longer row decides. A row that ends in `.*` decides only for
 * what is below its path. `[]` is any element of a list; a new or removed element is a change at the element itself.
 */
const DECISIONS: Readonly<Record<string, Decision>> = {
  server: "restart",
  "server.tls.*": "reload",
  admin: "reload",
  "admin.host": "restart",
  "admin.port": "restart",
  // Turning it on or off.
  "admin.tls": "restart",
  "admin.tls.*": "reload",
  roles: "restart",
  "log.level": "reload",
  "log.requests": "reload",
  "log.slowRequest": "reload",
  tracing: "restart",
  reload: "reload",
  broker: "restart",
  auth: "reload",
  audit: "reload",
  cors: "reload",
  limits: "reload",
  autoCreateStations: "reload",
  provisionTopics: "restart",
  stations: "reload",
  "stations[].topic": "restart",
  webhooks: "reload",
  once: "restart",
  spool: "restart",
  registry: "reload",
  restProxy: "reload",
  reading: "restart",
  "delivery.allowTargets": "reload",
  "delivery.configProviders": "reload",
  "delivery.connectorsTopic": "restart",
  "delivery.sandbox": "restart",
  eventService: "restart",
  connectors: "reload",
};

const isBelow = (path: string, above: string): boolean =>
  path.startsWith(`${above}.`) || path.startsWith(`${above}[`);

const decidesFor = (row: string, path: string): boolean =>
  row.endsWith(".*") ? isBelow(path, row.slice(0, -2)) : row === path || isBelow(path, row);

/** The decision about a path in the form of `patternOf`. undefined: the table has none. */
export const decisionOf = (path: string): Decision | undefined => {
  const rows = Object.keys(DECISIONS).filter((row) => decidesFor(row, path));
  const longest = rows.sort((one, other) => other.length - one.length)[0];
  return longest === undefined ? undefined : DECISIONS[longest];
};

/** Is this the key of a station whose events have ids now? */
const isKeyOfIds = (change: Change, inUse: Partial<Settings>): boolean => {
  if (patternOf(change) !== "stations[].key") return false;
  const station = inUse.stations?.find(({ name }) => name === change[1]?.name);
  return station?.once !== undefined;
};

const needsRestart = (change: Change): boolean => decisionOf(patternOf(change)) !== "reload";

/** Does everything below this place need a restart too? */
const isWhole = (place: Change): boolean =>
  !Object.entries(DECISIONS).some(
    ([row, decision]) => decision === "reload" && isBelow(row.replace(/\.\*$/, "."), patternOf(place)),
  );

/** The place to put back for a change: its highest part of which everything needs a restart. */
const placeOf = (change: Change): Change =>
  change
    .map((_, index) => change.slice(0, index + 1))
    .find((place) => needsRestart(place) && isWhole(place)) ?? change;

const putBack = (next: unknown, inUse: unknown, place: Change): unknown => {
  const [step, ...rest] = place;
  if (step === undefined) return inUse;
  if (!step.isElement) {
    const group = isObject(next) ? next : {};
    const old = isObject(inUse) ? inUse[step.name] : undefined;
    return { ...group, [step.name]: putBack(group[step.name], old, rest) };
  }
  if (!Array.isArray(next) || !Array.isArray(inUse)) return next;
  const find = (list: readonly unknown[]): unknown =>
    list.find((one) => nameOfElement(one, list) === step.name);
  const wanted = find(next);
  return next.map((one: unknown) => (one === wanted ? putBack(one, find(inUse), rest) : one));
};

interface Applicable {
  readonly changed: readonly string[];
  readonly needsRestart: readonly string[];
  /** Returns the tree with the values in use of the settings that need a restart. */
  readonly keep: <T>(next: T, inUse: T) => T;
}

/**
 * Divides the changes of the settings in use into those that a reload applies, and those that need a restart. The table decides,
 * and a station with `once` keeps its `key`: an id belongs to the record's key, so a new key begins a new scope of ids.
 */
export const applicableOf = (changes: readonly Change[], inUse: unknown): Applicable => {
  const isKept = (change: Change): boolean =>
    needsRestart(change) || isKeyOfIds(change, inUse as Partial<Settings>);
  const kept = changes.filter(isKept);
  return {
    changed: changes.filter((change) => !isKept(change)).map(textOf),
    needsRestart: kept.map(textOf),
    keep: (next, inUse) =>
      kept.map(placeOf).reduce((tree, place) => putBack(tree, inUse, place) as typeof next, next),
  };
};
