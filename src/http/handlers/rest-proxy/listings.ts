/** What a client may look at: the cluster, and the topics that it may produce to or read. In the shapes of REST Proxy 8.1. */
import { LOCAL_CLUSTER } from "../../../broker/broker.ts";
import { listStations, type ListedStation } from "../../../ingest/station-list.ts";
import type { AuthorisedCall } from "../../call.ts";
import { sendJson, sendText } from "../../respond.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { parameterOf, SEEING } from "./topic.ts";

/** Clients pick a cluster out of the list before they produce; any other name is as good. */
export const listClusters = (call: AuthorisedCall): void => {
  const self = urlOf(call, "/v3/clusters");
  sendJson(call.response, 200, {
    kind: "KafkaClusterList",
    metadata: { self, next: null },
    data: [cluster(call, LOCAL_CLUSTER)],
  });
};

export const showCluster = (call: AuthorisedCall): void => {
  sendJson(call.response, 200, cluster(call, parameterOf(call, "cluster")));
};

export const listTopics =
  ({ listed }: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    const clusterId = parameterOf(call, "cluster");
    const stations = allowed(call, await listStations(listed));
    sendJson(call.response, 200, {
      kind: "KafkaTopicList",
      metadata: { self: urlOf(call, `${clusterPath(clusterId)}/topics`), next: null },
      data: stations.map((station) => topicView(call, clusterId, station)),
    });
  };

/** v2: the names alone. */
export const listTopicNames =
  ({ listed }: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    const names = allowed(call, await listStations(listed)).map(({ name }) => name);
    sendText(call.response, 200, "application/vnd.kafka.v2+json", JSON.stringify(names));
  };

const allowed = ({ principal }: AuthorisedCall, stations: readonly ListedStation[]) =>
  stations.filter(({ name, partitions }) => partitions !== null && SEEING.is(principal, name));

export const urlOf = ({ request }: AuthorisedCall, path: string): string =>
  `${request.protocol}://${request.headers.host ?? "localhost"}${path}`;

const clusterPath = (clusterId: string): string => `/v3/clusters/${encodeURIComponent(clusterId)}`;

export const topicPath = (clusterId: string, name: string): string =>
  `${clusterPath(clusterId)}/topics/${encodeURIComponent(name)}`;

const cluster = (call: AuthorisedCall, clusterId: string) => {
  const self = urlOf(call, clusterPath(clusterId));
  const related = (path: string) => ({ related: `${self}/${path}` });
  return {
    kind: "KafkaCluster",
    metadata: { self, resource_name: `crn:///kafka=${clusterId}` },
    cluster_id: clusterId,
    acls: related("acls"),
    brokers: related("brokers"),
    broker_configs: related("broker-configs"),
    consumer_groups: related("consumer-groups"),
    topics: related("topics"),
    partition_reassignments: related("topics/-/partitions/-/reassignment"),
  };
};

/** A topic as v3 shows it. A list names topics by their stations, which the paths of this API take first. */
export interface ShownTopic {
  readonly name: string;
  readonly partitions: number | null;
  readonly replicationFactor: number | null;
}

export const topicView = (
  call: AuthorisedCall,
  clusterId: string,
  { name, partitions, replicationFactor }: ShownTopic,
) => {
  const self = urlOf(call, topicPath(clusterId, name));
  const related = (path: string) => ({ related: `${self}/${path}` });
  return {
    kind: "KafkaTopic",
    metadata: { self, resource_name: `crn:///kafka=${clusterId}/topic=${name}` },
    cluster_id: clusterId,
    topic_name: name,
    is_internal: false,
    replication_factor: replicationFactor ?? 1,
    partitions_count: partitions,
    partitions: related("partitions"),
    configs: related("configs"),
    partition_reassignments: related("partitions/-/reassignment"),
    authorized_operations: [],
  };
};
