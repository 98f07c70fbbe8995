/** Stations: what is declared of each, and what becomes of names that aren't declared. */
import { LRUCache } from "lru-cache";
import type { Broker, TopicSpec } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { EventValidator } from "./schema/validator.ts";

/** Names of stations, as the Memphis broker accepts them. */

const MAX_LENGTH = 128;

const invalid = (message: string): GatewayError => new GatewayError("STATION_NAME_INVALID", { message });

/**
 * The station's name from a path segment (percent-decoded): ASCII letters are lower-cased, no others. Throws
 * STATION_NAME_INVALID with Memphis' words, of which length comes first, then characters, then the ends; ROUTE_UNKNOWN
 * where there is no name at all.
 */
export const parseStationName = (raw: string): string => {
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

/** Would this very text, not its lower-cased form, pass as a station's name? */
export const isStationName = (text: string): boolean =>
  /^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/.test(text) && text.length <= MAX_LENGTH;

export interface Station {
  /** Lower-case name, as in URLs. */
  readonly name: string;
  readonly topic: string;
  /**
   * JSON pointer into the event whose value becomes the record's key; on a protobuf station, into the event's proto3
   * JSON form (names in camelCase, 64-bit integers as strings).
   */
  readonly key: string | undefined;
  readonly validator: EventValidator | undefined;
}

interface StationsOptions {
  readonly declared: readonly Station[];
  /** Does any topic whose name is fit count as a station, and is a missing one created by the first event? */
  readonly autoCreate: boolean;
  readonly broker: Pick<Broker, "topic" | "ensureTopic">;
  /** Largest record in bytes that a topic we create takes. */
  readonly maxRecordBytes: number;
  /**
   * By station, topics of declared ones that this start has yet to create where they are missing; whoever creates one
   * takes it out. Only a start creates them: one that is deleted later stays deleted until the next. Absent: none.
   */
  readonly awaited?: Map<string, TopicSpec> | undefined;
}

/** Unknown names throw (or reject with) STATION_UNKNOWN; where the broker must be asked, BROKER_UNAVAILABLE too. */
export interface Stations {
  /** The station to produce to, created where that is allowed. A known one comes at once, without a promise. */
  resolve(name: string): Station | Promise<Station>;
  /** The station to consume from; nothing is created by reading. */
  existing(name: string): Station | Promise<Station>;
  /**
   * Name of the station that an API means by a topic: a station's name first, then a declared one's topic, letter by
   * letter. Whether there is such a station is for `resolve` to say.
   */
  nameOfTopic(topic: string): string;
  /**
   * Creates a station's topic that isn't there: of an undeclared station any more, of a declared one yet. False: it stays
   * away, because nobody declared it and `autoCreate` is off, or because it was there since the start.
   */
  recreate(station: Station): Promise<boolean>;
  readonly declared: readonly Station[];
}

export const stationUnknown = (name: string): GatewayError =>
  new GatewayError("STATION_UNKNOWN", { message: `Station ${name} does not exist` });

/** Undeclared stations kept by name; one that is pushed out costs its next event a look at the broker. */
const MAX_KEPT = 10_000;

/** Creates a station's topic, once for all who need it at the same time. */
const topicCreator = ({ broker, awaited }: Pick<StationsOptions, "broker" | "awaited">) => {
  const running = new Map<string, Promise<void>>();

  return (name: string, spec: TopicSpec): Promise<void> => {
    const begun = running.get(name);
    if (begun !== undefined) return begun;
    const created = broker
      .ensureTopic(spec)
      .then(() => {
        awaited?.delete(name);
      })
      .finally(() => running.delete(name));
    running.set(name, created);
    return created;
  };
};

export const createStations = ({
  declared,
  autoCreate,
  broker,
  maxRecordBytes,
  awaited,
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

  /** A declared station's topic has that station for its only door: another would let events past its schema. */
  const mayBeUndeclared = (name: string): boolean => autoCreate && isStationName(name) && !byTopic.has(name);

  /** What to create for a station; undefined: it has to be there. */
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
