/** `/v3` and `/topics`: what a producer needs of Confluent's REST Proxy, and a refusal of all the rest. */
import * as documentation from "../documentation/rest-proxy.ts";
import type { ClientRoute, Route } from "../routes.ts";
import { administrationRoutes } from "./rest-proxy/administration.ts";
import { produceBatch } from "./rest-proxy/batch.ts";
import type { RestProxyDependencies } from "./rest-proxy/dependencies.ts";
import { listClusters, listTopicNames, listTopics, showCluster } from "./rest-proxy/listings.ts";
import { produceRecords } from "./rest-proxy/records.ts";
import { produceToTopic } from "./rest-proxy/v2.ts";

export const restProxyRoutes = (dependencies: RestProxyDependencies): readonly Route[] => [
  ...clientRoutes(dependencies),
  ...administrationRoutes,
];

const clientRoutes = (dependencies: RestProxyDependencies): readonly ClientRoute[] => {
  const row = { family: "rest-proxy", auth: "client" } as const;
  const post = { ...row, method: "POST" } as const;
  const get = { ...row, method: "GET" } as const;
  const cluster = "/v3/clusters/:cluster";
  const topic = `${cluster}/topics/:topic`;
  const toTopic = produceToTopic(dependencies);
  return [
    {
      ...post,
      path: `${topic}/records`,
      documentation: documentation.produceRecords,
      handler: produceRecords(dependencies),
    },
    // The backslash keeps Express from taking the colon for a parameter's.
    {
      ...post,
      path: `${topic}/records\\:batch`,
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
    { ...get, path: "/v3/clusters", documentation: documentation.listClusters, handler: listClusters },
    { ...get, path: cluster, documentation: documentation.showCluster, handler: showCluster },
    {
      ...get,
      path: `${cluster}/topics`,
      documentation: documentation.listTopics,
      handler: listTopics(dependencies),
    },
    {
      ...get,
      path: "/topics",
      documentation: documentation.listTopicNames,
      handler: listTopicNames(dependencies),
    },
  ];
};
