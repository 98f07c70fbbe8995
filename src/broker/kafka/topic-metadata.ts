/** Requests about topics that any broker answers: their ids, partitions and settings. */
import {
  ConfigResourceTypes,
  type Connection,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1,
  metadataV12,
  metadataV9,
  ResponseError,
} from "./client-library.ts";
import { GatewayError } from "../../errors.ts";
import type { PartitionInfo } from "../broker.ts";

/** The names of existing topics, with the id that Kafka gave each when it was created. */
export type TopicIds = ReadonlyMap<string, string>;

type Metadata = Awaited<ReturnType<typeof metadataV9.api.async>>;

/** If one partition has no leader, the library rejects with an error that contains the whole answer. */
const withAnswer = async <T>(asked: Promise<T>): Promise<T> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ResponseError) return error["response"] as T;
    throw error;
  }
};

export const metadataOf = (topics: string[], via: Connection): Promise<Metadata> =>
  withAnswer(metadataV9.api.async(via, topics, false, false));

/** Error codes of a missing topic and of an invalid topic name. */
const UNKNOWN_TOPIC = [3, 17];

export const topicIdsOf = async (topics: string[], via: Connection): Promise<TopicIds> => {
  const answer = await withAnswer(metadataV12.api.async(via, topics, false, false));
  const known = answer.topics.filter(({ errorCode }) => !UNKNOWN_TOPIC.includes(errorCode));
  return new Map(known.map(({ name, topicId }) => [name ?? "", topicId]));
};

export const topicNamesOf = async (topics: string[], via: Connection): Promise<TopicIds> => {
  const answer = await metadataOf(topics, via);
  const known = answer.topics.filter(({ errorCode }) => !UNKNOWN_TOPIC.includes(errorCode));
  return new Map(known.map(({ name }) => [name ?? "", ""]));
};

const TOPIC_AUTHORIZATION_FAILED = 29;

export const partitionsOf = ({ topics: [topic] }: Metadata): readonly PartitionInfo[] | undefined => {
  if (topic !== undefined && UNKNOWN_TOPIC.includes(topic.errorCode)) return undefined;
  if (topic === undefined || topic.partitions.length === 0) {
    const isRefused = topic?.errorCode === TOPIC_AUTHORIZATION_FAILED;
    throw new GatewayError(isRefused ? "TOPIC_REFUSED" : "BROKER_UNAVAILABLE", {
      cause: `metadata without partitions (error ${topic?.errorCode})`,
    });
  }
  return topic.partitions
    .map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
      partition: partitionIndex,
      leader: leaderId < 0 ? undefined : leaderId,
      replicas: replicaNodes,
      inSync: isrNodes,
    }))
    .sort((one, other) => one.partition - other.partition);
};

/** Sets settings of a topic, and leaves its others as they are. */
export const changeSettings = async (
  topic: string,
  settings: ReadonlyMap<string, string>,
  via: Connection,
): Promise<void> => {
  const configs = [...settings].map(([name, value]) => ({
    ...{ name, value },
    configOperation: IncrementalAlterConfigOperationTypes.SET,
  }));
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs };
  await incrementalAlterConfigsV1.api.async(via, [resource], false);
};
