import { type Broker, isInternalTopic } from "../../broker/broker.ts";

/** Topics by name, or by a pattern that must match the whole name. A pattern never selects internal topics. */
export type TopicSelection = { readonly names: readonly string[] } | { readonly pattern: RegExp };

const namesOf = async (broker: Pick<Broker, "topics">, pattern: RegExp): Promise<readonly string[]> => {
  const topics = await broker.topics();
  return topics.map(({ name }) => name).filter((name) => pattern.test(name) && !isInternalTopic(name));
};

/** The selected topics that exist now, sorted. Rejects with BROKER_UNAVAILABLE. */
export const existingTopics = async (
  broker: Pick<Broker, "topics" | "topic">,
  selection: TopicSelection,
): Promise<readonly string[]> => {
  if ("pattern" in selection) return (await namesOf(broker, selection.pattern)).toSorted();
  const found = await Promise.all(selection.names.map((name) => broker.topic(name)));
  return selection.names.filter((_, index) => found[index] !== undefined).toSorted();
};

/** Milliseconds until the next check for new topics. undefined: all named topics exist. */
export const lookAgainMs = (selection: TopicSelection, found: readonly string[]): number | undefined => {
  if ("pattern" in selection) return 5000;
  return found.length < selection.names.length ? 1000 : undefined;
};
