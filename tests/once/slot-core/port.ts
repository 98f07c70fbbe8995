/** A port that notes what the core asks for, and a clock that the test moves. */
import { createHash } from "node:crypto";
import type {
  CoreCall,
  CoreEvent,
  CoreOutcome,
  EventAppend,
  Look,
  SlotPort,
} from "../../../src/once/slot-core/port.ts";
import { SlotCore } from "../../../src/once/slot-core/slot-core.ts";
import type { SlotRecord } from "../../../src/once/slot-records.ts";

export const digestOf = (id: string): Buffer => createHash("sha256").update(id).digest().subarray(0, 16);

export const eventOf = (
  id: string,
  changes: Partial<CoreEvent["id"]> & { readonly key?: string } = {},
): CoreEvent => {
  const { key, ...more } = changes;
  return {
    id: { digest: digestOf(id), window: 60_000, kind: "event", ...more },
    record: {
      key: key === undefined ? null : Buffer.from(key),
      value: Buffer.from(id),
      headers: [],
      timestamp: 0,
    },
  };
};

export const OWN = { process: "a".repeat(16), tenure: 1 };
export const OTHER = { process: "b".repeat(16), tenure: 1 };
export const TOPIC = { name: "orders", id: "1" };
export const DELIVERY_MS = 6000;

/** One slot that serves, at offset 1 of its log. */
export class Slot implements SlotPort {
  time = 1_000_000;
  fresh = true;
  leaders: (number | undefined)[] = [1];
  wokenAt = Infinity;
  readonly slotAppends: (readonly SlotRecord[])[] = [];
  readonly reads: { readonly from: number; readonly to: number }[] = [];
  readonly appends: EventAppend[] = [];
  readonly looks: Look[] = [];
  readonly answers = new Map<number, readonly CoreOutcome[] | "moved">();
  readonly released: number[] = [];
  asked = 0;
  isFenced = false;
  isDrained = false;
  readonly core: SlotCore;

  constructor(before: readonly SlotRecord[] = [], resolveFrom = -Infinity) {
    this.core = new SlotCore(
      { writer: OWN, share: 1000, deliveryTimeout: DELIVERY_MS, batchBytes: 1_000_000, resolveFrom },
      this,
    );
    before.forEach((record, offset) => {
      this.core.apply({ offset, timestamp: this.time, record });
    });
    this.core.start(before.length + 1, this.time);
  }

  now = (): number => this.time;
  monotonic = (): number => this.time;
  isFresh = (): boolean => this.fresh;
  wakeAt = (time: number): void => {
    this.wokenAt = time;
  };
  appendToSlot = (records: readonly SlotRecord[]): void => {
    this.slotAppends.push(records);
  };
  readSlot = (from: number, to: number): void => {
    this.reads.push({ from, to });
  };
  askEnd = (): void => {
    this.asked += 1;
  };
  appendEvents = (append: EventAppend): void => {
    this.appends.push(append);
  };
  look = (look: Look): void => {
    this.looks.push(look);
  };
  answer = (call: CoreCall, outcomes: readonly CoreOutcome[] | "moved"): void => {
    this.answers.set(call.request, outcomes);
  };
  release = (call: CoreCall): void => {
    this.released.push(call.request);
  };
  fenced = (): void => {
    this.isFenced = true;
  };
  drained = (): void => {
    this.isDrained = true;
  };

  offer(request: number, events: readonly CoreEvent[], waitMs = 10_000): void {
    this.core.offer({
      topic: { ...TOPIC, leaders: this.leaders },
      request,
      until: this.time + waitMs,
      events,
    });
  }

  /** Moves the clock, and ticks when the core wants it. */
  pass(ms: number): void {
    const end = this.time + ms;
    while (this.wokenAt <= end) {
      this.time = Math.max(this.time, this.wokenAt);
      this.core.tick();
    }
    this.time = end;
  }

  /** The partition's end is known, and the newest slot append is acknowledged. */
  acknowledge(base: number): void {
    for (; this.asked > 0; this.asked -= 1) this.core.endKnown(TOPIC, 0, 10);
    this.core.slotStored(base, this.time);
  }

  /** The ids of the newest append to the partition. */
  get written(): readonly string[] {
    return (this.appends.at(-1)?.batches ?? []).flatMap(({ events }) =>
      events.map(({ record }) => String(record.value)),
    );
  }

  result(result: Parameters<SlotCore["appended"]>[1][number]): void {
    const append = this.appends.at(-1);
    if (append !== undefined) this.core.appended(append, [result], this.time);
  }

  /** The newest look has ended. */
  looked(found: Parameters<SlotCore["looked"]>[1]): void {
    const look = this.looks.at(-1);
    if (look !== undefined) this.core.looked(look, found);
  }

  /** The statuses of an answered request. */
  told(request: number): string {
    const answer = this.answers.get(request);
    if (answer === undefined || answer === "moved") return answer ?? "waits";
    return answer
      .map((outcome) =>
        outcome.status === "stored"
          ? `${outcome.isDuplicate ? "duplicate" : "stored"} ${outcome.offset}`
          : outcome.status,
      )
      .join();
  }
}

export const stored = (offset: number) => ({ status: "stored" as const, offset, timestamp: 5 });
