/** Topics that hold no station's events. */

/** Kafka's own: each commit of a group is a record of the first, so that delivering it would never end. */
const OF_KAFKA: ReadonlySet<string> = new Set([
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
  "__cluster_metadata",
]);

/**
 * Kafka's own topics and the gateway's, whose connector definitions hold secrets. No pattern selects them, no list of
 * topics may name them, and no station stands for one.
 */
export const isInternalTopic = (topic: string): boolean =>
  topic.startsWith("_stationgate-") || OF_KAFKA.has(topic);
