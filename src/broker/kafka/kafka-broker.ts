/**
 * Implements `Broker` on Apache Kafka. The administration uses kafkajs. `read`, `appendOnce` and `groups` send their own
 * requests over connections of `@platformatic/kafka`. The producer and the members of subscriptions are those of kafkajs or the
 * gateway's own.
 */
import type { Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import type { Broker, Subscription, Watermarks } from "../broker.ts";
import type { Groups } from "../groups.ts";
import { type Administration, createAdministration } from "./kafka-administration.ts";
import { type Append, createAppender } from "./appender.ts";
import { createOnceAppends } from "./append-once.ts";
import { createGatheredAppends } from "./gathered-appends.ts";
import { createKafkaClient } from "./client.ts";
import { createMemberLessCommits, type MemberLessCommits } from "./commits.ts";
import { prepareCompressions } from "./compression.ts";
import { createKafkaJsProducer } from "./kafkajs-producer.ts";
import { createKafkaGroups } from "./kafka-groups.ts";
import { createKafkaReads } from "./kafka-reads.ts";
import { createLeaderEnds } from "./leader-end.ts";
import { createMembers } from "./members.ts";
import { asUnavailable, type KafkaOptions } from "./options.ts";
import { createPlatformaticProducer } from "./platformatic-producer.ts";
import type { Producer } from "./producer.ts";
import { createReadiness } from "./readiness.ts";
import { createSubscription, type SubscriptionDependencies } from "./kafka-subscription.ts";
import { createTopicWatch } from "./topic-watch.ts";
import { createWireCluster, type WireCluster } from "./wire-cluster.ts";

export const createKafkaBroker = (options: KafkaOptions): Broker => {
  const cluster = createWireCluster(options);
  const kafka = createKafkaClient(options, () => cluster.answering());
  const readiness = createReadiness(cluster);
  const memberLess = createMemberLessCommits(options, cluster);
  const administration = createAdministration(kafka, {
    ...{ cluster, memberLess },
    maxRecordBytes: options.maxRecordBytes,
  });
  const producer = createProducer(kafka, options);
  const appends = createTrackedAppends(
    createAppender({ producer, topic: administration.topic, deliveryTimeout: options.deliveryTimeout }),
  );
  const once = createOnceAppends(options, cluster);
  const groups = createKafkaGroups(options, cluster);
  const reads = createKafkaReads(options, cluster);
  const subscriptions = createSubscriptions(options, cluster, { kafka, groups, administration, memberLess });

  return {
    kind: "kafka",
    ...administration,
    topic: (name) => administration.topic(name),
    topicId: async (name) => {
      const ids = await cluster.topicIds([name]).catch(asUnavailable);
      return ids.get(name);
    },
    partitions: (name) => cluster.partitions(name).catch(asUnavailable),
    open: () => {
      readiness.start();
      return prepareCompressions();
    },
    check: async (asks) => {
      if (appends.closed) throw new GatewayError("BROKER_UNAVAILABLE");
      await readiness.check(asks);
    },
    isLost: () => readiness.isLost(),
    clusterId: () => cluster.clusterId().catch(asUnavailable),
    localAddress: () => cluster.localAddress().catch(asUnavailable),
    append: async (topic, records) => {
      const outcomes = await appends.append(topic, records);
      readiness.settled(outcomes);
      return outcomes;
    },
    appendOnce: createGatheredAppends(once.appendOnce),
    leaderEnd: createLeaderEnds(options, cluster),
    groups,
    read: reads.read,
    subscribe: subscriptions.subscribe,
    close: async () => {
      readiness.stop();
      const settled = Promise.all([appends.close(), once.close()]);
      await subscriptions.close();
      reads.close();
      await groups.close();
      await settled;
      await producer.close();
      await administration.close();
      await cluster.close();
    },
  };
};

interface SubscriptionParts {
  readonly kafka: Kafka;
  readonly groups: Groups;
  readonly administration: Administration;
  readonly memberLess: MemberLessCommits;
}

/** All subscriptions of a broker. */
const createSubscriptions = (
  options: KafkaOptions,
  cluster: WireCluster,
  { kafka, groups, administration, memberLess }: SubscriptionParts,
) => {
  const open = new Set<Subscription>();
  const watermarks = (topic: string): Promise<readonly Watermarks[]> => administration.watermarks(topic);
  const members = createMembers(options, cluster, {
    ...{ kafka, groups, watermarks },
    committed: memberLess.positions,
    countPartitions: async (topic) => (await administration.topic(topic, true))?.partitions ?? 0,
  });
  const parts: Omit<SubscriptionDependencies, "options" | "handlers"> = {
    newMember: members.create,
    topicWatch: createTopicWatch((topics) => cluster.topicIds(topics)),
    deleteGroup: (group) => administration.deleteGroup(group),
    watermarks,
  };
  const subscribe: Broker["subscribe"] = async (wanted, handlers) => {
    const subscription = await createSubscription({ ...parts, options: wanted, handlers });
    open.add(subscription);
    return {
      ...subscription,
      get assignment() {
        return subscription.assignment;
      },
      get silence() {
        return subscription.silence;
      },
      close: async () => {
        open.delete(subscription);
        await subscription.close();
      },
    };
  };
  return {
    subscribe,
    close: async () => {
      await Promise.all([...open].map((subscription) => subscription.close()));
      await members.close();
    },
  };
};

/**
 * Only the gateway's own producer can be idempotent, because the idempotent producer of kafkajs loses records
 * (docs/decisions/0001-record-batches-of-our-own.md).
 */
const createProducer = (kafka: Kafka, options: KafkaOptions): Producer =>
  options.producer === "kafkajs" && !options.idempotent
    ? createKafkaJsProducer(kafka, options)
    : createPlatformaticProducer(options);

interface TrackedAppends {
  readonly closed: boolean;
  readonly append: Append;
  /** Fails all later appends, and resolves when the appends in flight have settled. */
  close(): Promise<void>;
}

const createTrackedAppends = (append: Append): TrackedAppends => {
  const inFlight = new Set<Promise<unknown>>();
  let closed = false;
  return {
    get closed() {
      return closed;
    },
    append: (topic, records) => {
      if (closed) {
        const error = new GatewayError("BROKER_UNAVAILABLE");
        return Promise.resolve(records.map(() => ({ status: "failed", error })));
      }
      const appended = append(topic, records);
      inFlight.add(appended);
      return appended.finally(() => inFlight.delete(appended));
    },
    close: async () => {
      closed = true;
      await Promise.all(inFlight);
    },
  };
};
