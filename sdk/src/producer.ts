/** The producer: it connects the queue, the pump and the page. */
import { createCredentials } from "./credentials.ts";
import type { Entry } from "./entry.ts";
import { createGathering } from "./gathering.ts";
import { tried } from "./guard.ts";
import { createPace } from "./pace.ts";
import { isHidden, watchPage } from "./page.ts";
import { createParting } from "./parting.ts";
import { createPump } from "./pump.ts";
import { openQueue } from "./queue.ts";
import { createReaction } from "./reaction.ts";
import { createRegister } from "./register.ts";
import type { Session } from "./session.ts";
import type { Outcome, Producer, ProducerOptions } from "./types.ts";
import { uuidv7 } from "./uuid.ts";
import { createWriter, type Writer } from "./writer.ts";

const openSession = (options: ProducerOptions, maxQueued: number): Session => {
  const base = options.url.replace(/\/+$/, "");
  const url = `${base}/stations/${encodeURIComponent(options.station)}/produce/beacon`;
  const name = `stationgate ${url}`;
  const pace = createPace(options);
  const register = createRegister(name, options.onRefused, pace.hold);
  return {
    options,
    url,
    name,
    pace,
    register,
    queue: openQueue(name, maxQueued, register),
    credentials: createCredentials(options),
  };
};

/** Bytes that an event takes in the envelope beside its JSON: the id and the field names. */
const ENTRY_OVERHEAD = 60;

const entryOf = (id: string, event: unknown): Entry | undefined =>
  tried(() => {
    const json = JSON.stringify(event);
    return json.startsWith("{")
      ? { id, json, bytes: new TextEncoder().encode(json).length + ENTRY_OVERHEAD }
      : undefined;
  });

const FULL = "too many events wait";

/**
 * A producer for one station. All tabs of an origin that send to the same station share its queue and take turns: one
 * request is in flight at a time, and events arrive in the order of their `send`.
 */
export const createProducer = <Event extends object = Record<string, unknown>>(
  options: ProducerOptions,
): Producer<Event> => {
  const { maxQueued = 10_000 } = options;
  const session = openSession(options, maxQueued);
  const { register, queue, credentials, pace } = session;
  const writer: Writer = createWriter(session, (entries) => {
    register.settle(
      entries.map(({ id }) => ({ status: "refused", id, error: FULL })),
      [],
    );
  });
  const reaction = createReaction(session, writer.tidy);
  const parting = createParting(session, reaction);
  const pump = createPump(session, { reaction, writer, parting });
  const leave = (): void => {
    parting.leave(writer.rescue());
  };
  const unwatch = watchPage(leave, pace.retryNow);
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
      if (register.size() >= maxQueued) return refuse(FULL);
      const outcome = register.expect(entry);
      writer.add(entry);
      // Gets the credential early, because a page that goes away can't wait for it.
      if (register.size() === 1) credentials.get().catch(() => undefined);
      gathering.add(entry.bytes);
      if (isHidden()) queueMicrotask(leave);
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
      await writer.written();
      // Tries to store the events in memory once more.
      await queue.add([]);
      const lost = queue.unkept().flatMap(({ id }) => (register.isPending(id) ? id : []));
      register.close(lost);
      await queue.remove(lost);
      writer.rescue();
      queue.close();
    },
  };
};
