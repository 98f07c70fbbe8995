/** Topics, groups and positions, through the admin client of kafkajs; committed offsets through the gateway's own requests. */
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type ITopicMetadata, type Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { Broker, TopicInfo, TopicSpec, Watermarks } from "../broker.ts";
import type { MemberLessCommits } from "./commits.ts";
import { refusalOf } from "./coordinators.ts";
import { type AdminCalls, createAdminCalls, typeOf, unavailable } from "./admin-calls.ts";
import type { KafkaOptions } from "./options.ts";
import {
  retainedSettings,
  settleRetainedTopic,
  type TopicSettings,
  type TopicSettingsAccess,
} from "./retained-topic.ts";
import type { WireCluster } from "./wire-cluster.ts";
import { createSingleFlight } from "../../lib/single-flight.ts";

type Administered = Pick<
  Broker,
  "topics" | "ensureTopic" | "watermarks" | "offsetsAt" | "committed" | "setCommitted" | "deleteGroup"
>;

export interface Administration extends Administered {
  /** As `Broker.topic`; `fresh` skips the cache. */
  readonly topic: (name: string, fresh?: boolean) => Promise<TopicInfo | undefined>;
  readonly close: () => Promise<void>;
}

/** Milliseconds. */
const TOPIC_MAX_AGE = 10_000;
const APPEARANCE_PAUSE = 50;
const APPEARANCE_TRIES = 60;
/** Bytes of batch header and record framing, added to the maximum record size of a topic. */
const BATCH_OVERHEAD = 1024;

const UNKNOWN_TOPIC = "UNKNOWN_TOPIC_OR_PARTITION";

/** Returns `otherwise` for one of these Kafka errors; throws a GatewayError for any other error. */
const unless = <T>(types: readonly string[], otherwise: T) => {
  return (error: unknown): T => {
    if (types.includes(typeOf(error) ?? "")) return otherwise;
    throw unavailable(error);
  };
};

const createTopicMemory = (ask: (name: string) => Promise<TopicInfo | undefined>) => {
  const remembered = new Map<string, { readonly info: TopicInfo; readonly at: number }>();
  const once = createSingleFlight<TopicInfo | undefined>();

  const askOnce = (name: string): Promise<TopicInfo | undefined> =>
    once(name, async () => {
      const info = await ask(name);
      if (info === undefined) remembered.delete(name);
      else remembered.set(name, { info, at: Date.now() });
      return info;
    });

  return async (name: string, fresh = false): Promise<TopicInfo | undefined> => {
    const known = remembered.get(name);
    if (known === undefined || fresh) return askOnce(name);
    // Returns the cached value during the refresh: in an outage the append must report the failure, not this lookup.
    if (Date.now() - known.at > TOPIC_MAX_AGE) askOnce(name).catch(() => undefined);
    return known.info;
  };
};

interface AdministrationParts {
  readonly memberLess: MemberLessCommits;
  readonly cluster: Pick<WireCluster, "changeTopicSettings">;
  /** As in `KafkaOptions`. */
  readonly maxRecordBytes: KafkaOptions["maxRecordBytes"];
}

export const createAdministration = (
  kafka: Kafka,
  { memberLess, cluster, maxRecordBytes }: AdministrationParts,
): Administration => {
  const admin = createAdminCalls(kafka);
  const access: TopicSettingsAccess = {
    read: (name, names) => readSettings(admin, name, names),
    change: (name, settings) => cluster.changeTopicSettings(name, settings),
    refusal: (error) => typeOf(error) ?? refusalOf(error),
  };

  const metadataOf = (name: string): Promise<ITopicMetadata | undefined> =>
    admin
      .call((client) => client.fetchTopicMetadata({ topics: [name] }))
      .then(({ topics: [found] }) => found)
      .catch(unless([UNKNOWN_TOPIC, "INVALID_TOPIC_EXCEPTION"], undefined));

  const topic = createTopicMemory((name) => metadataOf(name).then((found) => found && topicInfo(found)));

  const requireTopic = async (name: string): Promise<TopicInfo> => {
    const info = await topic(name, true);
    if (info === undefined) throw new GatewayError("STATION_UNKNOWN");
    return info;
  };

  /** Waits for a new topic: a node may learn of the topic and its leaders a little later than the node that created it. */
  const appeared = async (name: string): Promise<TopicInfo> => {
    for (let tries = 1; tries < APPEARANCE_TRIES; tries++) {
      const info = await topic(name, true).catch(() => undefined);
      if (info !== undefined) return info;
      await sleep(APPEARANCE_PAUSE);
    }
    return requireTopic(name);
  };

  return {
    topic,
    close: async () => {
      await Promise.all([admin.close(), memberLess.close()]);
    },
    topics: () =>
      admin
        .call((client) => client.fetchTopicMetadata())
        .then(({ topics }) => topics.map(topicInfo))
        .catch(unless<readonly TopicInfo[]>([], [])),
    ensureTopic: async (spec) => {
      const existing = await topic(spec.name, true);
      if (existing === undefined) {
        const replicationFactor = await replicasOf(admin, spec);
        const config = topicConfig({
          ...{ ...spec, replicationFactor },
          maxRecordBytes: spec.maxRecordBytes ?? maxRecordBytes?.(),
        });
        await admin
          .call((client) => client.createTopics({ topics: [config], waitForLeaders: false }))
          .catch(unless(["TOPIC_ALREADY_EXISTS"], false));
      } else if (spec.compacted === true) return withCompaction(admin, existing);
      const info = existing ?? (await appeared(spec.name));
      // Another process may have created the topic with other settings.
      if (spec.retentionMs !== undefined) await settleRetainedTopic(spec, info, access);
      return info;
    },
    ...positions(memberLess, admin, requireTopic),
  };
};

