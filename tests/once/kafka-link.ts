/** What a process of the model asks of Kafka: appends, reads and looks, each of which can be late, lost or cut off. */
import { GatewayError } from "../../src/errors.ts";
import type { BatchResult, CoreEvent, EventAppend, Look, SlotPort } from "../../src/once/slot-core/port.ts";
import type { SlotCore } from "../../src/once/slot-core/slot-core.ts";
import type { SlotRecord } from "../../src/once/slot-records.ts";
import type { LogModel } from "./kafka-model.ts";
import { LATE_MS, type Process, SESSION_MS, type StoredEvent, type World } from "./world.ts";

const REQUEST_MS = 3000;

/** Of an append: the offset of its first record; `error`: Kafka's answer; undefined: there is no answer. */
type Answer = number | "error" | undefined;

export class KafkaLink {
  readonly #world: World;
  readonly #process: Process;

  constructor(world: World, process: Process) {
    this.#world = world;
    this.#process = process;
  }

  /** `base`: undefined: no acknowledgement. */
  toSlot(records: readonly SlotRecord[], done: (base: number | undefined) => void): void {
    this.#append(
      this.#world.slot,
      () => records.map((record) => ({ record, timestamp: this.#world.now })),
      (base) => {
        done(base === "error" ? undefined : base);
      },
    );
  }

  #append<T>(log: LogModel<T>, make: () => readonly T[], done: (base: Answer) => void): void {
    let isOver = false;
    const end = (base: Answer): void => {
      if (isOver) return;
      isOver = true;
      done(base);
    };
    this.#world.after(REQUEST_MS, this.#process, () => {
      end(undefined);
    });
    if (this.#world.now < this.#process.cutUntil) return;
    this.#world.after(this.#transit(), undefined, () => {
      const answer = (base: Answer): void => {
        if (this.#world.now < this.#process.cutUntil) return;
        this.#world.after(this.#world.latency(), this.#process, () => {
          end(base);
        });
      };
      if (!log.hasLeader) {
        if (this.#world.random(2) === 0) answer("error");
        return;
      }
      // Kafka can answer with an error what it has stored.
      const isError = !this.#world.isHealed && this.#world.random(30) === 0;
      const base = log.append(make(), (isStored) => {
        answer(isStored && !isError ? base : "error");
      });
      this.#world.after(
        !this.#world.isHealed && this.#world.random(6) === 0 ? this.#world.random(4000) : 0,
        undefined,
        () => {
          log.replicate();
        },
      );
    });
  }

  portOf(isCurrent: () => boolean): SlotPort {
    const process = this.#process;
    const core = (): SlotCore | undefined => (isCurrent() ? process.core : undefined);
    let wake = 0;
    let wokenAt = Infinity;
    return {
      now: () => this.#world.wall(process),
      monotonic: () => this.#world.monotonic(process),
      isFresh: () => this.#world.isFresh(process, 0.5),
      wakeAt: (time) => {
        if (time === wokenAt) return;
        wokenAt = time;
        wake += 1;
        const own = wake;
        if (time === Infinity) return;
        this.#world.after(Math.max(0, time - this.#world.monotonic(process)), process, () => {
          if (own !== wake) return;
          wokenAt = Infinity;
          core()?.tick();
        });
      },
      appendToSlot: (records) => {
        this.toSlot(records, (base) => {
          if (base === undefined) core()?.slotFailed(false);
          else core()?.slotStored(base, this.#world.slot.records[base]?.timestamp ?? 0);
        });
      },
      readSlot: (from, to) => {
        this.#world.after(this.#world.latency(), process, () => {
          const part = this.#world.slot.records.slice(from, to);
          core()?.slotRead(
            part.map(({ record, timestamp }, at) => ({ offset: from + at, timestamp, record })),
          );
        });
      },
      askEnd: (topic, partition) => {
        const isCut = this.#world.now < process.cutUntil;
        this.#world.after(isCut ? REQUEST_MS : this.#world.latency(), process, () => {
          core()?.endKnown(
            topic,
            partition,
            isCut ? undefined : this.#world.partitions[partition]?.committed,
          );
        });
      },
      appendEvents: (append) => {
        this.#appendEvents(append, core);
      },
      look: (look) => {
        this.#look(look, core);
      },
      answer: (call, outcomes) => {
        this.#world.onAnswer(process, call, outcomes);
      },
      release: () => undefined,
      fenced: () => {
        this.#world.log(`${process.name} is fenced`);
        process.mayArriveUntil = process.core?.mayArriveUntil ?? process.mayArriveUntil;
        process.core = undefined;
        process.isServing = false;
        if (this.#world.owner === process) this.#world.enter(process);
      },
      drained: () => {
        this.#world.lose(process);
        if (this.#world.owner !== process) return;
        this.#world.disown();
      },
    };
  }

  /** The request waits for its connection now and then; then check (b) and the writing are one step. */
  #appendEvents(append: EventAppend, core: () => SlotCore | undefined): void {
    const write = (): void => {
      const current = core();
      if (current === undefined) return;
      const results: BatchResult[] = [];
      let open = append.batches.length;
      const writtenAt = this.#world.monotonic(this.#process);
      const finish = (index: number, result: BatchResult): void => {
        results[index] = result;
        open -= 1;
        if (open === 0) core()?.appended(append, results, writtenAt);
      };
      if (!this.#world.isFresh(this.#process, 0.5) || this.#world.random(25) === 0) {
        append.batches.forEach((_, index) => {
          this.#world.after(0, this.#process, () => {
            finish(index, { status: "unsent" });
          });
        });
        return;
      }
      append.batches.forEach(({ partition, events }, index) => {
        this.#writeBatch({ partition, events }, (result) => {
          finish(index, result);
        });
      });
    };
    if (!this.#world.isHealed && this.#world.random(8) === 0)
      this.#world.after(this.#world.random(6000), this.#process, write);
    else write();
  }

  #writeBatch(
    { partition, events }: EventAppend["batches"][number],
    done: (result: BatchResult) => void,
  ): void {
    const log = this.#world.partitions[partition];
    if (log === undefined) return;
    if (events.some(({ record }) => record.timestamp === TOO_LARGE)) {
      this.#world.after(this.#world.latency(), this.#process, () => {
        done({ status: "refused", error: TOO_LARGE_ERROR });
      });
      return;
    }
    const at = this.#world.now;
    const isCutOff = this.#isCutOff(events[0]);
    const make = (): readonly StoredEvent[] => {
      this.#world.log(
        `stores ${events.map(({ record }) => String(record.value)).join()} of ${this.#process.name}`,
      );
      return events.map(({ id, record }) => ({
        name: id.digest.toString("latin1"),
        request: requestOf({ id, record }),
        index: record.timestamp,
        key: record.key?.toString(),
        isExcused: isCutOff || this.#world.now - at > LATE_MS,
      }));
    };
    this.#append(log, make, (base) => {
      if (base === "error") done({ status: "unknown", isAnswered: true });
      else if (base === undefined) done({ status: "unknown" });
      else done({ status: "stored", offset: base, timestamp: 1 });
    });
  }

  /** Check (a) held, but both clocks stood still since the heartbeat, so check (b) can't notice that it is too old. */
  #isCutOff(event: CoreEvent | undefined): boolean {
    if (event === undefined || this.#process.bothSleptUntil < this.#process.beatAt) return false;
    if (this.#world.now - this.#process.beatAt < SESSION_MS / 2) return false;
    let isSeen = false;
    for (const { record } of [...this.#world.slot.records].reverse()) {
      const isOwn = record.writer.process === this.#process.name;
      if (!isSeen) {
        isSeen =
          isOwn &&
          record.type === "intent" &&
          record.entries.some(
            ({ digest, request }) => digest.equals(event.id.digest) && request === requestOf(event),
          );
      } else if (record.type === "fence" && (!isOwn || record.writer.tenure === this.#process.tenure))
        return isOwn;
    }
    return false;
  }

  #look(look: Look, core: () => SlotCore | undefined): void {
    const log = this.#world.partitions[look.partition];
    if (log === undefined) return;
    const tries = (left: number, end: number, epoch: number): void => {
      this.#world.after(this.#world.latency() + (left === 20 ? 0 : 200), this.#process, () => {
        if (this.#world.now < this.#process.cutUntil || !log.hasLeader || left === 0) {
          core()?.looked(look, undefined);
          return;
        }
        const target = epoch === log.epoch ? end : Math.max(log.records.length, log.committed);
        if (log.committed < target || epoch !== log.epoch) tries(left - 1, target, log.epoch);
        else core()?.looked(look, foundIn(log, look, target));
      });
    };
    tries(20, 0, -1);
  }

  /** How long written bytes take until the broker has processed them. */
  #transit(): number {
    if (this.#world.isHealed) return this.#world.latency();
    const kind = this.#world.random(40);
    if (kind === 0) return LATE_MS + this.#world.random(30_000);
    return kind < 5 ? this.#world.random(LATE_MS) : this.#world.latency();
  }
}

/** The number of headers tells the request. */
const requestOf = ({ record }: CoreEvent): number => record.headers.length;

/** The timestamp of a record that Kafka refuses. */
export const TOO_LARGE = 99;
const TOO_LARGE_ERROR = new GatewayError("RECORD_TOO_LARGE");

const foundIn = (
  log: LogModel<StoredEvent>,
  look: Look,
  end: number,
): ReadonlyMap<string, readonly number[]> => {
  const found = new Map<string, number[]>();
  for (let offset = look.from; offset < end; offset += 1) {
    const name = log.records[offset]?.name ?? "";
    if (look.names.has(name)) found.set(name, [...(found.get(name) ?? []), offset]);
  }
  return found;
};
