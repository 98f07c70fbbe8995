/** `POST /stations/:name/consume/batch`: the next events of a consumer group. */
import { isUtf8 } from "node:buffer";
import type { Response } from "express";
import { z } from "zod";
import { groupOf } from "../../../auth/permissions.ts";
import { unauthorized } from "../../../auth/principal.ts";
import type { ConsumedRecord } from "../../../broker/broker.ts";
import type { Pull } from "../../../consume/waiting-pull.ts";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { parseDocument } from "../../../ingest/content/json.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { AuthorisedCall } from "../../call.ts";
import { stationOf, type StationRouteDependencies, toConsume } from "./station-of.ts";

/** Did the client get the answer? node says `finish`, and `writableFinished`, of an answer that was reset in its middle too. */

/** The part of a socket that tells how a write ended. */
interface Connection {
  readonly errored: Error | null;
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
}

const isAlive = ({ errored, destroyed, readableEnded }: Connection): boolean =>
  errored === null && !destroyed && !readableEnded;

/**
 * Resolves once the answer has ended: true where the operating system took all of it for a connection that had not
 * failed, and that the client had not closed, until then. What a client leaves unread in its own buffers counts as taken.
 */
export const wasTaken = (response: Response): Promise<boolean> => {
  // An answer whose last byte has left has no socket any more; its request has.
  const { socket } = response.req;
  let whole = false;
  response.once("finish", () => {
    whole = isAlive(socket);
  });
  return new Promise((resolve) => {
    const onClose = (): void => {
      resolve(whole && socket.errored === null);
    };
    if (response.closed) onClose();
    else response.once("close", onClose);
  });
};

/** The answer of `consume/batch`: how a record is worded, and how the answer is written to a client that may be slow. */

/** The JSON of an event. JSON holds text only; other bytes come in base64, and a header says so. */
export const consumedEvent = ({ value, headers }: ConsumedRecord): Buffer => {
  const bytes = value ?? Buffer.alloc(0);
  /** null: the header has no value. */
  const named = Object.fromEntries(headers.map(({ name, value: text }) => [name, text?.toString() ?? null]));
  const message = isUtf8(bytes)
    ? { message: bytes.toString(), headers: named }
    : { message: bytes.toString("base64"), headers: { ...named, "stationgate-encoding": "base64" } };
  return Buffer.from(JSON.stringify(message));
};

/** Bytes that are joined, and wait for the client, at a time: the events are in memory already. */
const PIECE = 64 * 1024;
/** An answer that a client doesn't take within this time is cut, and its events are free again. */
const LONGEST_ANSWER_MS = 60_000;

const COMMA = Buffer.from(",");

/** Writes a JSON array of the events as fast as the client takes it. Resolves when all is written, or the client has gone. */
const sendEvents = async (response: Response, events: readonly Buffer[], clock: Clock): Promise<void> => {
  const cancel = clock.after(LONGEST_ANSWER_MS, () => response.destroy());
  response.once("close", cancel);
  const parts = events.flatMap((event, index) => (index === 0 ? [event] : [COMMA, event]));
  const length = parts.reduce((sum, part) => sum + part.length, 2);
  response.statusCode = 200;
  response.setHeader("Content-Type", "application/json");
  response.setHeader("Content-Length", length);
  let piece: Buffer[] = [Buffer.from("[")];
  let bytes = 0;
  for (const part of parts) {
    piece.push(part);
    bytes += part.length;
    if (bytes < PIECE) continue;
    const written = response.write(Buffer.concat(piece));
    piece = [];
    bytes = 0;
    if (!written) await drained(response);
    if (response.closed) return;
  }
  response.end(Buffer.concat([...piece, Buffer.from("]")]));
};

const drained = (response: Response): Promise<void> =>
  new Promise((resolve) => {
    const onEither = (): void => {
      response.off("drain", onEither).off("close", onEither);
      resolve();
    };
    if (response.closed) resolve();
    else response.once("drain", onEither).once("close", onEither);
  });

type Dependencies = Pick<StationRouteDependencies, "stations" | "consumers" | "readBody" | "streams">;

