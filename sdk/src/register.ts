/** The events of this page that have no outcome yet; tabs tell each other the outcomes of what they sent. */
import type { Entry } from "./entry.ts";
import type { Outcome, ProducerOptions } from "./types.ts";

export interface Register {
  /** Resolves with the event's outcome. */
  expect(entry: Entry): Promise<Outcome>;
  /** In the order in which they were sent. */
  pending(): Entry[];
  size(): number;
  outcomes(): Promise<Outcome>[];
  /** Tells outcomes to all tabs; `entries` are what they are the outcomes of. */
  settle(outcomes: readonly Outcome[], entries: readonly Entry[]): void;
  /** Tells the other tabs that the gateway wants to be left alone until then. */
  announceHold(until: number): void;
  close(isKept: boolean): void;
}

interface Expected {
  readonly entry: Entry;
  readonly outcome: Promise<Outcome>;
  readonly resolve: (outcome: Outcome) => void;
}

interface Message {
  readonly outcomes?: readonly Outcome[];
  readonly until?: number;
}

export const createRegister = (
  name: string,
  onRefused: ProducerOptions["onRefused"],
  onHold: (until: number) => void,
): Register => {
  const expected = new Map<string, Expected>();
  const channel = "BroadcastChannel" in self ? new BroadcastChannel(name) : undefined;

  const tell = (outcomes: readonly Outcome[]): void => {
    for (const outcome of outcomes) {
      expected.get(outcome.id)?.resolve(outcome);
      expected.delete(outcome.id);
    }
  };

  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      tell(data.outcomes ?? []);
      if (data.until !== undefined) onHold(data.until);
    };
  }

  return {
    expect: (entry) => {
      let resolve: Expected["resolve"] = () => undefined;
      const outcome = new Promise<Outcome>((settle) => {
        resolve = settle;
      });
      expected.set(entry.id, { entry, outcome, resolve });
      return outcome;
    },
    pending: () => Array.from(expected.values(), ({ entry }) => entry),
    size: () => expected.size,
    outcomes: () => Array.from(expected.values(), ({ outcome }) => outcome),
    settle: (outcomes, entries) => {
      tell(outcomes);
      if (outcomes.length > 0) channel?.postMessage({ outcomes } satisfies Message);
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
    announceHold: (until) => channel?.postMessage({ until } satisfies Message),
    close: (isKept) => {
      channel?.close();
      for (const id of expected.keys())
        tell([
          isKept ? { status: "kept", id } : { status: "refused", id, error: "closed before it was sent" },
        ]);
    },
  };
};
