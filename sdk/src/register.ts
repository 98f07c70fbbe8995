/** The events of this page that have no outcome yet; tabs tell each other the outcomes of what they sent. */
import type { Entry } from "./entry.ts";
import { tried } from "./guard.ts";
import type { Outcome, ProducerOptions } from "./types.ts";

export interface Register {
  /** Resolves with the event's outcome. */
  expect(entry: Entry): Promise<Outcome>;
  /** In the order in which they were sent. */
  readonly pending: () => Entry[];
  readonly isPending: (id: string) => boolean;
  size(): number;
  outcomes(): Promise<Outcome>[];
  /** These may be stored, or kept, without a word of it. */
  readonly doubt: (entries: readonly Entry[]) => void;
  /** Tells outcomes to all tabs; `entries` are what they are the outcomes of. */
  settle(outcomes: readonly Outcome[], entries: readonly Entry[]): void;
  /** Tells the other tabs that the gateway wants to be left alone for so many milliseconds. */
  announceHold(ms: number): void;
  /** Ends the wait for all; those that are lost the next page doesn't have. */
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

  const tell = (outcomes: readonly Outcome[]): void => {
    for (const outcome of outcomes) {
      expected.get(outcome.id)?.resolve(outcome);
      expected.delete(outcome.id);
    }
  };
  /** Without a channel, or with one that is closed, the others find out by themselves. */
  const broadcast = (message: Message): void => {
    tried(() => channel?.postMessage(message));
  };

  if (channel) {
    channel.onmessage = ({ data: { outcomes = [], wait } }: MessageEvent<Message>) => {
      tell(outcomes);
      if (wait !== undefined) onHold(wait);
    };
  }

  return {
    expect: (entry) => {
      const one = promised(entry);
      expected.set(entry.id, one);
      return one.outcome;
    },
    pending: () => Array.from(expected.values(), ({ entry }) => entry),
    isPending: (id) => expected.has(id),
    size: () => expected.size,
    outcomes: () => Array.from(expected.values(), ({ outcome }) => outcome),
    doubt: (entries) => {
      for (const { id } of entries) Object.assign(expected.get(id) ?? {}, { isDoubtful: true });
    },
    settle: (outcomes, entries) => {
      tell(outcomes);
      if (outcomes.length > 0) broadcast({ outcomes });
      for (const outcome of outcomes) {
        const entry = entries.find(({ id }) => id === outcome.id);
        if (outcome.status !== "refused" || !entry || !onRefused) continue;
        const { id, json } = entry;
        // In a turn of its own: what the page throws is the page's.
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
        if (!lost.includes(id)) tell([{ status: "kept", id }]);
        else tell([{ status: isDoubtful ? "unknown" : "refused", id, error }]);
    },
  };
};
