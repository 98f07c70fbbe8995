/** Finds, creates and lists stations: the declared stations and, with `autoCreateStations`, undeclared names. */
import { LRUCache } from "lru-cache";
import type { Broker, TopicSpec } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { EventValidator } from "./schema/validator.ts";
import { createSingleFlight } from "../lib/single-flight.ts";

const MAX_LENGTH = 128;

const invalid = (message: string): GatewayError => new GatewayError("STATION_NAME_INVALID", { message });

/**
 * Parses a station name from a percent-decoded path segment, by the rules of the Memphis broker. Only ASCII letters are
 * lower-cased. Throws STATION_NAME_INVALID with Memphis' texts (length first, then characters, then the first and last
 * character), and ROUTE_UNKNOWN for an empty name.
 */
export const parseStationName = (raw: string): string => {
  if (isStationName(raw)) return raw;
  const name = raw.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (name === "") throw new GatewayError("ROUTE_UNKNOWN");
  if (name.length > MAX_LENGTH) throw invalid("Station should be under 128 characters");
  if (!/^[a-z0-9_.-]*$/.test(name)) {
    throw invalid("Only alphanumeric and the '_', '-', '.' characters are allowed in Station");
  }
  if (!/^[a-z0-9](.*[a-z0-9])?$/.test(name)) {
    throw invalid("Station name can not start or end with non alphanumeric character");
  }
  return name;
};

/** True if the text is a station name as it is, without lower-casing. */
export const isStationName = (text: string): boolean =>
  /^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/.test(text) && text.length <= MAX_LENGTH;

export interface Station {
  /** In lower case. */
  readonly name: string;
  readonly topic: string;
  /**
   * JSON pointer to the value in the event that becomes the record's key. On a protobuf station it points into the
   * event's proto3 JSON form (names in camelCase, 64-bit integers as strings).
   */
  readonly key: string | undefined;
  readonly validator: EventValidator | undefined;
  /** The ids of the station's own events; undefined: its events have none. */
  readonly once?: StationOnce | undefined;
}

/** One event for one id: a repeated id of a station is not stored again inside the window. */
export interface StationOnce {
  /** Where the id is, in the form of `createReadEventId`. */
  readonly id: string;
  readonly windowMs: number;
  /** False: an event is stored without the check while the home of its id can't be reached. */
  readonly strict: boolean;
}

interface StationsOptions {
  readonly declared: readonly Station[];
  /** True: every topic with a station name is a station, and the first event creates a missing topic. */
  readonly autoCreate: boolean;
  readonly broker: Pick<Broker, "topic" | "ensureTopic">;
  /** Maximum record size of created topics, in bytes. */
  readonly maxRecordBytes: number;
  /**
   * Topics of declared stations that this start must still create if they are missing. The key is the station's name. An
   * entry is removed when its topic exists. A topic that is deleted later is not recreated before the next start.
   */
  readonly awaited?: Map<string, TopicSpec> | undefined;
  /** True: the spool of the pod has events of this topic. */
  readonly isSpooling?: ((topic: string) => boolean) | undefined;
}

/**
 * `resolve` and `existing` fail with STATION_UNKNOWN for unknown names. A method that asks the broker can also fail with an
 * error of the broker, such as BROKER_UNAVAILABLE.
 */
export interface Stations {
  /** The station to produce to; created if that is allowed. Returns a known station without a promise. */
  resolve(name: string): Station | Promise<Station>;
  /** The station to consume from. It is never created. */
  existing(name: string): Station | Promise<Station>;
  /**
   * The station name for a topic name that a client sent: the topic name itself, if a station has this name; otherwise the
   * name of the declared station that has this topic (case matters); otherwise the topic name itself. It does not check
   * that the station exists.
   */
  nameOfTopic(topic: string): string;
  /**
   * Creates the missing topic of a station. Returns false without creating it if the station is undeclared and
   * `autoCreate` is off, or if it is declared and not in `awaited`: its topic was deleted after the start, or
   * `provisionTopics` is off.
   */
  recreate(station: Station): Promise<boolean>;
  readonly declared: readonly Station[];
}

export const stationUnknown = (name: string): GatewayError =>
  new GatewayError("STATION_UNKNOWN", { message: `Station ${name} does not exist` });

/** Maximum number of cached undeclared stations. The next event of an evicted station asks the broker again. */
const MAX_KEPT = 10_000;

