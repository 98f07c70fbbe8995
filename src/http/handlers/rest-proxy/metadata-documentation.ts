/** The read-only routes of the REST Proxy API: the cluster, the topics and their partitions. */
import { z } from "zod";
import type { ErrorCode } from "../../../errors.ts";
import { json, type Content, type Documentation, STATION_ERRORS } from "../../documentation.ts";
import { cluster, partition, TAG, topic, v2 } from "./documentation.ts";

const metadata = z.looseObject({ self: z.string() });
const related = z.object({ related: z.string() });

const clusterView = z
  .object({
    kind: z.literal("KafkaCluster"),
    metadata,
    cluster_id: z.string(),
    acls: related,
    brokers: related,
    broker_configs: related,
    consumer_groups: related,
    topics: related,
    partition_reassignments: related,
  })
  .meta({ id: "KafkaCluster" });

const topicView = z
  .object({
    kind: z.literal("KafkaTopic"),
    metadata,
    cluster_id: z.string(),
    topic_name: z.string(),
    is_internal: z.literal(false),
    replication_factor: z.int(),
    partitions_count: z.int(),
    partitions: related,
    configs: related,
    partition_reassignments: related,
    authorized_operations: z.array(z.string()),
  })
  .meta({ id: "KafkaTopic" });

const listOf = (kind: string, data: z.ZodType): Content =>
  json(z.object({ kind: z.literal(kind), metadata, data: z.array(data) }));

export const listClusters: Documentation = {
  id: "listClusters",
  tag: TAG,
  summary: "v3: list the clusters",
  answers: {
    200: { description: "A list with one cluster.", content: listOf("KafkaClusterList", clusterView) },
  },
  errors: [],
};

export const showCluster: Documentation = {
  id: "showCluster",
  tag: TAG,
  summary: "v3: show the cluster",
  path: { cluster },
  answers: {
    200: { description: "The cluster, with the id from the path.", content: json(clusterView) },
  },
  errors: [],
};

export const listTopics: Documentation = {
  id: "listTopics",
  tag: TAG,
  summary: "v3: list the topics that the caller may produce to or read",
  path: { cluster },
  answers: { 200: { description: "The topics.", content: listOf("KafkaTopicList", topicView) } },
  errors: ["BROKER_UNAVAILABLE"],
};

export const listTopicNames: Documentation = {
  id: "listTopicNames",
  tag: TAG,
  summary: "v2: list the names of the topics that the caller may produce to or read",
  answers: { 200: { description: "The names.", content: v2(z.array(z.string())) } },
  errors: ["BROKER_UNAVAILABLE"],
};

const V2_ERRORS = [
  "STATION_FORBIDDEN",
  "STATION_UNKNOWN",
  "BROKER_UNAVAILABLE",
] as const satisfies ErrorCode[];
const V3_ERRORS = [...STATION_ERRORS, "BROKER_UNAVAILABLE"] as const satisfies ErrorCode[];

export const showTopic: Documentation = {
  id: "showTopic",
  tag: TAG,
  summary: "v3: show a topic",
  path: { cluster, topic },
  answers: { 200: { description: "The topic.", content: json(topicView) } },
  errors: V3_ERRORS,
};

const partitionView = z
  .object({
    kind: z.literal("KafkaPartition"),
    metadata,
    cluster_id: z.string(),
    topic_name: z.string(),
    partition_id: z.int(),
    leader: related.nullable(),
    replicas: related,
    reassignment: related,
  })
  .meta({ id: "KafkaPartition" });

export const listPartitions: Documentation = {
  id: "listPartitions",
  tag: TAG,
  summary: "v3: list the partitions of a topic",
  path: { cluster, topic },
  answers: {
    200: { description: "The partitions.", content: listOf("KafkaPartitionList", partitionView) },
  },
  errors: V3_ERRORS,
};

export const showPartition: Documentation = {
  id: "showPartition",
  tag: TAG,
  summary: "v3: show a partition",
  path: { cluster, topic, partition },
  answers: { 200: { description: "The partition.", content: json(partitionView) } },
  errors: ["PARTITION_UNKNOWN", ...V3_ERRORS],
};

const v2Partition = z
  .object({
    partition: z.int(),
    leader: z.int().meta({
      description: "Id of the broker that leads the partition; -1 if the partition has no leader now.",
    }),
    replicas: z.array(z.object({ broker: z.int(), leader: z.boolean(), in_sync: z.boolean() })),
  })
  .meta({ id: "PartitionMetadata" });

export const describeTopic: Documentation = {
  id: "describeTopic",
  tag: TAG,
  summary: "v2: show a topic",
  path: { topic },
  answers: {
    200: {
      description: "The topic. `configs` is always empty.",
      content: v2(
        z.object({ name: z.string(), configs: z.strictObject({}), partitions: z.array(v2Partition) }),
      ),
    },
  },
  errors: V2_ERRORS,
};

export const describePartitions: Documentation = {
  id: "describePartitions",
  tag: TAG,
  summary: "v2: list the partitions of a topic",
  path: { topic },
  answers: { 200: { description: "The partitions.", content: v2(z.array(v2Partition)) } },
  errors: V2_ERRORS,
};

export const describePartition: Documentation = {
  id: "describePartition",
  tag: TAG,
  summary: "v2: show a partition",
  path: { topic, partition },
  answers: { 200: { description: "The partition.", content: v2(v2Partition) } },
  errors: ["PARTITION_UNKNOWN", ...V2_ERRORS],
};

export const describeOffsets: Documentation = {
  id: "describeOffsets",
  tag: TAG,
  summary: "v2: show the offsets of a partition",
  path: { topic, partition },
  answers: {
    200: {
      description:
        "`beginning_offset` is the first offset that can be read, `end_offset` the offset of the next record.",
      content: v2(z.object({ beginning_offset: z.int(), end_offset: z.int() })),
    },
  },
  errors: ["PARTITION_UNKNOWN", ...V2_ERRORS],
};
