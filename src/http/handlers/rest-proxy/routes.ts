/** `/v3` and `/topics`: producing and looking as with Confluent's REST Proxy, and a refusal of all the rest. */
import type { Documentation } from "../../documentation.ts";
import * as metadata from "./metadata-documentation.ts";
import * as documentation from "./documentation.ts";
import type { ClientRoute, Route } from "../../routes.ts";
import { administrationRoutes } from "./administration.ts";
import { produceBatch } from "./batch.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { listClusters, listTopicNames, listTopics, showCluster } from "./listings.ts";
import {
  describeOffsets,
  describePartition,
  describePartitions,
  describeTopic,
  listPartitions,
  showPartition,
  showTopic,
} from "./partitions.ts";
import { produceRecords } from "./records.ts";
import { produceToTopic } from "./v2.ts";

export const restProxyRoutes = (dependencies: RestProxyDependencies): readonly Route[] => [
  ...clientRoutes(dependencies),
  ...administrationRoutes,
];

const clientRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => [
  ...producingRoutes(dependencies),
  ...lookingRoutes(dependencies),
];

const ROW = { family: "rest-proxy", auth: "client" } as const;
const CLUSTER = "/v3/clusters/:cluster";
const TOPIC = `${CLUSTER}/topics/:topic`;

const producingRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => {
  const post = { ...ROW, method: "POST" } as const;
  const toTopic = produceToTopic(dependencies);
  return [
    {
      ...post,
      path: `${TOPIC}/records`,
      documentation: documentation.produceRecords,
      handler: produceRecords(dependencies),
    },
    // The backslash keeps Express from taking the colon for a parameter's.
    {
      ...post,
      path: `${TOPIC}/records\\:batch`,
      documentation: documentation.produceRecordsBatch,
      handler: produceBatch(dependencies),
    },
    { ...post, path: "/topics/:topic", documentation: documentation.produceToTopic, handler: toTopic },
    {
      ...post,
      path: "/topics/:topic/partitions/:partition",
      documentation: documentation.produceToPartition,
      handler: toTopic,
    },
  ];
};

type Look = readonly [path: string, documentation: Documentation, handler: ClientRoute["handler"]];

const lookingRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => {
  const looks: readonly Look[] = [
    ["/v3/clusters", metadata.listClusters, listClusters],
    [CLUSTER, metadata.showCluster, showCluster],
    [`${CLUSTER}/topics`, metadata.listTopics, listTopics(dependencies)],
    [TOPIC, metadata.showTopic, showTopic(dependencies)],
    [`${TOPIC}/partitions`, metadata.listPartitions, listPartitions(dependencies)],
    [`${TOPIC}/partitions/:partition`, metadata.showPartition, showPartition(dependencies)],
    ["/topics", metadata.listTopicNames, listTopicNames(dependencies)],
    ["/topics/:topic", metadata.describeTopic, describeTopic(dependencies)],
    ["/topics/:topic/partitions", metadata.describePartitions, describePartitions(dependencies)],
    ["/topics/:topic/partitions/:partition", metadata.describePartition, describePartition(dependencies)],
    ["/topics/:topic/partitions/:partition/offsets", metadata.describeOffsets, describeOffsets(dependencies)],
  ];
  return looks.map(([path, words, handler]) => ({
    ...ROW,
    method: "GET",
    path,
    documentation: words,
    handler,
  }));
};
