/** Lists the stations: the declared stations and, with `autoCreateStations`, the topics whose names are station names. */
import type { Broker } from "../broker/broker.ts";
import { isStationName, type Station } from "./stations.ts";

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
}

/** Rejects with BROKER_UNAVAILABLE. */
export const listStations = async ({
  declared,
  autoCreate,
  broker,
}: StationListDependencies): Promise<readonly ListedStation[]> => {
  const topics = new Map((await broker.topics()).map((topic) => [topic.name, topic]));
  const listed = declared.map(({ name, topic, validator, key }): ListedStation => ({
    name,
    topic,
    partitions: topics.get(topic)?.partitions ?? null,
    replicationFactor: topics.get(topic)?.replicationFactor ?? null,
    schema: validator?.kind ?? null,
    key: key ?? null,
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
  }));
  return [...listed, ...undeclared];
};
