/** Divides the events of a call into parts, because another process takes a request of limited size only. */
import { bytesOfEvent } from "./call-codec.ts";
import type { CoreEvent } from "./slot-core/port.ts";

/** Maximum bytes of the events of a part. An event that alone has more is a part of its own. */
export const MAX_PART_BYTES = 1024 * 1024;

export const partsOf = <Event extends CoreEvent>(events: readonly Event[]): readonly (readonly Event[])[] => {
  const parts: (readonly Event[])[] = [];
  let begin = 0;
  let bytes = 0;
  let before: Event | undefined;
  for (const [at, event] of events.entries()) {
    bytes += bytesOfEvent(event, before);
    before = event;
    if (bytes <= MAX_PART_BYTES || at === begin) continue;
    parts.push(events.slice(begin, at));
    begin = at;
    bytes = bytesOfEvent(event, undefined);
  }
  // Nearly all calls have one part.
  if (begin === 0) return events.length === 0 ? [] : [events];
  return [...parts, events.slice(begin)];
};

/** True: the events of these slots fit into one part. */
export const fitIntoPart = (slots: readonly { readonly events: readonly CoreEvent[] }[]): boolean => {
  let bytes = 0;
  for (const { events } of slots) {
    let before: CoreEvent | undefined;
    for (const event of events) {
      bytes += bytesOfEvent(event, before);
      before = event;
    }
  }
  return bytes <= MAX_PART_BYTES;
};
