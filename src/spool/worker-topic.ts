/**
 * The state of one topic in a worker. A pure state machine: it has no clock and no promises, and acts only through
 * `WorkerEffects`. A call is one call of `append` with its events of a spooled kind.
 */
import type { FromPod, ToPod } from "./messages.ts";

export interface WorkerEffects<Call> {
  /** Appends the call to Kafka. Later calls of the topic follow it. */
  readonly send: (call: Call) => void;
  /**
   * Writes to the folder all events of these calls that have no final outcome, in this order, behind earlier ones. Events that are
   * in flight to Kafka are written as open; those that are not in flight are not sent any more.
   */
  readonly write: (calls: readonly Call[]) => void;
  /** Answers the call: its events are in the spool, or Kafka has stored or refused them. */
  readonly answer: (call: Call) => void;
  readonly tell: (message: ToPod) => void;
  /** The folder's last segment of the topic gets no further event. */
  readonly seal: () => void;
  /** Calls `onHeldLong` after the longest time for which events are held. */
  readonly startHoldTimer: () => void;
}

export type WorkerState = "direct" | "spool" | "hold";

export class WorkerTopic<Call> {
  readonly #effects: WorkerEffects<Call>;
  #state: WorkerState = "direct";
  /** Round of the last `spool` or `hold`. */
  #round = 0;
  /** True: all workers spool the topic, so a spooled call can be answered. */
  #mayAnswer = false;
  /** True: `holds` for this round was sent. */
  #hasConfirmed = false;
  readonly #sent = new Set<Call>();
  #writing = 0;
  #unanswered: Call[] = [];
  #held: Call[] = [];

  constructor(effects: WorkerEffects<Call>) {
    this.#effects = effects;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** The worker has no call of the topic, and sends new ones to Kafka. */
  get isIdle(): boolean {
    const calls = this.#sent.size + this.#writing + this.#unanswered.length;
    return this.#state === "direct" && calls === 0;
  }

  onCall(call: Call): void {
    if (this.#state === "spool") this.#write([call]);
    else if (this.#state === "hold") this.#held.push(call);
    else this.#send(call);
  }

  /** All events of a sent call have final outcomes, so nothing of it needs the spool. */
  onSent(call: Call): void {
    this.#sent.delete(call);
  }

  /** Kafka did not take an event of a sent call, or the call has waited for too long. */
  onTrouble(): void {
    if (this.#state === "direct") this.#begin();
  }

  /** The call's events are in the folder, or could not be written: the caller answers a failed call itself. */
  onWritten(call: Call, isStored: boolean): void {
    this.#writing--;
    if (isStored && this.#mayAnswer) this.#effects.answer(call);
    else if (isStored) this.#unanswered.push(call);
    this.#confirmHold();
  }

  onHeldLong(): void {
    if (this.#state === "hold") this.#begin();
  }

  onMessage(message: FromPod): void {
    if (message.type === "spool") this.#onSpool(message.round);
    else if (message.type === "hold") this.#onHold(message.round);
    else if (message.round !== this.#round) return;
    else if (message.type === "answer" && this.#state === "spool") this.#answerAll();
    else if (message.type === "direct" && this.#state === "hold") this.#onDirect();
  }

  #onSpool(round: number): void {
    this.#round = round;
    if (this.#state !== "spool") this.#toSpool();
    this.#effects.tell({ type: "spools", round });
  }

  #onHold(round: number): void {
    this.#round = round;
    this.#state = "hold";
    this.#hasConfirmed = false;
    this.#effects.startHoldTimer();
    this.#confirmHold();
  }

  #onDirect(): void {
    this.#state = "direct";
    const calls = this.#held;
    this.#held = [];
    for (const call of calls) this.#send(call);
  }

  #answerAll(): void {
    this.#mayAnswer = true;
    const calls = this.#unanswered;
    this.#unanswered = [];
    for (const call of calls) this.#effects.answer(call);
  }

  #confirmHold(): void {
    if (this.#state !== "hold" || this.#hasConfirmed || this.#writing > 0) return;
    this.#hasConfirmed = true;
    this.#effects.seal();
    this.#effects.tell({ type: "holds", round: this.#round });
  }

  #begin(): void {
    this.#effects.tell({ type: "first" });
    this.#toSpool();
  }

  #toSpool(): void {
    this.#state = "spool";
    this.#mayAnswer = false;
    const calls = [...this.#sent, ...this.#held];
    this.#sent.clear();
    this.#held = [];
    this.#write(calls);
  }

  #send(call: Call): void {
    this.#sent.add(call);
    this.#effects.send(call);
  }

  #write(calls: readonly Call[]): void {
    if (calls.length === 0) return;
    this.#writing += calls.length;
    this.#effects.write(calls);
  }
}