const replicasOf = async (
  admin: AdminCalls,
  { replicationFactor, replicasAtMost }: TopicSpec,
): Promise<number | undefined> => {
  if (replicasAtMost === undefined) return replicationFactor;
  const { brokers } = await admin.call((client) => client.describeCluster());
  return Math.min(replicasAtMost, brokers.length);
};

const readSettings = async (
  admin: AdminCalls,
  name: string,
  configNames: readonly string[],
): Promise<TopicSettings> => {
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: [...configNames] };
  const { resources } = await admin.call((client) =>
    client.describeConfigs({ resources: [resource], includeSynonyms: false }),
  );
  return new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
};

/** Adds `compacted: false` if the topic's cleanup policy says so. Adds nothing if the gateway may not read the policy. */
const withCompaction = async (admin: AdminCalls, info: TopicInfo): Promise<TopicInfo> => {
  const settings = await readSettings(admin, info.name, ["cleanup.policy"]).catch(() => undefined);
  const policy = settings?.get("cleanup.policy");
  return policy === undefined || policy.includes("compact") ? info : { ...info, compacted: false };
};

const topicInfo = ({ name, partitions }: ITopicMetadata): TopicInfo => ({
  name,
  partitions: partitions.length,
  replicationFactor: partitions[0]?.replicas.length ?? 1,
});

const topicConfig = ({ name, partitions = -1, replicationFactor = -1, ...spec }: TopicSpec) => ({
  topic: name,
  numPartitions: partitions,
  replicationFactor,
  configEntries: [
    ...setting("max.message.bytes", spec.maxRecordBytes && spec.maxRecordBytes + BATCH_OVERHEAD),
    ...setting("cleanup.policy", spec.compacted === true ? "compact" : undefined),
    ...[...retainedSettings(spec)].map(([name, value]) => ({ name, value })),
    ...setting("min.compaction.lag.ms", spec.minCompactionLagMs),
    ...setting("message.timestamp.type", spec.logAppendTime === true ? "LogAppendTime" : undefined),
  ],
});

const setting = (name: string, value: string | number | undefined) =>
  value === undefined ? [] : [{ name, value: String(value) }];

const positions = (
  memberLess: MemberLessCommits,
  admin: AdminCalls,
  requireTopic: (name: string) => Promise<TopicInfo>,
): Pick<Administration, "watermarks" | "offsetsAt" | "committed" | "setCommitted" | "deleteGroup"> => ({
  watermarks: async (name) => {
    await requireTopic(name);
    const offsets = await admin
      .call((client) => client.fetchTopicOffsets(name))
      .catch(unless<{ partition: number; low: string; high: string }[]>([], []));
    return offsets
      .map(({ partition, low, high }): Watermarks => ({ partition, low: BigInt(low), high: BigInt(high) }))
      .sort((a, b) => a.partition - b.partition);
  },
  offsetsAt: async (name, timestamp) => {
    await requireTopic(name);
    const offsets = await admin
      .call((client) => client.fetchTopicOffsetsByTimestamp(name, timestamp))
      .catch(unless<{ partition: number; offset: string }[]>([], []));
    return offsets.map(({ partition, offset }) => ({ topic: name, partition, offset: BigInt(offset) }));
  },
  committed: memberLess.committed,
  setCommitted: memberLess.commit,
  deleteGroup: async (group) => {
    await admin.call((client) => client.deleteGroups([group])).catch(whenGroupStays);
  },
});

/** A missing group counts as deleted. */
const whenGroupStays = (error: unknown): void => {
  const type = typeOf(error);
  if (type === "GROUP_ID_NOT_FOUND") return;
  if (type === "NON_EMPTY_GROUP") {
    throw new GatewayError("REQUEST_INVALID", { message: "The group has members", cause: error });
  }
  throw unavailable(error);
};
