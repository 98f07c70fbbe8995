/** `POST /stations/:name/consume/batch`: answers the next events of a consumer group, then commits their offsets. */
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

type Dependencies = Pick<StationRouteDependencies, "stations" | "consumers" | "readBody" | "streams">;

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
    // Commits only after the answer is sent: if the client did not get it, the next call gets the same events.
    void wasSent(response).then((sent) => {
      if (sent) void pull.consume();
      else pull.release();
    });
    facts.consumed = pull.texts.length;
    await sendEvents(response, pull.texts, clock);
  };
};

/** Watches the connection and the credential of the caller while a pull waits. */
interface Presence {
  /** Aborted when the connection closes or the credential expires. */
  readonly signal: AbortSignal;
  /** Settles like the pull. If the credential expires first, releases the pull and rejects with UNAUTHORIZED. */
  during(pull: Promise<Pull>): Promise<Pull>;
}

const presenceOf = ({ response, principal: { expires } }: AuthorisedCall, clock: Clock): Presence => {
  const ended = new AbortController();
  let expired = false;
  response.once("close", () => {
    ended.abort();
  });
  const cancel =
    expires === undefined
      ? undefined
      : clock.after(Math.max(0, expires - clock.now()), () => {
          expired = true;
          ended.abort();
        });
  return {
    signal: ended.signal,
    during: async (pulling) => {
      const [result] = await Promise.allSettled([pulling]);
      cancel?.();
      if (expired) {
        if (result.status === "fulfilled") result.value.release();
        throw unauthorized("expired api key");
      }
      if (result.status === "rejected") throw result.reason;
      return result.value;
    },
  };
};

const MAX_BATCH = 5000;
/** A longer wait is shortened to this, because proxies close connections that send no data. */
const LONGEST_WAIT_MS = 300_000;

/** The request body. */
export const consumeShape = z.object({
  consumer_name: z.string().nullish(),
  consumer_group: z.string().max(249).nullish(),
  batch_size: z.int().nullish(),
  batch_max_wait_time_ms: z.int().min(0).nullish(),
  /** Where a new group starts to read. The Memphis gateway does not have this member. */
  from: z.enum(["earliest", "latest"]).nullish(),
});

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

interface ConsumeRequest {
  readonly consumer: string;
  readonly group: string | undefined;
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  readonly waitMs: number;
}

const parse = (body: unknown): ConsumeRequest => {
  const { success, data } = consumeShape.safeParse(body);
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
    waitMs: Math.min(data.batch_max_wait_time_ms ?? 5000, LONGEST_WAIT_MS),
  };
};

/** The JSON of an event. Bytes that are not UTF-8 become base64, and the header `stationgate-encoding` says so. */
export const consumedEvent = ({ value, headers }: ConsumedRecord): Buffer => {
  const bytes = value ?? Buffer.alloc(0);
  const named = Object.fromEntries(headers.map(({ name, value: text }) => [name, text?.toString() ?? null]));
  const message = isUtf8(bytes)
    ? { message: bytes.toString(), headers: named }
    : { message: bytes.toString("base64"), headers: { ...named, "stationgate-encoding": "base64" } };
  return Buffer.from(JSON.stringify(message));
};

/** Bytes that are copied and written at a time. The events themselves are in memory already. */
const PIECE_BYTES = 64 * 1024;
/** After this time the connection of a slow client is closed, and the next call gets the events. */
const LONGEST_ANSWER_MS = 60_000;

const COMMA = Buffer.from(",");

/** Writes a JSON array as fast as the client reads. Resolves when everything is written or the connection is closed. */
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
    if (bytes < PIECE_BYTES) continue;
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

/** The members of a socket that show whether it is still open. */
interface Connection {
  readonly errored: Error | null;
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
}

const isOpen = ({ errored, destroyed, readableEnded }: Connection): boolean =>
  errored === null && !destroyed && !readableEnded;

/**
 * Resolves when the answer has ended: true if the operating system accepted the whole answer while the connection was
 * open. Bytes that the client does not read from its own buffers count as sent. Node's `finish` event alone is not enough,
 * because Node also emits it after a reset of the connection.
 */
export const wasSent = (response: Response): Promise<boolean> => {
  // Node takes the socket away from a finished response, but not from its request.
  const { socket } = response.req;
  let wasOpen = false;
  response.once("finish", () => {
    wasOpen = isOpen(socket);
  });
  return new Promise((resolve) => {
    const onClose = (): void => {
      resolve(wasOpen && socket.errored === null);
    };
    if (response.closed) onClose();
    else response.once("close", onClose);
  });
};