/** Creates a station's topic. Concurrent calls share one creation. */
const topicCreator = ({ broker, awaited }: Pick<StationsOptions, "broker" | "awaited">) => {
  const once = createSingleFlight<unknown>();

  return (name: string, spec: TopicSpec): Promise<unknown> =>
    once(name, async () => {
      await broker.ensureTopic(spec);
      awaited?.delete(name);
    });
};

export const createStations = ({
  declared,
  autoCreate,
  broker,
  maxRecordBytes,
  awaited,
  isSpooling = () => false,
}: StationsOptions): Stations => {
  const byName = new Map(declared.map((station) => [station.name, station]));
  const byTopic = new Map(declared.toReversed().map((station) => [station.topic, station]));
  const undeclared = new LRUCache<string, Station>({ max: MAX_KEPT });
  const create = topicCreator({ broker, awaited });

  const keep = (name: string): Station => {
    const station: Station = { name, topic: name, key: undefined, validator: undefined };
    undeclared.set(name, station);
    return station;
  };

  /** The topic of a declared station can only be reached by that station: another name would bypass its schema. */
  const mayBeUndeclared = (name: string): boolean => autoCreate && isStationName(name) && !byTopic.has(name);

  /** The topic to create for a station; undefined: the topic may not be created. */
  const specOf = (name: string): TopicSpec | undefined => {
    if (byName.has(name)) return awaited?.get(name);
    return mayBeUndeclared(name) ? { name, maxRecordBytes } : undefined;
  };

  const known = (name: string): Station | undefined => byName.get(name) ?? undeclared.get(name);

  const resolve = (name: string): Station | Promise<Station> => {
    const station = known(name);
    if (station !== undefined) return station;
    const spec = specOf(name);
    if (spec === undefined) throw stationUnknown(name);
    // Another worker of the pod, or an earlier start, knew the station. The broker may be unavailable now.
    if (isSpooling(name)) return keep(name);
    return create(name, spec).then(() => known(name) ?? keep(name));
  };

  return {
    declared,
    resolve,
    nameOfTopic: (topic) => (known(topic) ?? byTopic.get(topic))?.name ?? topic,
    existing: (name) => {
      const station = known(name);
      if (station !== undefined) return station;
      if (!mayBeUndeclared(name)) throw stationUnknown(name);
      return broker.topic(name).then((topic) => {
        if (topic === undefined) throw stationUnknown(name);
        return keep(name);
      });
    },
    recreate: async ({ name }) => {
      const spec = specOf(name);
      if (spec === undefined) return false;
      await create(name, spec);
      return true;
    },
  };
};

export interface StationListDependencies {
  readonly declared: readonly Station[];
  /** True: undeclared topics are stations too. */
  readonly autoCreate: boolean;
  readonly broker: Pick<Broker, "topics">;
}

export interface ListedStation {
  readonly name: string;
  readonly topic: string;
  /** null: the topic doesn't exist yet. */
  readonly partitions: number | null;
  /** null: the topic doesn't exist yet, or the broker does not replicate. */
  readonly replicationFactor: number | null;
  readonly schema: string | null;
  readonly key: string | null;
  /** null: the events of the station have no ids. */
  readonly once: StationOnce | null;
}

/**
 * Lists the declared stations and, with `autoCreate`, the topics whose names are station names. Rejects with
 * BROKER_UNAVAILABLE.
 */
export const listStations = async ({
  declared,
  autoCreate,
  broker,
}: StationListDependencies): Promise<readonly ListedStation[]> => {
  const topics = new Map((await broker.topics()).map((topic) => [topic.name, topic]));
  const listed = declared.map(({ name, topic, validator, key, once }): ListedStation => ({
    name,
    topic,
    partitions: topics.get(topic)?.partitions ?? null,
    replicationFactor: topics.get(topic)?.replicationFactor ?? null,
    schema: validator?.kind ?? null,
    key: key ?? null,
    once: once ?? null,
  }));
  const taken = new Set(declared.flatMap(({ name, topic }) => [name, topic]));
  const others = autoCreate
    ? [...topics.values()].filter(({ name }) => isStationName(name) && !taken.has(name))
    : [];
  const undeclared = others.map(({ name, partitions, replicationFactor }): ListedStation => ({
    name,
    topic: name,
    partitions,
    replicationFactor: replicationFactor ?? null,
    schema: null,
    key: null,
    once: null,
  }));
  return [...listed, ...undeclared];
};
