/** Our own topics. Connector definitions hold secrets, and are nobody's to deliver. */
const INTERNAL_PREFIX = "_stationgate-";

export const CONNECTORS_TOPIC = `${INTERNAL_PREFIX}connectors`;

export const isInternalTopic = (topic: string): boolean => topic.startsWith(INTERNAL_PREFIX);
