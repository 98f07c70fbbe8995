/** The pending events of this page, and the channel on which tabs announce outcomes to each other. */
import type { Entry } from "./entry.ts";
import { tried } from "./guard.ts";
import type { Outcome, ProducerOptions } from "./types.ts";

export interface Register {
  /** Resolves with the event's outcome. */
  expect(entry: Entry): Promise<Outcome>;
  /** The events without an outcome, in the order of their `send`. */
  readonly pending: () => Entry[];
  readonly isPending: (id: string) => boolean;
  size(): number;
  outcomes(): Promise<Outcome>[];
  /** Marks events that may be stored although no answer says so. */
  readonly doubt: (entries: readonly Entry[]) => void;
  /** Announces outcomes to all tabs. `entries` are the events of the outcomes. */
  settle(outcomes: readonly Outcome[], entries: readonly Entry[]): void;
  /** Announces to the other tabs that the gateway asked to wait for `ms` milliseconds. */
  announceHold(ms: number): void;
  /** Settles all pending events. The events of `lost` are not stored in the browser. */
  close(lost: readonly string[]): void;
}

interface Expected {
  readonly entry: Entry;
  readonly outcome: Promise<Outcome>;
  readonly resolve: (outcome: Outcome) => void;
  readonly isDoubtful?: boolean;
}

interface Message {
  readonly outcomes?: readonly Outcome[];
  readonly wait?: number;
}

const promised = (entry: Entry): Expected => {
  let resolve: Expected["resolve"] = () => undefined;
  const outcome = new Promise<Outcome>((settle) => {
    resolve = settle;
  });
  return { entry, outcome, resolve };
};

export const createRegister = (
  name: string,
  onRefused: ProducerOptions["onRefused"],
  onHold: (ms: number) => void,
): Register => {
  const expected = new Map<string, Expected>();
  const channel = tried(() => new BroadcastChannel(name));

  const resolve = (outcomes: readonly Outcome[]): void => {
    for (const outcome of outcomes) {
      expected.get(outcome.id)?.resolve(outcome);
      expected.delete(outcome.id);
    }
  };
  /** Without an open channel, the other tabs learn the outcomes when they send. */
  const broadcast = (message: Message): void => {
    tried(() => channel?.postMessage(message));
  };

  if (channel) {
    channel.onmessage = ({ data: { outcomes = [], wait } }: MessageEvent<Message>) => {
      resolve(outcomes);
      if (wait !== undefined) onHold(wait);
    };
  }

  return {
    expect: (entry) => {
      const promise = promised(entry);
      expected.set(entry.id, promise);
      return promise.outcome;
    },
    pending: () => Array.from(expected.values(), ({ entry }) => entry),
    isPending: (id) => expected.has(id),
    size: () => expected.size,
    outcomes: () => Array.from(expected.values(), ({ outcome }) => outcome),
    doubt: (entries) => {
      for (const { id } of entries) Object.assign(expected.get(id) ?? {}, { isDoubtful: true });
    },
    settle: (outcomes, entries) => {
      resolve(outcomes);
      if (outcomes.length > 0) broadcast({ outcomes });
      for (const outcome of outcomes) {
        const entry = entries.find(({ id }) => id === outcome.id);
        if (outcome.status !== "refused" || !entry || !onRefused) continue;
        const { id, json } = entry;
        // In a microtask, so that an error of the callback is an error of the page.
        queueMicrotask(() => {
          onRefused({ id, event: JSON.parse(json) as unknown, error: outcome.error });
        });
      }
    },
    announceHold: (wait) => {
      broadcast({ wait });
    },
    close: (lost) => {
      channel?.close();
      const error = "the producer is closed";
      for (const [id, { isDoubtful }] of expected)
        if (!lost.includes(id)) resolve([{ status: "kept", id }]);
        else resolve([{ status: isDoubtful ? "unknown" : "refused", id, error }]);
    },
  };
};
