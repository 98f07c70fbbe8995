/**
 * The streams that follow a feed. They are written in rounds, one stream after the other, and a round goes on where it
 * stopped. So each stream has its own time in a round, and one write sends it all events since its last turn. With many
 * streams a round is stretched, because a write of twenty events costs little more than a write of one.
 */
import type { Clock } from "../../lib/clock.ts";

interface Advancing {
  advance(): void;
}

export interface FollowersOptions {
  readonly clock: Clock;
  /** May announce. */
  readonly beforeTurn: () => void;
  /** The followers have few bytes to write if these are not more. */
  readonly fewBytes: number;
  /** A clock of fine steps, in milliseconds; tests pass a fake. */
  readonly time?: () => number;
}

/** A round is not stretched above this. Milliseconds. */
const LONGEST_ROUND_MS = 40;
/** A stretched round takes this many times as long as its writes, so that other requests get the rest of the time. */
const STRETCH = 4;
/** Milliseconds between the turns of a round. */
const TURN_MS = 8;
/** Milliseconds for which streams are written in one turn of the event loop. */
const LONGEST_TURN_MS = 5;
/** Share of the newest turn in the average time of a write. */
const NEWEST = 0.1;

export class Followers {
  readonly #options: FollowersOptions;
  readonly #time: () => number;
  readonly #followers = new Set<Advancing>();
  readonly #unseen: Unseen;
  #round = this.#followers.values();
  /** Number of followers that have not advanced since the last announcement. */
  #left = 0;
  #isDue = false;
  #turnAt = -Infinity;
  /** Average milliseconds in which a follower advances. */
  #visitMs = 0;
  #waiting: (() => void)[] = [];

  constructor(options: FollowersOptions) {
    this.#options = options;
    this.#time = options.time ?? (() => performance.now());
    this.#unseen = createUnseen(options.fewBytes);
  }

  /** Returns the function that removes the follower. */
  add(follower: Advancing): () => void {
    this.#followers.add(follower);
    return () => {
      this.#followers.delete(follower);
    };
  }

  /** Calls `beforeTurn` soon. */
  wake(): void {
    if (this.#isDue) return;
    const sinceMs = Math.max(0, this.#options.clock.now() - this.#turnAt);
    this.#begin(Math.floor(Math.min(TURN_MS, this.#roundMs) - sinceMs));
  }

  /** Lets each follower advance once more. `bytes`: what is new. */
  announce(bytes = 0): void {
    this.#left = this.#followers.size;
    this.#unseen.add(bytes);
    this.wake();
  }

  /** Resolves after the next turn if one is due, and when the followers have few bytes to write. */
  async caughtUp(): Promise<void> {
    if (this.#isDue) await this.#nextTurn();
    while (!this.#unseen.areFew()) await this.#nextTurn();
  }

  get #roundMs(): number {
    return Math.min(LONGEST_ROUND_MS, STRETCH * this.#visitMs * this.#followers.size);
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #begin(afterMs: number): void {
    this.#isDue = true;
    const turn = (): void => {
      this.#turn();
    };
    if (afterMs > 0) this.#options.clock.after(afterMs, turn);
    else setImmediate(turn);
  }

  #turn(): void {
    this.#options.beforeTurn();
    this.#isDue = false;
    this.#advanceSome();
    const woken = this.#waiting;
    this.#waiting = [];
    for (const resolve of woken) resolve();
  }

  /** Lets that part of the followers advance that belongs to the time since the last turn. */
  #advanceSome(): void {
    const now = this.#options.clock.now();
    const sinceMs = Math.max(TURN_MS, now - this.#turnAt);
    const { size } = this.#followers;
    this.#turnAt = now;
    this.#left = Math.min(this.#left, size);
    const due = Math.min(this.#left, Math.ceil((size * sinceMs) / this.#roundMs));
    const began = this.#time();
    let visits = 0;
    let took = 0;
    while (visits < due && took < LONGEST_TURN_MS) {
      this.#advanceNext();
      visits += 1;
      took = this.#time() - began;
    }
    if (visits > 0) this.#visitMs += NEWEST * (took / visits - this.#visitMs);
    if (this.#left === 0) this.#unseen.allSeen();
    else if (!this.#isDue) this.#begin(visits < due ? 0 : TURN_MS);
  }

  #advanceNext(): void {
    let { value } = this.#round.next();
    if (value === undefined) {
      this.#unseen.roundEnded();
      this.#round = this.#followers.values();
      ({ value } = this.#round.next());
    }
    this.#left -= 1;
    value?.advance();
  }
}

type Unseen = ReturnType<typeof createUnseen>;

/** Counts the bytes of this round and of the round before. All followers have seen what is older. */
const createUnseen = (fewBytes: number) => {
  let before = 0;
  let now = 0;
  return {
    add: (bytes: number): void => {
      now += bytes;
    },
    roundEnded: (): void => {
      before = now;
      now = 0;
    },
    allSeen: (): void => {
      before = 0;
      now = 0;
    },
    areFew: (): boolean => before + now <= fewBytes,
  };
};
