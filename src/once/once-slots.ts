/** The service of the slots of `once.topic` that this process holds: calls for an id's home. */
import { randomBytes } from "node:crypto";
import { recordBytes } from "../broker/record-bytes.ts";
import { GatewayError } from "../errors.ts";
import type { SlotService } from "../home/contract.ts";
import type { PeerAnswer, PeerCall } from "../home/peers/peers.ts";
import type { SlotLogOptions } from "../home/slot-log.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { decodeCall, encodeAnswer, type OnceCall, type SlotAnswer, type SlotCall } from "./call-codec.ts";
import { type EnteredSlot, OnceLog } from "./once-log.ts";
import type { CoreCall } from "./slot-core/port.ts";
import { SlotCore } from "./slot-core/slot-core.ts";
import { SlotRunner, type SlotRunnerOptions } from "./slot-runner.ts";
import type { TopicViews } from "./topic-views.ts";
import { createTurn } from "./turn.ts";

export interface OnceSlotsOptions extends Pick<
  SlotRunnerOptions,
  "broker" | "clock" | "requestTimeoutMs" | "onError" | "onResolved"
> {
  readonly topics: TopicViews;
  /** Ids that a slot remembers. */
  readonly share: number;
  readonly longestWindow: () => number;
  readonly deliveryTimeout: number;
  /** A group takes events of a partition until they have this number of bytes. */
  readonly batchBytes: number;
  /** Holds the bodies of the calls. */
  readonly memory: MemoryBudget;
}

interface Held {
  readonly core: SlotCore;
  readonly runner: SlotRunner;
  /** Resolves when the slot can be given up. */
  readonly drained: Promise<void>;
}

interface Waiting {
  readonly bytes: number;
  readonly answer: (answer: SlotAnswer) => void;
}

export class OnceSlots implements SlotService<OnceLog, EnteredSlot> {
  readonly #options: OnceSlotsOptions;
  readonly #process = randomBytes(8).toString("hex");
  readonly #held = new Map<number, Held>();
  readonly #created = new WeakMap<SlotCore, Held>();
  readonly #calls = new Map<CoreCall, Waiting>();
  readonly #turn = createTurn();
  /** `mayArriveUntil` of the newest core of each slot. */
  readonly #resolveFrom = new Map<number, number>();
  #tenures = 0;

  constructor(options: OnceSlotsOptions) {
    this.#options = options;
  }

  readonly createLog = (options: SlotLogOptions): OnceLog => {
    const { broker, share, longestWindow, requestTimeoutMs } = this.#options;
    const log: OnceLog = new OnceLog({
      ...options,
      broker,
      share,
      longestWindow,
      requestTimeoutMs,
      writer: () => ({ process: this.#process, tenure: (this.#tenures += 1) }),
      createCore: (writer) => this.#createCore(options, log, writer),
    });
    return log;
  };

  /** The number of open ids, and the shortest time in milliseconds for which a slot remembers ids. */
  status(): { readonly openIds: number; readonly windowMs: number } {
    const { clock, longestWindow } = this.#options;
    let openIds = 0;
    let windowMs = longestWindow();
    for (const { core } of this.#held.values()) {
      openIds += core.openIds;
      windowMs = Math.min(windowMs, core.ids.effectiveWindow(clock.now()) ?? Infinity);
    }
    return { openIds, windowMs };
  }

  names(): readonly string[] {
    return [];
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  abandon(): Promise<void> {
    return Promise.resolve();
  }

  open(slot: number, _log: OnceLog, { core, end, timestamp }: EnteredSlot): Promise<void> {
    this.#end(slot);
    const held = this.#created.get(core);
    if (held === undefined) throw new TypeError("the slot was not entered by this service");
    this.#held.set(slot, held);
    core.start(end, timestamp);
    return Promise.resolve();
  }

  /** A call for the slot can have events of other slots too. Those that this process does not hold are `moved`. */
  async serve(slot: number, call: PeerCall): Promise<PeerAnswer> {
    const { memory, clock, topics } = this.#options;
    const { topic, request, slots } = (call.message as OnceCall | undefined) ?? decodeCall(call.body, slot);
    const until = clock.monotonic() + call.waitMs;
    const view = await topics.view(topic);
    if (!this.#held.has(slot)) throw new GatewayError("SLOT_MOVED");
    const sizes = slots.map(({ events }) => events.reduce((sum, { record }) => sum + recordBytes(record), 0));
    if (!memory.tryTake(sizes.reduce((sum, bytes) => sum + bytes, 0))) throw new GatewayError("OVERLOADED");
    return new Promise((resolve, reject) => {
      const answers = new Array<SlotAnswer>(slots.length);
      let open = slots.length;
      const answered = (place: number, answer: SlotAnswer): void => {
        answers[place] = answer;
        open -= 1;
        if (open > 0) return;
        if (answers.length === 1 && answer === "moved") reject(new GatewayError("SLOT_MOVED"));
        else resolve(answerOf(answers));
      };
      const offer = ({ slot: of, events }: SlotCall, place: number): void => {
        const bytes = sizes[place] ?? 0;
        const held = this.#held.get(of);
        if (held === undefined) {
          memory.give(bytes);
          answered(place, "moved");
          return;
        }
        const coreCall: CoreCall = { topic: view, request, until, events };
        this.#calls.set(coreCall, {
          bytes,
          answer: (answer) => {
            answered(place, answer);
          },
        });
        held.core.offer(coreCall);
      };
      this.#turn.input(() => {
        slots.forEach(offer);
      });
    });
  }

