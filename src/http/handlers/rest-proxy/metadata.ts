/**
 * The metadata routes: the cluster, and the topics and partitions that the caller may produce to or read. The answers have
 * the shapes of REST Proxy 8.1.
 */
import { mayUseStation } from "../../../auth/permissions.ts";
import { LOCAL_CLUSTER, type PartitionInfo } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import { type ListedStation, listStations, type Station } from "../../../ingest/stations.ts";
import type { AuthorisedCall } from "../../call.ts";
import { sendJson, sendText } from "../../respond.ts";
import {
  findPartition,
  partitionOf,
  partitionsOf,
  type RestProxyDependencies,
  visibleStation,
} from "./topic.ts";
import { pathParameter } from "../../url.ts";
import { V2_TYPE } from "./v2.ts";

/** Some clients take the cluster id from this list before they produce. The other routes accept any id. */
export const listClusters = (call: AuthorisedCall): void => {
  const self = urlOf(call, "/v3/clusters");
  sendJson(call.response, 200, {
    kind: "KafkaClusterList",
    metadata: { self, next: null },
    data: [cluster(call, LOCAL_CLUSTER)],
  });
};

export const showCluster = (call: AuthorisedCall): void => {
  sendJson(call.response, 200, cluster(call, pathParameter(call.request, "cluster")));
};

export const listTopics =
  ({ listed }: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    const clusterId = pathParameter(call.request, "cluster");
    const stations = visible(call, await listStations(listed));
    sendJson(call.response, 200, {
      kind: "KafkaTopicList",
      metadata: { self: urlOf(call, `${clusterPath(clusterId)}/topics`), next: null },
      data: stations.map((station) => topicView(call, clusterId, station)),
    });
  };

/** v2: the names only. */
export const listTopicNames =
  ({ listed }: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    sendV2(
      call,
      visible(call, await listStations(listed)).map(({ name }) => name),
    );
  };

const visible = ({ principal }: AuthorisedCall, stations: readonly ListedStation[]) =>
  stations.filter(({ name, partitions }) => partitions !== null && mayUseStation(principal, "see", name));

const urlOf = ({ request }: AuthorisedCall, path: string): string =>
  `${request.protocol}://${request.headers.host ?? "localhost"}${path}`;

const clusterPath = (clusterId: string): string => `/v3/clusters/${encodeURIComponent(clusterId)}`;

const topicPath = (clusterId: string, name: string): string =>
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

/** A topic as v3 shows it. A list has the names of stations, which are valid as topics in the paths of this API. */
interface ShownTopic {
  readonly name: string;
  readonly partitions: number | null;
  readonly replicationFactor: number | null;
}

const topicView = (
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

type Handler = (call: AuthorisedCall) => Promise<void>;

interface VisibleTopic {
  readonly station: Station;
  readonly partitions: readonly PartitionInfo[];
}

/** Rejects like `visibleStation` and `partitionsOf`. */
const visibleTopic = async (
  call: AuthorisedCall,
  dependencies: RestProxyDependencies,
): Promise<VisibleTopic> => {
  const station = await visibleStation(call, dependencies.stations);
  return { station, partitions: await partitionsOf(station, dependencies) };
};

const partitionIn = (call: AuthorisedCall, { partitions }: VisibleTopic): PartitionInfo =>
  findPartition(partitions, partitionOf(call));

export const showTopic =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    const { partitions } = await visibleTopic(call, dependencies);
    const shown = {
      name: pathParameter(call.request, "topic"),
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? null,
    };
    sendJson(call.response, 200, topicView(call, pathParameter(call.request, "cluster"), shown));
  };

export const listPartitions =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    const { partitions } = await visibleTopic(call, dependencies);
    const path = topicPath(pathParameter(call.request, "cluster"), pathParameter(call.request, "topic"));
    sendJson(call.response, 200, {
      kind: "KafkaPartitionList",
      metadata: { self: urlOf(call, `${path}/partitions`), next: null },
      data: partitions.map((partition) => partitionView(call, partition)),
    });
  };

export const showPartition =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    const partition = partitionIn(call, await visibleTopic(call, dependencies));
    sendJson(call.response, 200, partitionView(call, partition));
  };

const partitionView = (call: AuthorisedCall, { partition, leader }: PartitionInfo) => {
  const clusterId = pathParameter(call.request, "cluster");
  const topic = pathParameter(call.request, "topic");
  const self = urlOf(call, `${topicPath(clusterId, topic)}/partitions/${partition}`);
  const related = (path: string) => ({ related: `${self}/${path}` });
  return {
    kind: "KafkaPartition",
    metadata: { self, resource_name: `crn:///kafka=${clusterId}/topic=${topic}/partition=${partition}` },
    cluster_id: clusterId,
    topic_name: topic,
    partition_id: partition,
    leader: leader === undefined ? null : related(`replicas/${leader}`),
    replicas: related("replicas"),
    reassignment: related("reassignment"),
  };
};

const sendV2 = ({ response }: AuthorisedCall, body: unknown): void => {
  sendText(response, 200, V2_TYPE, JSON.stringify(body));
};

/** v2: `configs` is always empty, because the gateway shows no settings of topics. */
export const describeTopic =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    const { partitions } = await visibleTopic(call, dependencies);
    const name = pathParameter(call.request, "topic");
    sendV2(call, { name, configs: {}, partitions: partitions.map(v2PartitionView) });
  };

export const describePartitions =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    sendV2(call, (await visibleTopic(call, dependencies)).partitions.map(v2PartitionView));
  };

export const describePartition =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    sendV2(call, v2PartitionView(partitionIn(call, await visibleTopic(call, dependencies))));
  };

/** A partition without a leader has the leader -1, as in Kafka. */
const v2PartitionView = ({ partition, leader = -1, replicas, inSync }: PartitionInfo) => ({
  partition,
  leader,
  replicas: replicas.map((broker) => ({
    broker,
    leader: broker === leader,
    in_sync: inSync.includes(broker),
  })),
});

/** v2: the first offset that can be read, and the offset of the next record. */
export const describeOffsets =
  (dependencies: RestProxyDependencies): Handler =>
  async (call) => {
    const topic = await visibleTopic(call, dependencies);
    const { partition: wanted } = partitionIn(call, topic);
    const marks = await dependencies.broker.watermarks(topic.station.topic);
    const found = marks.find(({ partition }) => partition === wanted);
    if (found === undefined) throw new GatewayError("PARTITION_UNKNOWN");
    const { low, high } = found;
    const body = `{"beginning_offset":${low.toString()},"end_offset":${high.toString()}}`;
    sendText(call.response, 200, V2_TYPE, body);
  };
