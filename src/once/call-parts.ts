/** Divides the events of a call into parts, because another process takes a request of limited size only. */
import { bytesOfEvent } from "./call-codec.ts";
import type { CoreEvent } from "./slot-core/port.ts";

/** Maximum bytes of the events of a part. An event that alone has more is a part of its own. */
export const MAX_PART_BYTES = 1024 * 1024;

export const partsOf = <Event extends CoreEvent>(events: readonly Event[]): readonly (readonly Event[])[] => {
  const parts: Event[][] = [];
  let bytes = Infinity;
  let before: Event | undefined;
  for (const event of events) {
    bytes += bytesOfEvent(event, before);
    before = event;
    if (bytes <= MAX_PART_BYTES) parts.at(-1)?.push(event);
    else {
      parts.push([event]);
      bytes = bytesOfEvent(event, undefined);
    }
  }
  return parts;
};
