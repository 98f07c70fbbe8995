/**
 * The ids that one process remembers for itself, if it can't use homes: a repeat that reaches another process, or comes after a
 * restart, is stored again.
 */
import { randomInt } from "node:crypto";
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import type { OnceEvent, OnceOutcome } from "./home-calls.ts";
import type { Once } from "./once.ts";
import { nameOf, payloadOf } from "./slot-core/calls.ts";
import { SlotIds } from "./slot-ids.ts";

export interface LocalOnceOptions {
  /** Never rejects. */
  readonly append: (
    topic: string,
    records: readonly BrokerRecord[],
    order: object | undefined,
  ) => Promise<readonly AppendOutcome[]>;
  /** Ids that are remembered. */
  readonly maxIds: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export const createLocalOnce = ({ append, maxIds, now }: LocalOnceOptions): Once => {
  const ids = new SlotIds(maxIds);
  /** The appends of ids without an outcome. */
  const open = new Map<string, Promise<unknown>>();

  const isReused = (event: OnceEvent): boolean => {
    const payload = payloadOf(event);
    const known = ids.get(event.id.kind, event.id.digest, now());
    return payload !== undefined && known?.payload !== undefined && !known.payload.equals(payload);
  };

  const duplicateOf = ({ id }: OnceEvent): OnceOutcome | undefined => {
    const known = ids.get(id.kind, id.digest, now());
    if (known === undefined) return undefined;
    const { partition, offset, began: timestamp } = known;
    return { status: "stored", partition, offset: BigInt(offset), timestamp, duplicate: true };
  };

  const remember = (event: OnceEvent, outcome: AppendOutcome, request: number): void => {
    if (outcome.status !== "stored") return;
    const { kind, digest, window } = event.id;
    const { partition, offset } = outcome;
    const began = now();
    const stored = { partition, offset: Number(offset), began, ends: began + window, request };
    ids.put(kind, digest, { ...stored, payload: payloadOf(event) }, began);
  };

  const appendNew = async (
    topic: string,
    events: readonly OnceEvent[],
    order: object | undefined,
  ): Promise<readonly AppendOutcome[]> => {
    const request = randomInt(2 ** 32);
    const appending = append(
      topic,
      events.map(({ record }) => record),
      order,
    );
    const ended = appending.then((outcomes) => {
      events.forEach((event, i) => {
        const outcome = outcomes[i];
        open.delete(nameOf(event.id.digest));
        if (outcome !== undefined) remember(event, outcome, request);
      });
    });
    for (const event of events) open.set(nameOf(event.id.digest), ended);
    await ended;
    return appending;
  };

  return {
    append: async (topic, events, { order }) => {
      for (;;) {
        const before = events.flatMap((event) => open.get(nameOf(event.id.digest)) ?? []);
        if (before.length === 0) break;
        await Promise.all(before);
      }
      if (events.some(isReused)) return events.map(() => ({ status: "reused" }));
      const known = events.map(duplicateOf);
      const fresh = events.filter((_, i) => known[i] === undefined);
      const outcomes = fresh.length === 0 ? [] : await appendNew(topic, fresh, order);
      const rest = outcomes.values();
      return known.map((outcome) => outcome ?? rest.next().value ?? { status: "unresolved" });
    },
  };
};
