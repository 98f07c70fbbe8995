/** Reads the event stream of a station (`GET /stations/:name/consume/stream`) across reconnects. */
import { type Clock, pause } from "../lib/clock.ts";
import { retryAfterMs } from "../lib/units.ts";
import { type Client, foreignAnswer, refusal } from "./client.ts";
import { asFailure, CommandFailure, type Shell } from "./shell.ts";
import { readLines, type StreamedEvent, type StreamLine } from "./stream-lines.ts";

export interface StreamReading {
  readonly shell: Pick<Shell, "note">;
  readonly client: Pick<Client, "open">;
  readonly clock: Clock;
  readonly station: string;
  readonly from?: string | undefined;
  readonly filter?: readonly string[] | undefined;
  /** Continue after the event with this id. */
  readonly after?: string | undefined;
  /** Milliseconds to try again while the gateway is unavailable. */
  readonly retryForMs: number;
  /** Ends the reading. */
  readonly signal: AbortSignal;
  /** The stream is open, and the position of each partition is known. Called once. */
  readonly onReady: () => void;
  /** The event counts as received once the promise resolves; then the next one follows. */
  readonly onEvent: (event: StreamedEvent) => Promise<void>;
}

const SHORTEST = 1000;
const LONGEST = 30_000;

/** Milliseconds to wait after this number of failures: a random time from 1 s to 3, 5, 9 … 30 s. */
export const backOffMs = (failures: number): number =>
  SHORTEST + Math.random() * Math.min(LONGEST - SHORTEST, SHORTEST * 2 ** failures);

/** Why a connection ended. */
interface Ending {
  readonly failure: CommandFailure;
  readonly waitMs: number;
}

const unavailable = (reason: string): Ending => ({
  failure: new CommandFailure("unreachable", reason),
  waitMs: 0,
});

const pathOf = ({ station, from, filter = [] }: StreamReading): string => {
  const query = new URLSearchParams({ encoding: "base64" });
  if (from !== undefined) query.set("from", from);
  for (const each of filter) query.append("filter", each);
  return `/stations/${encodeURIComponent(station)}/consume/stream?${query.toString()}`;
};

const openStream = async (
  reading: StreamReading,
  lastId: string | undefined,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | Ending> => {
  const answer = await reading.client.open({
    method: "GET",
    path: pathOf(reading),
    headers: { accept: "application/x-ndjson", ...(lastId !== undefined && { "last-event-id": lastId }) },
    signal,
  });
  const { status, headers, body } = answer;
  if (status === 200 && body && headers.get("content-type")?.includes("ndjson") === true) return body;
  const refused = { status, headers, text: await answer.text() };
  return {
    failure: status < 400 ? foreignAnswer(refused) : refusal(refused),
    waitMs: retryAfterMs(headers.get("retry-after"), Date.now()),
  };
};

/** The wait after a failure, and the end of the attempts. */
const createPatience = ({ shell, clock, signal, retryForMs }: StreamReading) => {
  let failures = 0;
  let giveUpAt: number | undefined;
  let noted = "";
  return {
    succeeded: (): void => {
      failures = 0;
      giveUpAt = undefined;
      noted = "";
    },
    /** Resolves when it is time for the next attempt. Rejects if no attempt can succeed, or the time is over. */
    recover: async ({ failure, waitMs }: Ending): Promise<void> => {
      const wait = waitMs + backOffMs(++failures);
      giveUpAt ??= clock.now() + retryForMs;
      if (failure.exit !== "unreachable" || clock.now() + wait > giveUpAt) throw failure;
      if (failure.message !== noted) shell.note(`${failure.message}; trying again`);
      noted = failure.message;
      await pause(clock, wait, signal);
    },
  };
};

export interface StationStream {
  /** Reads until the signal ends it. Rejects with a refusal, or if the gateway is unavailable for `retryForMs`. */
  readonly run: () => Promise<void>;
  /** Id of the last received event. */
  readonly lastId: () => string | undefined;
}

export const createStationStream = (reading: StreamReading): StationStream => {
  const { shell, signal, onReady, onEvent } = reading;
  const patience = createPatience(reading);
  const isOver = (): boolean => signal.aborted;
  let lastId = reading.after;
  let isReady = false;

  const take = async ({ id, event, gap }: StreamLine): Promise<void> => {
    if (gap) {
      const { partition, from, to } = gap;
      shell.note(`partition ${partition}: the events from offset ${from} to ${BigInt(to) - 1n} are lost`);
    }
    if (event) await onEvent(event);
    lastId = id ?? lastId;
    patience.succeeded();
    if (isReady || id === undefined) return;
    isReady = true;
    onReady();
  };

  const connect = async (connection: AbortController): Promise<Ending> => {
    const opened = await openStream(reading, lastId, AbortSignal.any([signal, connection.signal]));
    if ("failure" in opened) return opened;
    const lines = readLines(opened, () => {
      connection.abort();
    });
    for (;;) {
      const { done, value } = await lines.next();
      if (done) return unavailable(value);
      if (isOver()) return unavailable("interrupted");
      if (value.end) return unavailable(`the gateway ended the stream: ${value.end.reason}`);
      await take(value);
    }
  };

  const attempt = async (): Promise<Ending> => {
    const connection = new AbortController();
    try {
      return await connect(connection);
    } catch (error) {
      const failure = asFailure(error);
      if (failure === undefined) throw error;
      return { failure, waitMs: 0 };
    } finally {
      connection.abort();
    }
  };

  return {
    lastId: () => lastId,
    run: async () => {
      while (!isOver()) {
        const ending = await attempt();
        if (!isOver()) await patience.recover(ending);
      }
    },
  };
};
