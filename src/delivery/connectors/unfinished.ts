/** Which records connectors have not finished. A broker that frees old records keeps these. */
import { type Broker, isInternalTopic, type TopicPartition } from "../../broker/broker.ts";
import type { TopicSelection } from "../engine/delivery-plan.ts";
import { topicsOf } from "./config-reader.ts";
import { parseConnectorConfig } from "./connector-config.ts";
import { groupOf } from "./plan.ts";
import type { RawConfig } from "./masking.ts";
import { hasReferences } from "./reference-text.ts";

interface Connector {
  readonly name: string;
  readonly config: RawConfig;
}

export interface Unfinished {
  /**
   * The first offset of the partition that a connector has not finished. A connector without a position has finished nothing, whatever
   * its state is. undefined: no connector reads the topic. Rejects with BROKER_UNAVAILABLE.
   */
  readonly from: (of: TopicPartition) => Promise<bigint | undefined>;
}

/** undefined: the configuration has faults. Values that references stand for are not known here, so only the topics can be checked. */
const selectionIn = (name: string, config: RawConfig): TopicSelection | undefined => {
  if (Object.values(config).some(hasReferences)) return topicsOf(config);
  const parsed = parseConnectorConfig(name, config);
  return "model" in parsed ? parsed.model.topics : undefined;
};

/** `connectors` returns the connectors of now. */
export const createUnfinished = (
  broker: Pick<Broker, "committed">,
  connectors: () => readonly Connector[],
): Unfinished => {
  const selections = new WeakMap<RawConfig, TopicSelection | "unknown">();

  const selectionOf = ({ name, config }: Connector): TopicSelection | "unknown" => {
    const known = selections.get(config);
    if (known !== undefined) return known;
    const selection = selectionIn(name, config) ?? "unknown";
    selections.set(config, selection);
    return selection;
  };

  const mayRead = (connector: Connector, topic: string): boolean => {
    const selection = selectionOf(connector);
    // A stored configuration that this version refuses: its topics count again when an operator has corrected it.
    if (selection === "unknown") return true;
    if ("names" in selection) return selection.names.includes(topic);
    return selection.pattern.test(topic) && !isInternalTopic(topic);
  };

  return {
    from: async ({ topic, partition }) => {
      const readers = connectors().filter((connector) => mayRead(connector, topic));
      const positions = await Promise.all(readers.map(({ name }) => broker.committed(groupOf(name), topic)));
      const offsets = positions.map(
        (ofReader) => ofReader.find((position) => position.partition === partition)?.offset ?? 0n,
      );
      return offsets.reduce<bigint | undefined>(
        (lowest, offset) => (lowest === undefined || offset < lowest ? offset : lowest),
        undefined,
      );
    },
  };
};
