import { createCredentials } from "./credentials.ts";
import { createPace } from "./pace.ts";
import { createParting } from "./parting.ts";
import type { Entry } from "./entry.ts";
import { openQueue } from "./queue.ts";
import { createRegister } from "./register.ts";
import { createSender } from "./sender.ts";
import type { Session } from "./session.ts";
import type { Outcome, Producer, ProducerOptions } from "./types.ts";
import { uuidv7 } from "./uuid.ts";
import { createWriter } from "./writer.ts";

const openSession = (options: ProducerOptions): Session => {
  const base = options.url.replace(/\/+$/, "");
  const url = `${base}/stations/${encodeURIComponent(options.station)}/produce/beacon`;
  const name = `stationgate ${url}`;
  const pace = createPace(options);
  const register = createRegister(name, options.onRefused, pace.holdUntil);
  return {
    options,
    url,
    name,
    pace,
    register,
    queue: openQueue(name),
    credentials: createCredentials(options),
  };
};

interface Pump {
  /** Sends until the queue is empty. Does nothing but remember it while it runs. */
  readonly wake: () => void;
  /** One last try, which ends with the first failure. */
  readonly finish: () => Promise<void>;
}

const createPump = ({ name, pace }: Session, sendBatch: () => Promise<boolean>): Pump => {
  let running: Promise<void> | undefined;
  let isWoken = false;
  let isClosed = false;

  const inTurn = (): Promise<boolean> =>
    // Absent where the page isn't served securely: then two tabs may send the same event, with the same id.
    "locks" in navigator ? navigator.locks.request(name, sendBatch) : sendBatch();

  const wasWoken = (): boolean => {
    const was = isWoken;
    isWoken = false;
    return was;
  };

  const run = async (): Promise<void> => {
    do {
      if (!isClosed) await pace.wait();
    } while (!(isClosed && pace.isHeld()) && ((await inTurn()) || wasWoken()));
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
    },
  };
};

/** Events wait for others until they are enough for a batch, or have waited long enough. */
const createGathering = (
  { maxBatchEvents = 100, maxBatchBytes = 262_144, linger = 1000 }: ProducerOptions,
  onFull: () => void,
) => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let events = 0;
  let bytes = 0;

  const end = (): void => {
    clearTimeout(timer);
    timer = undefined;
    events = bytes = 0;
  };
  const go = (): void => {
    end();
    onFull();
  };
  return {
    end,
    add: (size: number): void => {
      bytes += size;
      if (++events >= maxBatchEvents || bytes >= maxBatchBytes) go();
      else timer ??= setTimeout(go, linger);
    },
  };
};

const encoder = new TextEncoder();

/** What an id and its surroundings add to an event in the envelope. */
const ENTRY_OVERHEAD = 60;

const entryOf = (id: string, event: unknown): Entry | undefined => {
  try {
    const json = JSON.stringify(event);
    return json.startsWith("{")
      ? { id, json, bytes: encoder.encode(json).length + ENTRY_OVERHEAD }
      : undefined;
  } catch {
    return undefined;
  }
};

/** Calls on the page's events; the function it returns calls them off. `unload` isn't among them: it often never comes. */
const watchPage = (onLeave: () => void, onOnline: () => void): (() => void) => {
  const onHidden = (): void => {
    if (document.visibilityState === "hidden") onLeave();
  };
  addEventListener("pagehide", onLeave);
  addEventListener("online", onOnline);
  document.addEventListener("visibilitychange", onHidden);
  return () => {
    removeEventListener("pagehide", onLeave);
    removeEventListener("online", onOnline);
    document.removeEventListener("visibilitychange", onHidden);
  };
};

/**
 * A producer for one station. All tabs of an origin that send to the same station share its queue and take turns: one
 * request is under way at a time, and events arrive in the order of their `send`.
 */
export const createProducer = <Event extends object = Record<string, unknown>>(
  options: ProducerOptions,
): Producer<Event> => {
  const { maxQueued = 10_000 } = options;
  const session = openSession(options);
  const { register, queue, credentials } = session;
  const sender = createSender(session);
  const parting = createParting(session, sender);
  const writer = createWriter(session);
  const pump = createPump(session, async () => {
    await parting.settled();
    await writer.written();
    return sender.sendBatch();
  });
  const leave = (): void => {
    parting.leave();
    writer.rescue();
  };
  const unwatch = watchPage(leave, session.pace.retryNow);
  const gathering = createGathering(options, pump.wake);
  let isClosed = false;
  pump.wake();

  return {
    send: (event) => {
      const id = uuidv7();
      const entry = entryOf(id, event);
      const refuse = (error: string): Promise<Outcome> => Promise.resolve({ status: "refused", id, error });
      if (isClosed) return refuse("the producer is closed");
      if (!entry) return refuse("an event is an object that JSON can hold");
      if (register.size() >= maxQueued) return refuse("too many events wait");
      const outcome = register.expect(entry);
      writer.add(entry);
      // Before it is needed, so that a page that soon goes away has one.
      if (register.size() === 1) credentials.get().catch(() => undefined);
      gathering.add(entry.bytes);
      if (document.visibilityState === "hidden") queueMicrotask(leave);
      return outcome;
    },
    flush: async () => {
      gathering.end();
      pump.wake();
      await Promise.all(register.outcomes());
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      unwatch();
      gathering.end();
      await pump.finish();
      register.close(queue.isLasting());
      queue.close();
    },
  };
};
