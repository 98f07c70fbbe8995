/** Computes the ids of events, and the slots that they belong to. */
import { createHash } from "node:crypto";
import { murmur2 } from "../broker/partitions.ts";
import { DIGEST_BYTES } from "./id-table.ts";
import type { EventId } from "./once.ts";

/** The parts of a scoped id, such as principal, route, station and key. No other list of parts has the same digest. */
const digestOf = (parts: readonly string[]): Buffer =>
  createHash("sha256").update(JSON.stringify(parts)).digest().subarray(0, DIGEST_BYTES);

const slotOf = (digest: Buffer, slots: number): number => digest.readUInt32LE(0) % slots;

/** The id of a station's own event. All events of a key have one slot, and an id belongs to its key. */
export const stationEventId = (
  { station, topicId, key, id }: { station: string; topicId: string; key: Buffer | null; id: string },
  { window, slots }: { readonly window: number; readonly slots: number },
): EventId => {
  const digest = digestOf(["station", station, topicId, key === null ? "" : `k${key.toString("hex")}`, id]);
  const slot =
    key === null
      ? slotOf(digest, slots)
      : (murmur2(Buffer.concat([Buffer.from(`${station}\n`), key])) & 0x7fffffff) % slots;
  return { digest, slot, window, kind: "event" };
};

/** The ids of the events of a call with `Idempotency-Key`, or of a webhook delivery. They have one slot. */
export const callEventIds = (
  scope: readonly string[],
  {
    events,
    window,
    slots,
    payload,
  }: {
    readonly events: number;
    readonly window: number;
    readonly slots: number;
    /** The sha256 of the whole payload; undefined: another payload under the same id is no error. */
    readonly payload?: Buffer | undefined;
  },
): readonly EventId[] => {
  const slot = slotOf(digestOf(["call", ...scope]), slots);
  return Array.from({ length: events }, (_, place) => ({
    digest: digestOf(["call", ...scope, String(place)]),
    slot,
    window,
    kind: "call",
    payload: payload?.subarray(0, DIGEST_BYTES),
  }));
};
