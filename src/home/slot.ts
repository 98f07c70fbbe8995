/**
 * One slot in this process: `elsewhere`, or held. While it is held, its log is entered (`fencing`), then the service answers
 * (`serving`), until the slot is lost, or is given up (`giving`).
 */
import { setMaxListeners } from "node:events";
import { asGatewayError, GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import type { HeldLog, LogEnd, SlotService } from "./contract.ts";
import type { PeerAnswer, PeerCall } from "./peers/peers.ts";

export interface SlotOptions<Log extends HeldLog<Content>, Content extends object> {
  readonly slot: number;
  readonly service: SlotService<Log, Content>;
  readonly clock: Clock;
  /** The signal is aborted when this process doesn't hold the slot any more. */
  readonly openLog: (slot: number, signal: AbortSignal) => Log;
  /** True while no other process can hold a slot that this process holds. */
  readonly isFresh: () => boolean;
  /** The slot was lost: this process can't append to it, or no heartbeat confirms that it holds the slot. */
  readonly onUnusable: (slot: number, reason: LogEnd) => void;
  readonly onError: (error: GatewayError) => void;
}

/** The time in which this process holds the slot. */
interface Tenure {
  readonly since: number;
  readonly lost: AbortController;
  phase: "fencing" | "serving" | "giving";
  /** How often the log was entered. */
  entries: number;
  /** The service has the slot open. */
  isOpen: boolean;
  /** The slot is not given up after all. */
  isKept: boolean;
  /** Calls that wait for the end of `fencing`. */
  readonly waiting: Set<() => void>;
  /** Ends of the calls that the service works on, called when the slot is lost. A listener of `lost` would take 3 µs of each call. */
  readonly served: Set<() => void>;
}

const AGAIN_MS = 1000;
/** A call waits for this time until the log is entered. Then its process looks again which process holds the slot. */
export const ENTER_MS = 2000;

export class Slot<Log extends HeldLog<Content>, Content extends object> {
  readonly #options: SlotOptions<Log, Content>;
  #tenure: Tenure | undefined;
  /** The service has prepared names of the slot. */
  #isPrepared = false;
  /** The service gets one call at a time. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: SlotOptions<Log, Content>) {
    this.#options = options;
  }

  /** The generation in which this process got the slot; undefined: it doesn't hold the slot. */
  get since(): number | undefined {
    return this.#tenure?.since;
  }

  get phase(): "elsewhere" | "fencing" | "serving" | "giving" {
    return this.#tenure?.phase ?? "elsewhere";
  }

  hold(since: number): void {
    if (this.#tenure !== undefined) return;
    const tenure: Tenure = {
      since,
      lost: new AbortController(),
      phase: "fencing",
      entries: 0,
      isOpen: false,
      isKept: false,
      waiting: new Set(),
      served: new Set(),
    };
    // Every read of the slot may listen.
    setMaxListeners(0, tenure.lost.signal);
    this.#tenure = tenure;
    void this.#run(tenure);
  }

  /** Another process may hold the slot from now on. Unanswered calls get "moved". */
  lose(): void {
    if (this.#tenure === undefined) return;
    const { slot, service } = this.#options;
    const tenure = this.#end(this.#tenure);
    this.#inTurn(async () => {
      if (tenure.isOpen) await service.close(slot, "lost");
      else await this.#abandonNow();
    }).catch(nothing);
  }

  /** Resolves when the service has prepared the names. */
  async prepare(names: readonly string[]): Promise<void> {
    await this.#inTurn(async () => {
      this.#isPrepared = true;
      await this.#options.service.prepare(this.#options.slot, names);
    });
  }

  /** The slot doesn't come to this process. */
  abandon(): void {
    this.#inTurn(async () => {
      if (this.#tenure === undefined) await this.#abandonNow();
    }).catch(nothing);
  }

  /** Gives the slot up. Resolves to false if it was lost or kept meanwhile. */
  async give(): Promise<boolean> {
    const tenure = this.#tenure;
    if (tenure === undefined) return false;
    const { slot, service } = this.#options;
    tenure.phase = "giving";
    this.#wake(tenure);
    await this.#inTurn(async () => {
      if (tenure.lost.signal.aborted) return;
      if (tenure.isOpen) await service.close(slot, "handed-over");
      else await this.#abandonNow();
      tenure.isOpen = false;
    }).catch(nothing);
    if (tenure.lost.signal.aborted) return false;
    this.#end(tenure);
    if (tenure.isKept) this.hold(tenure.since);
    return !tenure.isKept;
  }

  /** If the slot is being given up, it is kept instead, and is served again when the service has closed it. */
  keep(): void {
    if (this.#tenure?.phase === "giving") this.#tenure.isKept = true;
  }

  async serve(call: PeerCall): Promise<PeerAnswer | "moved"> {
    const tenure = this.#tenure;
    const { slot, service, isFresh } = this.#options;
    if (tenure === undefined) return "moved";
    if (tenure.phase === "fencing") await this.#untilEntered(tenure, call.signal);
    if (tenure.phase !== "serving" || tenure.lost.signal.aborted || !isFresh()) return "moved";
    try {
      const serving = service.serve(slot, call);
      const answer = await untilLost(serving, tenure);
      if (answer !== undefined && isFresh()) return answer;
      void serving.then(
        ({ ended }) => {
          ended(false);
        },
        () => undefined,
      );
      return "moved";
    } catch (error) {
      if (error instanceof GatewayError && error.code === "SLOT_MOVED") return "moved";
      throw error;
    }
  }

  async #run(tenure: Tenure): Promise<void> {
    const { slot, clock, openLog, onUnusable, onError } = this.#options;
    const { signal } = tenure.lost;
    const log = openLog(slot, signal);
    while (!signal.aborted) {
      try {
        const content = await log.enter();
        if (typeof content === "string") {
          if (this.#tenure === tenure) onUnusable(slot, content);
          return;
        }
        tenure.entries += 1;
        this.#open(tenure, log, content);
        await log.stale();
      } catch (error) {
        onError(asGatewayError(error));
        await pause(clock, AGAIN_MS, signal);
      }
      if (tenure.phase === "serving") tenure.phase = "fencing";
    }
  }

  /** Nothing waits for it: the service may put records while it opens or closes the slot, and the log may need to be entered. */
  #open(tenure: Tenure, log: Log, content: Content): void {
    const { slot, service, clock } = this.#options;
    const { lost, entries } = tenure;
    this.#inTurn(async () => {
      if (lost.signal.aborted || tenure.phase === "giving" || tenure.entries !== entries) return;
      tenure.isOpen = true;
      this.#isPrepared = false;
      await service.open(slot, log, content);
      if (tenure.phase !== "fencing" || tenure.entries !== entries) return;
      tenure.phase = "serving";
      this.#wake(tenure);
    }).catch(async () => {
      await pause(clock, AGAIN_MS, lost.signal);
      log.invalidate();
    });
  }

  #end(tenure: Tenure): Tenure {
    this.#tenure = undefined;
    tenure.lost.abort();
    for (const isLost of tenure.served) isLost();
    this.#wake(tenure);
    return tenure;
  }

  #wake({ waiting }: Tenure): void {
    for (const wake of waiting) wake();
  }

  #untilEntered(tenure: Tenure, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ENTER_MS, () => {
        wake();
      });
      const wake = (): void => {
        cancel();
        tenure.waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      tenure.waiting.add(wake);
      if (signal.aborted) wake();
      else signal.addEventListener("abort", wake);
    });
  }

  async #abandonNow(): Promise<void> {
    if (!this.#isPrepared) return;
    this.#isPrepared = false;
    await this.#options.service.abandon(this.#options.slot);
  }

  /** A rejection of the service reaches the caller and `onError`, and doesn't stop later calls. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch((error: unknown) => {
      this.#options.onError(asGatewayError(error));
    });
    return done;
  }
}

/** The error was passed to `onError`. */
const nothing = (): void => undefined;

/** undefined: the slot was lost first. */
const untilLost = <T>(work: Promise<T>, { lost, served }: Tenure): Promise<T | undefined> =>
  new Promise((resolve, reject) => {
    const isLost = (): void => {
      resolve(undefined);
    };
    if (lost.signal.aborted) isLost();
    else served.add(isLost);
    const end = (): void => {
      served.delete(isLost);
    };
    work.then(end, end);
    work.then(resolve, reject);
  });
