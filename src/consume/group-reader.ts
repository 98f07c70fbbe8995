/**
 * The membership of this process in one reader's group, and the partitions that the group has assigned to it. One member
 * reads all topics of the group. It offers the assignor `range`, so native consumers can share the group.
 */
import type { Broker, SubscriptionHandlers, Watermarks } from "../broker/broker.ts";
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "../broker/consumer-protocol.ts";
import type { Groups, JoinedMember, MemberAssignment } from "../broker/groups.ts";
import { partitionId } from "../broker/partitions.ts";
import type { GroupPosition, TopicPartition, TopicPartitionOffset } from "../broker/positions.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { createMembership, type Membership } from "../home/membership.ts";
import { type Clock, pause } from "../lib/clock.ts";
import { createPartitionSource, type PartitionSource, type Read } from "./partition-source.ts";
