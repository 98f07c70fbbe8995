/** `/v3` and `/topics`: producing and looking as with Confluent's REST Proxy, and a refusal of all the rest. */
import { GatewayError } from "../../../errors.ts";
import type { Call } from "../../call.ts";
import type { Documentation } from "../../documentation.ts";
import type { ClientRoute, OpenRoute, Route } from "../../routes.ts";
import { queryOf } from "../../url.ts";
import { produceBatch } from "./batch.ts";
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

/** Everything else that a REST Proxy has: refused, whoever asks. */

/** Paths whose other methods serve, and all that there may be beneath. */
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
  "/consumers{/*rest}",
  "/brokers{/*rest}",
] as const;

/**
 * Credentials aren't looked at, a wrong one neither: none of them opens anything here, and the answer tells nothing.
 * Only who brings none is asked for one.
 */
const refuse = ({ request }: Call): never => {
  const { authorization, "x-api-key": apiKey } = request.headers;
  const hasCredential =
    authorization !== undefined || apiKey !== undefined || queryOf(request).has("authorization");
  throw new GatewayError(hasCredential ? "ADMINISTRATION_DISABLED" : "UNAUTHORIZED");
};

/** To stand behind the rows that serve. */
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
