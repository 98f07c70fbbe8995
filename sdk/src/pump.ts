/** Sends the queued events until the queue is empty, each batch in the turn of this tab. */
import type { Entry } from "./entry.ts";
import { later } from "./guard.ts";
import type { Parting } from "./parting.ts";
import type { Reaction } from "./reaction.ts";
import type { Session } from "./session.ts";
import { envelope, post } from "./transport.ts";
import { createTurns } from "./turns.ts";
import type { Writer } from "./writer.ts";

export interface Pump {
  /** Sends until the queue is empty. If it runs already, it runs once more afterwards. */
  readonly wake: () => void;
  /** Sends until the queue is empty or an attempt fails. */
  readonly finish: () => Promise<void>;
}

export interface PumpParts {
  readonly reaction: Reaction;
  readonly writer: Writer;
  readonly parting: Parting;
}

/** Maximum duration of a turn beside its request, in milliseconds. */
const TURN = 15_000;

/** Milliseconds until a pending event that is not in the queue is queued again, and until events that are set aside are tried again. */
const MISSED = 5000;
const ASIDE = 120_000;

/** Sends the oldest batch; false: the queue is empty. Slow work comes before the turn, so that other tabs don't wait for it. */
const createStep = (
  { name, options, url, queue, credentials }: Session,
  { reaction, writer, parting }: PumpParts,
): (() => Promise<boolean>) => {
  const { maxBatchBytes = 262_144, timeout = 30_000 } = options;
  const inTurn = createTurns(name, timeout + TURN);

  const sendBatch = async (): Promise<boolean> => {
    const credential = credentials.known();
    const entries = await queue.first(reaction.most(), maxBatchBytes);
    if (entries.length === 0) return false;
    // The gateway has just refused it. The next step gets a new one.
    if (!credential) return true;
    const body = envelope(entries, credential);
    await reaction.react(entries, await post(url, { body, count: entries.length }, timeout));
    return true;
  };

  return async () => {
    await parting.settled();
    await writer.written();
    if (!credentials.known()) {
      if ((await queue.first(1, 0)).length === 0) return false;
      await credentials.get();
    }
    return inTurn(sendBatch);
  };
};

export const createPump = (session: Session, parts: PumpParts): Pump => {
  const { queue, pace, register } = session;
  const step = createStep(session, parts);
  let running: Promise<void> | undefined;
  let isWoken = false;
  let isClosed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * The queue is empty, but events are pending. Usually another tab has sent them and will announce the outcomes. If none
   * comes, the user or the browser has cleared the queue, and the events are queued again.
   */
  const rest = (awaited: readonly Entry[]): void => {
    const { aside } = queue;
    const missed = awaited.filter(({ id }) => !aside.has(id));
    const isSoon = missed.length > 0;
    if (!isSoon && aside.size === 0) return;
    clearTimeout(timer);
    timer = later(
      () => {
        parts.writer.add(...missed.filter(({ id }) => register.isPending(id)));
        if (!isSoon) aside.clear();
        wake();
      },
      isSoon ? MISSED : ASIDE,
    );
  };

  const isMore = async (): Promise<boolean> => {
    const awaited = register.pending();
    try {
      if (await step()) return true;
      rest(awaited);
    } catch (error) {
      parts.reaction.failed({ status: 0, error: String(error) });
      return true;
    }
    const wasWoken = isWoken;
    isWoken = false;
    return wasWoken;
  };

  const run = async (): Promise<void> => {
    do {
      if (!isClosed) await pace.wait();
    } while (!(isClosed && pace.isHeld()) && (await isMore()));
  };

  const wake = (): void => {
    isWoken = running !== undefined;
    running ??= run().finally(() => {
      running = undefined;
    });
  };

  return {
    wake,
    finish: async () => {
      isClosed = true;
      pace.stopWaiting();
      await running;
      await run();
      clearTimeout(timer);
    },
  };
};
