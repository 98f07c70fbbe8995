/** What a subscription keeps from one connection to the next: the token, the position, and the number of failures. */
import { type Line, openStream, type Refusal } from "./event-stream.ts";
import { within } from "./guard.ts";
import type { StationEvent, SubscribeOptions } from "./subscribe-types.ts";

const TOKEN_TIMEOUT = 15_000;

/** Why a connection ended. */
export interface Ending extends Partial<Refusal> {
  readonly reason: string;
  /** Number of failed attempts since the last success. */
  readonly failures: number;
  /** Connect again without a wait. */
  readonly isBrief: boolean;
}

export interface Reception {
  readonly lastEventId: () => string | undefined;
  /** Hands the events of one connection to the callbacks. Never rejects; the abort ends it. */
  readonly connect: (signal: AbortSignal) => Promise<Ending>;
}

export const createReception = <Value>(options: SubscribeOptions<Value>, onOpen: () => void): Reception => {
  const { onEvent, onGap, getToken } = options;
  const url = urlOf(options);
  let { lastEventId } = options;
  let token: string | undefined;
  let isRefused = false;
  let failures = 0;

  /** Resolves after the callback has taken the line; with the reason, if the line ends the stream. */
  const take = async (line: Line): Promise<string | undefined> => {
    const { id, gap, end, offset } = line;
    if (offset) await onEvent(line as StationEvent<Value>);
    if (gap) await onGap?.(gap);
    if (id) lastEventId = id;
    if (end) return end.reason;
    // A line with an id alone also comes before an event that `onEvent` can't take, so it is no success.
    if (offset || !id) {
      failures = 0;
      isRefused = false;
    }
    return undefined;
  };

  const read = async (signal: AbortSignal): Promise<Partial<Refusal>> => {
    token ??= (await within(TOKEN_TIMEOUT, Promise.resolve(getToken()))).trim();
    const stream = await openStream({ url, token, lastEventId }, signal);
    if ("status" in stream) return stream;
    onOpen();
    for await (const line of stream) {
      if (signal.aborted) break;
      const reason = await take(line);
      if (reason) return { reason, ...(reason === "Unauthorized" && { status: 401 }) };
    }
    return { reason: "the gateway closed the stream" };
  };

  return {
    lastEventId: () => lastEventId,
    connect: async (signal) => {
      const ending = await read(signal).catch((error: unknown) => ({ reason: String(error) }));
      const isUnauthorized = "status" in ending && ending.status === 401;
      if (isUnauthorized) token = undefined;
      // A new token is tried at once. If the gateway refuses that one too, a wait keeps this from becoming a loop.
      const isBrief = isUnauthorized && !isRefused;
      isRefused = isUnauthorized;
      return { reason: "", ...ending, isBrief, failures: ++failures };
    },
  };
};

const urlOf = ({ url, station, from, filter = [] }: SubscribeOptions<never>): string => {
  const query = new URLSearchParams();
  if (from !== undefined) query.set("from", String(from));
  for (const each of typeof filter === "string" ? [filter] : filter) query.append("filter", each);
  return `${url.replace(/\/+$/, "")}/stations/${encodeURIComponent(station)}/consume/stream?${query}`;
};
