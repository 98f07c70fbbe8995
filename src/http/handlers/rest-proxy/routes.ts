/**
 * `/v3`, `/topics` and `/consumers`: the routes of Confluent's REST Proxy for producing, metadata and consumer instances. Its
 * other routes are refused.
 */
import { GatewayError } from "../../../errors.ts";
import type { Call } from "../../call.ts";
import type { Documentation } from "../../documentation.ts";
import type { ClientRoute, OpenRoute, Route } from "../../routes.ts";
import { queryOf } from "../../url.ts";
import { produceBatch } from "./batch.ts";
import { CONSUMER_PATHS, consumerRoutes } from "./consumers/routes.ts";
import * as documentation from "./documentation.ts";
import * as metadata from "./metadata-documentation.ts";
import {
  describeOffsets,
  describePartition,
  describePartitions,
  describeTopic,
  listClusters,
  listPartitions,
  listTopicNames,
  listTopics,
  showCluster,
  showPartition,
  showTopic,
} from "./metadata.ts";
import { produceRecords } from "./records.ts";
import type { RestProxyDependencies } from "./topic.ts";
import { produceToTopic } from "./v2.ts";

/** Every path of a REST Proxy. A request that no other route serves is refused here. */
const PATHS = [
  "/v3/clusters",
  "/v3/clusters/:cluster",
  "/v3/clusters/:cluster/topics",
  "/v3/clusters/:cluster/topics/:topic",
  "/v3/clusters/:cluster/topics/:topic/partitions",
  "/v3/clusters/:cluster/topics/:topic/partitions/:partition",
  "/v3/clusters/:cluster/topics/:topic/records",
  "/v3/clusters/:cluster/topics/:topic/records\\:batch",
  "/v3{/*rest}",
  "/topics",
  "/topics/:topic",
  "/topics/:topic/partitions",
  "/topics/:topic/partitions/:partition",
  "/topics/:topic/partitions/:partition/offsets",
  "/topics/*rest",
  ...CONSUMER_PATHS,
  "/consumers{/*rest}",
  "/brokers{/*rest}",
] as const;

/**
 * Throws UNAUTHORIZED for a request without a credential, and ADMINISTRATION_DISABLED for any credential. The credential is
 * not checked, because no credential gives access to these paths.
 */
const refuse = ({ request }: Call): never => {
  const { authorization, "x-api-key": apiKey } = request.headers;
  const hasCredential =
    authorization !== undefined || apiKey !== undefined || queryOf(request).has("authorization");
  throw new GatewayError(hasCredential ? "ADMINISTRATION_DISABLED" : "UNAUTHORIZED");
};

/** These routes must come after all routes that serve requests. */
const administrationRoutes: readonly OpenRoute[] = PATHS.map((path) => ({
  method: "ALL",
  path,
  auth: "none",
  family: "rest-proxy",
  documentation: undefined,
  handler: refuse,
}));

export const restProxyRoutes = (dependencies: RestProxyDependencies): readonly Route[] => [
  ...clientRoutes(dependencies),
  ...administrationRoutes,
];

const clientRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => [
  ...producingRoutes(dependencies),
  ...metadataRoutes(dependencies),
  ...consumerRoutes(dependencies),
];

const ROUTE = { family: "rest-proxy", auth: "client" } as const;
const CLUSTER = "/v3/clusters/:cluster";
const TOPIC = `${CLUSTER}/topics/:topic`;

const producingRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => {
  const post = { ...ROUTE, method: "POST" } as const;
  const toTopic = produceToTopic(dependencies);
  return [
    {
      ...post,
      path: `${TOPIC}/records`,
      documentation: documentation.produceRecords,
      handler: produceRecords(dependencies),
    },
    // The backslash stops Express from reading `:batch` as a parameter.
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

type Row = readonly [path: string, documentation: Documentation, handler: ClientRoute["handler"]];

const metadataRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => {
  const rows: readonly Row[] = [
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
  return rows.map(([path, words, handler]) => ({
    ...ROUTE,
    method: "GET",
    path,
    documentation: words,
    handler,
  }));
};
