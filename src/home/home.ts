/**
 * The home of slots: at most one process of all that share a Kafka serves a slot, and each process passes calls on to it. The
 * processes are members of one Kafka group; its leader divides the slots. `docs/decisions/0003-home-of-a-slot.md` has the
 * protocol.
 */
import { randomUUID } from "node:crypto";
import type { Broker, TopicSpec } from "../broker/broker.ts";
import type { Groups } from "../broker/groups.ts";
import { partitionOfKey, requirePartitions } from "../broker/partitions.ts";
import { GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import type { HeldLog, SlotService } from "./contract.ts";
import { ASSIGNOR, assignMembers, decodeHolders, encodeMember } from "./gateway-data.ts";
import { createMembership, type Membership } from "../broker/membership.ts";
import { limited, type PeerAnswer, type PeerCall, type PeerHandler, type Peers } from "./peers/peers.ts";
import { createSearch } from "./search.ts";
import type { SlotLogOptions } from "./slot-log.ts";
import type { SlotBroker } from "./slot-reader.ts";
import { Slots } from "./slots.ts";

export interface HomeOptions<Log extends HeldLog<Content>, Content extends object> {
  readonly broker: SlotBroker & Pick<Broker, "ensureTopic"> & { readonly groups: Groups };
  readonly clock: Clock;
  /** As in `SessionOptions`. */
  readonly monotonic?: () => number;
  /** The topic of the slots; `partitions` is the number of slots. */
  readonly topic: TopicSpec & { readonly partitions: number };
  readonly group: string;
  /** Creates the log of a slot that this process begins to hold. */
  readonly createLog: (options: SlotLogOptions) => Log;
  /** Milliseconds. A process serves slots while a heartbeat that was sent within this time is answered. */
  readonly sessionTimeout: number;
  /** Where other processes reach this one. Called when the process joins the group. */
  readonly address: () => string;
  readonly peers: Pick<Peers, "call" | "ask" | "given">;
  readonly service: SlotService<Log, Content>;
  /** Makes the id of a session. Default: random ids. */
  readonly newId?: () => string;
  /** A fault from which the home recovers by itself. */
  readonly onError: (error: GatewayError) => void;
}

export interface Home {
  /** The id of this process in the present session; other processes address it by this id. */
  readonly id: string;
  readonly handler: PeerHandler;
  slotOf(name: string): number;
  /**
   * Passes the call on to the process that holds the name's slot. Waits for such a process for `waitMs`, but for 8 s at least;
   * then rejects with HOME_UNAVAILABLE. Without contact to Kafka it rejects after 8 s. If the slot moves, the next process gets
   * the call with what is left of `waitMs`. The caller must call `ended` of the answer.
   */
  call(name: string, call: PeerCall): Promise<PeerAnswer>;
  /** As `call`, for a slot. */
  callSlot(slot: number, call: PeerCall): Promise<PeerAnswer>;
  /**
   * As `callSlot`, but only the process `likelyHome` gets the call, once. undefined: it has not answered, or does not hold the
   * slot; it may have seen the call.
   */
  tryCall(slot: number, call: PeerCall): Promise<PeerAnswer | undefined>;
  /** The id of the process that most likely holds the slot; undefined: no process is known. */
  likelyHome(slot: number): string | undefined;
  /** True while this process may answer for the slot. */
  holds(slot: number): boolean;
  /** True while a heartbeat that was sent within the session timeout is answered by the group of the processes. */
  isMember(): boolean;
  /**
   * True while a heartbeat that was sent within this part of the session timeout is answered, by the monotonic clock and by
   * the wall clock.
   */
  isFresh(part: number): boolean;
  /** Creates the topic and joins the group. Resolves when the topic exists. Rejects with SETTINGS_INVALID. */
  start(): Promise<void>;
  /** Joins the group. The caller has created the topic. */
  join(): void;
  /** Hands over every slot, then leaves the group. */
  drain(): Promise<void>;
}

const AGAIN_MS = 100;
const TOPIC_AGAIN_MS = 1000;
/**
 * If an attempt to connect fails after this time, the process is cut off, and the call gets 503. It is shorter than the connect
 * timeout of a link (5 s), whose timer is not exact. An attempt that fails earlier is repeated: the port may be closed for a
 * moment only.
 */
const CUT_OFF_MS = 4000;
/** Kafka removes a member that has not joined again after this time. It must be twice the session timeout at least. */
const REBALANCE_MS = 60_000;

export const createHome = <Log extends HeldLog<Content>, Content extends object>(
  options: HomeOptions<Log, Content>,
): Home => new GatewayHome(options);

class GatewayHome<Log extends HeldLog<Content>, Content extends object> implements Home {
  readonly #options: HomeOptions<Log, Content>;
  readonly #slots: Slots<Log, Content>;
  readonly #membership: Membership;
  readonly #stopped = new AbortController();
  readonly #newId: () => string;
  #id: string;
  #draining: Promise<void> | undefined;

  constructor(options: HomeOptions<Log, Content>) {
    this.#options = options;
    this.#newId = options.newId ?? randomUUID;
    this.#id = this.#newId();
    const { service, clock, peers, topic, onError } = options;
    this.#slots = new Slots({
      slots: topic.partitions,
      service,
      clock,
      peers,
      onError,
      isFresh: () => this.isFresh(1),
      openLog: (slot, signal) => this.#openLog(slot, signal),
      rejoin: () => {
        this.#membership.rejoin();
      },
    });
    this.#membership = this.#createMembership();
  }

  get id(): string {
    return this.#id;
  }

  readonly handler: PeerHandler = {
    call: async (slot, call) => (await this.#slots.slot(slot)?.serve(call)) ?? "moved",
    ask: (slot, generation) => Promise.resolve(this.#slots.ask(slot, generation)),
    given: (slot, generation) => Promise.resolve(this.#slots.given(slot, generation)),
  };

  slotOf(name: string): number {
    return partitionOfKey(Buffer.from(name), this.#options.topic.partitions);
  }

  holds(slot: number): boolean {
    return this.#slots.slot(slot)?.since !== undefined && this.isFresh(1);
  }

  isMember(): boolean {
    return this.isFresh(1);
  }

  call(name: string, call: PeerCall): Promise<PeerAnswer> {
    return this.callSlot(this.slotOf(name), call);
  }

  async callSlot(slot: number, call: PeerCall): Promise<PeerAnswer> {
    const { clock } = this.#options;
    const { signal } = call;
    const search = createSearch(clock, call.waitMs, () => this.isFresh(1));
    for (let attempt = 0; !signal.aborted && search.goesOn(); attempt += 1) {
      const answer = await this.#attempt(slot, limited(call, search.leftMs()), attempt);
      if (answer === "cut off") break;
      if (answer !== "moved") {
        // Not a copy: the body can be a getter of a class, which a spread leaves out.
        if (attempt > 0) answer.isRepeated = true;
        return answer;
      }
      search.noteMoved();
      await pause(clock, AGAIN_MS, signal);
    }
    signal.throwIfAborted();
    throw new GatewayError("HOME_UNAVAILABLE");
  }

  async tryCall(slot: number, call: PeerCall): Promise<PeerAnswer | undefined> {
    const answer = await this.#attempt(slot, call, 0);
    if (answer === "cut off") throw new GatewayError("HOME_UNAVAILABLE");
    return answer === "moved" ? undefined : answer;
  }

  likelyHome(slot: number): string | undefined {
    if (this.#slots.slot(slot)?.since !== undefined) return this.#id;
    return this.#slots.candidates(slot)[0]?.id;
  }

  async start(): Promise<void> {
    const { broker, topic, clock, onError } = this.#options;
    while (!this.#stopped.signal.aborted) {
      try {
        requirePartitions(topic, await broker.ensureTopic(topic));
        this.join();
        return;
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== "BROKER_UNAVAILABLE") throw error;
        onError(error);
        await pause(clock, TOPIC_AGAIN_MS, this.#stopped.signal);
      }
    }
  }

  join(): void {
    if (!this.#stopped.signal.aborted) this.#membership.start();
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    this.#stopped.abort();
    await this.#slots.end();
    await this.#membership.leave();
  }

  /** "moved": try again. */
  async #attempt(slot: number, call: PeerCall, attempt: number): Promise<PeerAnswer | "moved" | "cut off"> {
    const own = this.#slots.slot(slot);
    if (own?.since !== undefined) return own.serve(call);
    const { clock, peers } = this.#options;
    const candidates = this.#slots.candidates(slot);
    const to = candidates[attempt % Math.max(1, candidates.length)];
    if (to === undefined || to.id === this.#id) return "moved";
    const began = clock.now();
    const outcome = await peers.call(to, slot, call).catch((error: unknown) => {
      // This side has given up: the error is the signal's.
      if (call.signal.aborted) return "moved" as const;
      throw error;
    });
    if (outcome === "silent") return "cut off";
    if (outcome === "unsent" && clock.now() - began >= CUT_OFF_MS) return "cut off";
    return typeof outcome === "string" ? "moved" : outcome;
  }

  isFresh(part: number): boolean {
    return this.#membership.silence() < this.#options.sessionTimeout * part;
  }

  #openLog(slot: number, signal: AbortSignal): Log {
    const { broker, clock, topic, createLog } = this.#options;
    return createLog({
      ...{ broker, clock, topic: topic.name, slot, signal },
      processId: this.#id,
      mayFence: () => this.isFresh(0.5),
      confirm: () => this.#confirm(signal),
    });
  }

  /** Sends heartbeats until one is answered, or until other processes may hold the slots of this one. */
  async #confirm(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.isFresh(1)) {
      if (await this.#membership.heartbeat()) return !signal.aborted;
      await pause(this.#options.clock, AGAIN_MS, signal);
    }
    return false;
  }

  #createMembership(): Membership {
    const { broker, clock, monotonic, topic, group, sessionTimeout, address, onError } = this.#options;
    return createMembership({
      groups: broker.groups,
      group,
      clock,
      ...(monotonic === undefined ? undefined : { monotonic }),
      sessionTimeout,
      rebalanceTimeout: Math.max(REBALANCE_MS, 2 * sessionTimeout),
      handlers: {
        protocols: () => {
          this.#slots.joining();
          const member = { id: this.#id, address: address(), ...this.#slots.membership };
          return [{ name: ASSIGNOR, metadata: encodeMember(topic.name, member) }];
        },
        assign: ({ members }) => Promise.resolve(assignMembers(topic.name, topic.partitions, members)),
        onRevoked: () => this.#slots.finish(),
        onAssigned: ({ member, assignment }) => {
          const holders = decodeHolders(assignment);
          if (holders === undefined) return;
          this.#slots.assigned(member.generation, this.#id, holders);
        },
        onEnded: () => {
          this.#id = this.#newId();
          this.#slots.loseAll();
        },
        onError,
      },
    });
  }
}