const MAX_BATCH = 5000;
/** Longer waits than this, in milliseconds, are shortened: no proxy in between would sit through them. */
const LONGEST_WAIT = 300_000;

/** What a client asks for. */
export const wanted = z.object({
  consumer_name: z.string().nullish(),
  consumer_group: z.string().max(249).nullish(),
  batch_size: z.int().nullish(),
  batch_max_wait_time_ms: z.int().min(0).nullish(),
  /** Beyond the original: where a group begins that has no position yet. */
  from: z.enum(["earliest", "latest"]).nullish(),
});

export const consumeBatch = ({ stations, consumers, readBody, streams: { clock } }: Dependencies) => {
  const lookup = toConsume(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { response, principal, facts } = call;
    const station = await stationOf(call, lookup);
    const { consumer, group, from, maxRecords, waitMs } = parse(await readJson(call, readBody));

    const presence = presenceOf(call, clock);
    const pull = await presence.during(
      consumers.pull({
        owner: `${principal.kind} ${principal.name}`,
        group: groupOf(principal, group),
        consumer,
        topic: station.topic,
        from,
        maxRecords,
        waitMs,
        signal: presence.signal,
      }),
    );
    if (presence.signal.aborted) {
      pull.release();
      return;
    }
    // Counted as consumed once the answer has left, and not before: an answer that nobody got comes again.
    void wasTaken(response).then((taken) => {
      if (taken) void pull.consume();
      else pull.release();
    });
    facts.consumed = pull.texts.length;
    await sendEvents(response, pull.texts, clock);
  };
};

/** Is the client still there, and its credential still good? */
interface Presence {
  /** Aborted when one of the two is over. */
  readonly signal: AbortSignal;
  /** The pull, or UNAUTHORIZED if the credential expires while it waits; what the pull has then is released. */
  during(pull: Promise<Pull>): Promise<Pull>;
}

const presenceOf = ({ response, principal: { expires } }: AuthorisedCall, clock: Clock): Presence => {
  const over = new AbortController();
  let expired = false;
  response.once("close", () => {
    over.abort();
  });
  const cancel =
    expires === undefined
      ? undefined
      : clock.after(Math.max(0, expires - clock.now()), () => {
          expired = true;
          over.abort();
        });
  return {
    signal: over.signal,
    during: async (pulling) => {
      const [ended] = await Promise.allSettled([pulling]);
      cancel?.();
      if (expired) {
        if (ended.status === "fulfilled") ended.value.release();
        throw unauthorized("expired api key");
      }
      if (ended.status === "rejected") throw ended.reason;
      return ended.value;
    },
  };
};

const readJson = async (
  { request }: AuthorisedCall,
  readBody: Dependencies["readBody"],
): Promise<unknown> => {
  if (mediaTypeOf(request.headers["content-type"] ?? "") !== "application/json")
    throw new GatewayError("REQUEST_INVALID");
  const body = await readBody(request);
  try {
    return parseDocument(body);
  } catch (cause) {
    throw new GatewayError("REQUEST_INVALID", { cause });
  }
};

interface Wanted {
  readonly consumer: string;
  readonly group: string | undefined;
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  readonly waitMs: number;
}

const parse = (body: unknown): Wanted => {
  const { success, data } = wanted.safeParse(body);
  if (!success) throw new GatewayError("REQUEST_INVALID");
  const maxRecords = data.batch_size ?? 10;
  if (!data.consumer_name)
    throw new GatewayError("REQUEST_INVALID", { message: "Consumer name is required" });
  if (maxRecords > MAX_BATCH || maxRecords < 1) {
    throw new GatewayError("REQUEST_INVALID", {
      message: `Batch size can not be greater than ${MAX_BATCH} or less than 1`,
    });
  }
  return {
    consumer: data.consumer_name,
    group: data.consumer_group === "" ? undefined : (data.consumer_group ?? undefined),
    from: data.from ?? "earliest",
    maxRecords,
    waitMs: Math.min(data.batch_max_wait_time_ms ?? 5000, LONGEST_WAIT),
  };
};
