/**
 * A reader's group in its home. One kind of reader uses the group at a time: it claims the group, reads with its one member
 * (`reader`), and releases it. Between two uses the process is no member, and the group's state is `free`.
 */
import { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { GroupReader } from "./group-reader.ts";
import type { SlotRecords } from "./slot-records.ts";

export type GroupState = "prepared" | "free" | "batch" | "instances" | "leaving";

/** What reads a group. */
export interface GroupUse {
  readonly kind: "batch" | "instances";
  /** The principal that the group counts for. */
  readonly owner: string;
  /** Milliseconds since the epoch at which the last call ended; undefined: the group must not be ended. */
  readonly idleSince: number | undefined;
  /** Ends the idle use, because there are too many groups. Must release the group. */
  readonly end: () => void;
}

export interface ReaderGroupOptions {
  readonly name: string;
  readonly slot: number;
  /** The records of the group's slot. */
  readonly records: SlotRecords;
  readonly clock: Clock;
  /** Milliseconds for which an unused member stays in the group. */
  readonly groupIdle: number;
  readonly holds: (slot: number) => boolean;
  readonly createReader: () => GroupReader;
  /** Makes room for one more group. Throws OVERLOADED. */
  readonly admit: () => void;
  /** This process became a member of the group, or leaves it. */
  readonly onMember: (isMember: boolean) => void;
  readonly onError: (error: GatewayError) => void;
}

export class ReaderGroup {
  readonly #options: ReaderGroupOptions;
  #use: GroupUse | undefined;
  #reader: GroupReader | undefined;
  #leaving: Promise<void> | undefined;
  #isClosing = false;
  #cancelIdle = (): void => undefined;

  constructor(options: ReaderGroupOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get records(): SlotRecords {
    return this.#options.records;
  }

  get use(): GroupUse | undefined {
    return this.#use;
  }

  get state(): GroupState {
    if (this.#isClosing) return "leaving";
    if (this.#use !== undefined) return this.#use.kind;
    if (this.#reader !== undefined) return "prepared";
    return this.#leaving === undefined ? "free" : "leaving";
  }

  /** True while this process may answer for the group. Check it before events are handed out. */
  get isHeld(): boolean {
    return !this.#isClosing && this.#options.holds(this.#options.slot);
  }

  /** The member of this process in the group. Only a use has it. */
  get reader(): GroupReader {
    if (this.#reader === undefined) throw new TypeError(`group ${this.name} is not claimed`);
    return this.#reader;
  }

  /** Throws GROUP_IN_USE if the other kind of reader uses the group. */
  require(kind: GroupUse["kind"]): void {
    if (this.#use !== undefined && this.#use.kind !== kind) throw inUse(this.name, this.#use.kind);
  }

  /** Throws GROUP_IN_USE if the other kind of reader uses the group, OVERLOADED, and SLOT_MOVED. */
  claim(use: GroupUse): void {
    if (this.#isClosing) throw new GatewayError("SLOT_MOVED");
    this.require(use.kind);
    if (this.#reader === undefined) this.#options.admit();
    this.#cancelIdle();
    this.#use = use;
    this.#member();
  }

  /** The use has ended its subscriptions, or ends them by this: the member leaves the group. */
  release(use: GroupUse): void {
    if (this.#use !== use) return;
    this.#use = undefined;
    void this.#leave();
  }

  /** Joins the group before it is used. */
  async prepare(): Promise<void> {
    await this.#member().join();
  }

  /** The slot is held from now on: a member that was prepared stays for a while. */
  opened(): void {
    if (this.#use !== undefined || this.#reader === undefined) return;
    this.#cancelIdle();
    this.#cancelIdle = this.#options.clock.after(this.#options.groupIdle, () => void this.#leave());
  }

  /** The slot is given up or lost: nothing is handed out any more. */
  stop(): void {
    this.#isClosing = true;
  }

  /** Call `stop` before. Resolves when this process is no member any more. */
  async close(): Promise<void> {
    this.#use = undefined;
    await this.#leave();
  }

  #member(): GroupReader {
    if (this.#reader === undefined) {
      this.#reader = this.#options.createReader();
      this.#options.onMember(true);
    }
    return this.#reader;
  }

  async #leave(): Promise<void> {
    this.#cancelIdle();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) {
      this.#options.onMember(false);
      // A later member may join before this one has left: the group assigns it nothing until then.
      const left = Promise.all([this.#leaving, reader.leave()]).then(() => undefined, this.#options.onError);
      this.#leaving = left;
      void left.then(() => {
        if (this.#leaving === left) this.#leaving = undefined;
      });
    }
    await this.#leaving;
  }
}

const inUse = (group: string, kind: GroupUse["kind"]): GatewayError =>
  new GatewayError("GROUP_IN_USE", {
    message:
      kind === "batch"
        ? `consume/batch reads group "${group}": use another group, or wait until it has not been read for reading.groupIdle`
        : `Consumer instances read group "${group}": use another group, or delete its instances`,
  });
