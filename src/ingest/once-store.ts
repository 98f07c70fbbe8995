/** Sends events with ids to the homes of their ids, and makes outcomes of events of what the homes answer. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { OnceOutcome } from "../once/home-calls.ts";
import type { Once } from "../once/once.ts";
import type { TopicViews } from "../once/topic-views.ts";
import type { StoredRecord } from "../broker/broker.ts";
import type { Order } from "./batcher/topic-queue.ts";
import { createIdOf, type SourcedRecord } from "./event-ids.ts";

export type OnceStored =
  | (StoredRecord & { readonly duplicate?: true })
  | { readonly status: "failed"; readonly error: GatewayError };

export interface OnceStore {
  /**
   * One outcome per event, in order; never rejects. Calls with the same order keep their order. The events of a call are all
   * strict, or none of them is.
   */
  append(
    topic: string,
    events: readonly SourcedRecord[],
    order: Order | undefined,
  ): Promise<readonly OnceStored[]>;
}

export interface OnceStoreOptions {
  readonly once: Once;
  readonly views: TopicViews;
  readonly slots: number;
  /** Milliseconds: the time of a call. */
  readonly deadlineMs: number;
}

export const createOnceStore = ({ once, views, slots, deadlineMs }: OnceStoreOptions): OnceStore => {
  const topicIdOf = async (topic: string, events: readonly SourcedRecord[]): Promise<string> =>
    events.some(({ source }) => source.kind === "event") ? (await views.view(topic)).id : "";
  return {
    append: async (topic, events, order) => {
      const [first] = events;
      if (first === undefined) return [];
      try {
        const idOf = createIdOf({ topicId: await topicIdOf(topic, events), slots });
        const sent = events.map((event) => ({ record: event.record, id: idOf(event) }));
        const { strict } = first.source;
        const outcomes = (await once.append(topic, sent, { order, strict, deadlineMs })).map(outcomeOf);
        // The topic may be created again, and has another id then.
        if (outcomes.some(isTopicGone)) views.forget(topic);
        return outcomes;
      } catch (cause) {
        const error = asGatewayError(cause);
        return events.map(() => ({ status: "failed", error }));
      }
    },
  };
};

const isTopicGone = (outcome: OnceStored): boolean =>
  outcome.status === "failed" && outcome.error.code === "STATION_UNKNOWN";

const outcomeOf = (outcome: OnceOutcome): OnceStored => {
  switch (outcome.status) {
    case "stored":
    case "failed":
      return outcome;
    case "reused":
      return { status: "failed", error: new GatewayError("IDEMPOTENCY_KEY_REUSED") };
    case "unresolved":
      return { status: "failed", error: new GatewayError("ID_UNRESOLVED") };
    case "leaderless":
      return { status: "failed", error: new GatewayError("BROKER_AMBIGUOUS") };
  }
};
