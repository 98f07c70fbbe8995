/** Our own topics. Connector definitions hold secrets, and are nobody's to deliver. */
export const isInternalTopic = (topic: string): boolean => topic.startsWith("_stationgate-");
