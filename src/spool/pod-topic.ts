/**
 * The state of one topic in the main process. A pure state machine: it has no clock and no promises, and acts only through
 * `PodEffects`. Messages to one process must arrive in the order in which they were sent.
 */
import type { FromDrainer, FromPod, ToDrainer, ToPod } from "./messages.ts";

export type WorkerId = number;

export interface PodEffects {
  readonly tell: (worker: WorkerId, message: FromPod) => void;
  readonly tellDrainer: (message: ToDrainer) => void;
  /** The workers that have started and have not ended. */
  readonly workers: () => readonly WorkerId[];
}

/** As in the specification; `spooling` is also the state `draining`, which only the drainer distinguishes. */
export type PodState = "direct" | "switching" | "spooling" | "returning";

export class PodTopic {
  readonly #effects: PodEffects;
  #state: PodState = "direct";
  #round = 0;
  /** The workers whose confirmation of this round is missing. */
  #missing = new Set<WorkerId>();

  constructor(effects: PodEffects) {
    this.#effects = effects;
  }

  get state(): PodState {
    return this.#state;
  }

  onMessage(worker: WorkerId, message: ToPod): void {
    if (message.type === "first") this.#toSpool();
    else if (message.round !== this.#round) return;
    else if ((message.type === "spools") === (this.#state === "switching")) this.#confirmed(worker);
  }

  onDrainer(message: FromDrainer): void {
    if (message.type === "found") this.#toSpool();
    else if (message.type === "rest") {
      if (this.#state === "spooling") this.#begin("returning", "hold");
    } else if (this.#state === "returning" && message.round === this.#round) {
      this.#state = "direct";
      this.#effects.tellDrainer({ type: "rest" });
      this.#tellAll("direct");
    }
  }

  /** Call it before the worker takes its first event: so its confirmation is not needed. */
  onWorkerStarted(worker: WorkerId): void {
    const { tell } = this.#effects;
    const round = this.#round;
    if (this.#state === "direct") return;
    if (this.#state === "returning") tell(worker, { type: "hold", round });
    else tell(worker, { type: "spool", round });
    if (this.#state === "spooling") tell(worker, { type: "answer", round });
  }

  /** The end counts as the worker's confirmation: it writes no event any more. */
  onWorkerEnded(worker: WorkerId): void {
    this.#confirmed(worker);
  }

  /** Another process drains from now on. */
  onNewDrainer(): void {
    if (this.#state === "direct") return;
    this.#effects.tellDrainer({ type: "drain" });
    if (this.#state === "returning" && this.#missing.size === 0) this.#finish();
  }

  #toSpool(): void {
    if (this.#state === "switching" || this.#state === "spooling") return;
    this.#effects.tellDrainer({ type: "drain" });
    this.#begin("switching", "spool");
  }

  #begin(state: "switching" | "returning", type: "spool" | "hold"): void {
    this.#state = state;
    const round = ++this.#round;
    this.#missing = new Set(this.#effects.workers());
    for (const worker of this.#missing) this.#effects.tell(worker, { type, round });
    this.#continueIfConfirmed();
  }

  #confirmed(worker: WorkerId): void {
    if (this.#missing.delete(worker)) this.#continueIfConfirmed();
  }

  #continueIfConfirmed(): void {
    if (this.#missing.size > 0) return;
    if (this.#state === "switching") {
      this.#state = "spooling";
      this.#tellAll("answer");
    } else if (this.#state === "returning") this.#finish();
  }

  #finish(): void {
    this.#effects.tellDrainer({ type: "finish", round: this.#round });
  }

  #tellAll(type: "answer" | "direct"): void {
    for (const worker of this.#effects.workers()) this.#effects.tell(worker, { type, round: this.#round });
  }
}