  async close(slot: number, reason: "handed-over" | "lost"): Promise<void> {
    const held = this.#held.get(slot);
    if (reason === "handed-over" && held !== undefined) {
      held.core.drain();
      await held.drained;
    }
    this.#end(slot);
  }

  #end(slot: number): void {
    const held = this.#held.get(slot);
    if (held === undefined) return;
    this.#held.delete(slot);
    this.#resolveFrom.set(slot, held.core.mayArriveUntil);
    held.core.close();
    held.runner.end();
  }

  #createCore(options: SlotLogOptions, log: OnceLog, writer: { process: string; tenure: number }): SlotCore {
    const { broker, clock, share, deliveryTimeout, batchBytes, requestTimeoutMs, onError, onResolved } =
      this.#options;
    let onDrained = (): void => undefined;
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve;
      // A lost slot has nothing to wait for.
      options.signal.addEventListener("abort", () => {
        resolve();
      });
    });
    const runner: SlotRunner = new SlotRunner(
      {
        ...{ broker, clock, log, requestTimeoutMs, onError, onDrained, onResolved },
        turn: this.#turn,
        signal: options.signal,
        isFresh: () => !options.signal.aborted && options.mayFence(),
        onAnswer: this.#answered,
        onRelease: this.#released,
        onFenced: () => {
          onDrained();
          this.#end(options.slot);
          log.invalidate();
        },
      },
      () => core,
    );
    const resolveFrom = this.#resolveFrom.get(options.slot) ?? -Infinity;
    const core: SlotCore = new SlotCore({ writer, share, deliveryTimeout, batchBytes, resolveFrom }, runner);
    this.#created.set(core, { core, runner, drained });
    return core;
  }

  readonly #answered = (call: CoreCall, answer: SlotAnswer): void => {
    this.#calls.get(call)?.answer(answer);
  };

  readonly #released = (call: CoreCall): void => {
    this.#options.memory.give(this.#calls.get(call)?.bytes ?? 0);
    this.#calls.delete(call);
  };
}

const answerOf = (answers: readonly SlotAnswer[]): PeerAnswer => new AnswerOfSlots(answers);

const NO_HEADERS = {};

/** A class, because an object literal with a getter keeps the answers in memory until the next major collection (docs/performance.md). */
class AnswerOfSlots implements PeerAnswer {
  readonly status = 200;
  readonly headers = NO_HEADERS;
  readonly reportsEnd = false;
  readonly message: readonly SlotAnswer[];

  constructor(answers: readonly SlotAnswer[]) {
    this.message = answers;
  }

  get body(): Buffer {
    return encodeAnswer(this.message);
  }

  readonly ended = (): void => undefined;
}
