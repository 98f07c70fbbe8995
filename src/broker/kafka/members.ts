/** The member of each subscription: one of kafkajs, or the gateway's own by one of Kafka's group protocols. */
import type { Kafka } from "kafkajs";
import type { Groups } from "../groups.ts";
import type { CountPartitions } from "./assigner.ts";
import { createKafkaReads } from "./kafka-reads.ts";
import { createKafkaJsMember } from "./kafkajs-member.ts";
import type { KafkaMember, MemberContext } from "./member.ts";
import type { KafkaOptions } from "./options.ts";
import { createClassicGroup } from "./own-member/classic-group.ts";
import { createConsumerGroup } from "./own-member/consumer-group.ts";
import {
  type ConsumerGroupRequests,
  createConsumerGroupRequests,
} from "./own-member/consumer-group-requests.ts";
import { createEveryPartition } from "./own-member/every-partition.ts";
import { type CreateAssignment, createOwnMember, type OwnMemberParts } from "./own-member/own-member.ts";
import type { WireCluster } from "./wire-cluster.ts";

export interface Members {
  /** Rejects if no broker answers. */
  readonly create: (context: MemberContext) => Promise<KafkaMember>;
  /** Call it when all members have left. */
  readonly close: () => Promise<void>;
}

interface MemberParts extends Pick<OwnMemberParts, "committed" | "watermarks"> {
  readonly kafka: Kafka;
  readonly groups: Groups;
  readonly countPartitions: CountPartitions;
}

/** Maximum bytes of one answer with the records of several partitions. */
const MAX_ANSWER_BYTES = 4 << 20;

/** Asks the cluster once. If it does not answer, the next call asks again. */
const createSupport = (
  { groupProtocol, onClassicInstead }: KafkaOptions,
  requests: ConsumerGroupRequests,
): ((group: string) => Promise<boolean>) => {
  let asked: Promise<boolean> | undefined;
  const ask = async (group: string): Promise<boolean> => {
    const areSupported = await requests.areSupported(group);
    if (!areSupported) onClassicInstead?.();
    return areSupported;
  };
  return async (group) => {
    if (groupProtocol === "classic") return false;
    asked ??= ask(group);
    return asked.catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
  };
};

export const createMembers = (
  options: KafkaOptions,
  cluster: WireCluster,
  { kafka, groups, countPartitions, committed, watermarks }: MemberParts,
): Members => {
  const { sessionTimeout, requestTimeout, consumer } = options;
  const reads = createKafkaReads({ ...options, maxAnswerBytes: MAX_ANSWER_BYTES }, cluster);
  const requests = createConsumerGroupRequests(options, cluster);
  const hasConsumerGroups = createSupport(options, requests);

  const own = (context: MemberContext, assignment: CreateAssignment): KafkaMember =>
    createOwnMember({ read: reads.read, committed, watermarks }, context, assignment);

  const create = async (context: MemberContext): Promise<KafkaMember> => {
    const { group } = context;
    if (group !== undefined && (await hasConsumerGroups(group)))
      return own(context, (given, handlers) =>
        createConsumerGroup({ requests, requestTimeout }, { ...given, group }, handlers),
      );
    if (consumer === "kafkajs")
      return createKafkaJsMember({ kafka, sessionTimeout, countPartitions, watermarks }, context);
    return own(context, (given, handlers) =>
      group === undefined
        ? createEveryPartition(countPartitions, given, handlers)
        : createClassicGroup({ groups, countPartitions, sessionTimeout }, { ...given, group }, handlers),
    );
  };

  return {
    create,
    close: async () => {
      reads.close();
      await requests.close();
    },
  };
};
