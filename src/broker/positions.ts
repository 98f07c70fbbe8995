/** Partitions, and positions in them. */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: bigint;
}

/** A group's position in a partition, and the metadata that a member stored with it. */
export interface GroupPosition extends TopicPartitionOffset {
  /** At most `MAX_METADATA` ASCII characters. */
  readonly metadata?: string | undefined;
}

/** Kafka's default limit (`offset.metadata.max.bytes`). A broker with a lower limit stores the position without metadata. */
export const MAX_METADATA = 4096;
