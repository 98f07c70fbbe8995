/** What the parts of a slot's state machine share. */
import type { TopicRef, Writer } from "../slot-records.ts";
import type { Calls, Entry } from "./calls.ts";
import type { OpenIds, OpenIntent } from "./open-ids.ts";
import type { SlotPort } from "./port.ts";
import type { Settled } from "./settled.ts";

/** Milliseconds until an append, or a read, that has failed is tried again. */
export const AGAIN_MS = 100;

export interface CoreOptions {
  readonly writer: Writer;
  /** Ids that the slot remembers. */
  readonly share: number;
  /** Milliseconds after which no append can arrive any more. */
  readonly deliveryTimeout: number;
  /** A group takes events of a partition until they have this number of bytes. */
  readonly batchBytes: number;
  /** `mayArriveUntil` of the core that this process had for the slot before; -Infinity: it had none. */
  readonly resolveFrom: number;
}

export interface CoreContext {
  readonly options: CoreOptions;
  readonly port: SlotPort;
  readonly calls: Calls;
  readonly open: OpenIds;
  readonly settled: Settled;
}

export const partitionName = ({ name, id }: TopicRef, partition: number): string =>
  `${name}/${id}/${partition}`;

/** The event of this intent is stored at this offset; undefined: it is not stored. */
export const endIntent = (context: CoreContext, intent: OpenIntent, offset: number | undefined): void => {
  const { open, settled } = context;
  const { digest, record } = intent;
  if (offset === undefined) settled.gone({ digest, intent: record });
  else settled.done({ digest, intent: record, offset });
  open.end(intent, offset);
};

/** An event that joined a group leaves it without an intent, or without an append. */
export const drop = ({ calls, open }: CoreContext, entry: Entry): void => {
  calls.answer(entry, { status: "unavailable" });
  calls.end(entry);
  open.unreserve(entry);
};
