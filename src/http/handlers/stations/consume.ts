/** `POST /stations/:name/consume/batch`: the home of the consumer group answers with the group's next events. */
import { isUtf8 } from "node:buffer";
import { z } from "zod";
import type { Decoded } from "../../../registry/decoder.ts";
import { decodingOf } from "../../decoding.ts";
import { groupOf, requireStation } from "../../../auth/permissions.ts";
import { principalId } from "../../../auth/principal.ts";
import type { ConsumedRecord } from "../../../broker/broker.ts";
import { BATCH_PATH, type BatchCall } from "../../../consume/batch.ts";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { parseDocument } from "../../../formats/json.ts";
import { ESCAPE_BYTES, writeEscaped } from "../../../lib/json-string.ts";
import type { AuthorisedCall } from "../../call.ts";
import { forward } from "../../peer-answer.ts";
import { stationOf, type StationRouteDependencies, toConsume } from "./station-of.ts";

type Dependencies = Pick<StationRouteDependencies, "stations" | "reading" | "readBody" | "decoder">;

export const consumeBatch = ({ stations, reading, readBody, decoder }: Dependencies) => {
  const lookup = toConsume(stations);
  return async (call: AuthorisedCall): Promise<void> => {
    const { principal } = call;
    const station = await stationOf(call, lookup);
    const { group: asked, from, maxRecords, waitMs, decode } = parse(await readJson(call, readBody));
    const group = groupOf(principal, asked);
    if (reading === undefined) throw new GatewayError("HOME_UNAVAILABLE");
    const batch: BatchCall = {
      owner: principalId(principal),
      topic: station.topic,
      ...{ group, from, maxRecords },
      decode: decodingOf(decode, station, decoder !== undefined),
    };
    const request = { path: BATCH_PATH, body: Buffer.from(JSON.stringify(batch)), waitMs };
    await forward(call, reading, group, {
      request,
      hurried: () => ({ ...request, waitMs: 0 }),
      require: (renewed) => {
        requireStation(renewed, "consume", station.name);
        groupOf(renewed, asked);
        return undefined;
      },
    });
  };
};

const MAX_BATCH = 5000;
/** A longer wait is shortened to this, because proxies close connections that send no data. */
const LONGEST_WAIT_MS = 300_000;

/** The request body. */
export const consumeShape = z.object({
  /** Required, as in the Memphis gateway, and without effect: all calls of a group share its events. */
  consumer_name: z.string().nullish(),
  consumer_group: z.string().max(249).nullish(),
  batch_size: z.int().nullish(),
  batch_max_wait_time_ms: z.int().min(0).nullish(),
  /** Where a new group starts to read. The Memphis gateway does not have this member. */
  from: z.enum(["earliest", "latest"]).nullish(),
  /** How values are decoded by the schema registry. */
  decode: z.string().nullish(),
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
  readonly group: string | undefined;
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  readonly waitMs: number;
  readonly decode: string | undefined;
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
    group: data.consumer_group === "" ? undefined : (data.consumer_group ?? undefined),
    from: data.from ?? "earliest",
    maxRecords,
    waitMs: Math.min(data.batch_max_wait_time_ms ?? 5000, LONGEST_WAIT_MS),
    decode: data.decode ?? undefined,
  };
};

const NOTHING = Buffer.alloc(0);
const START = Buffer.from('{"message":"');
/** The rest of an event without headers. */
const PLAIN_END = Buffer.from('","headers":{}}');

/** What the client gets as the message, in UTF-8, and the headers that are added to those of the event. */
interface Message {
  readonly text: Buffer;
  readonly added?: Readonly<Record<string, string>>;
}

const messageOf = (bytes: Buffer, decoded?: Decoded): Message => {
  if (decoded?.status === "decoded")
    return { text: decoded.json, added: { "stationgate-schema-id": String(decoded.id) } };
  if (decoded === undefined && isUtf8(bytes)) return { text: bytes };
  const error = decoded === undefined ? undefined : { "stationgate-decode-error": decoded.reason };
  return {
    text: Buffer.from(bytes.toString("base64")),
    added: { "stationgate-encoding": "base64", ...error },
  };
};

const endOf = (headers: ConsumedRecord["headers"], added: Message["added"]): Buffer => {
  if (headers.length === 0 && added === undefined) return PLAIN_END;
  const named = Object.fromEntries(headers.map(({ name, value }) => [name, value?.toString() ?? null]));
  return Buffer.from(`","headers":${JSON.stringify({ ...named, ...added })}}`);
};

/** Messages are written here and then copied, because their length is not known before. */
const scratch = Buffer.alloc(64 * 1024);
const LARGEST_IN_SCRATCH = Math.floor((scratch.length - START.length) / ESCAPE_BYTES);
START.copy(scratch);

/** `{"message":"…`, without the closing quotation mark. */
const startOf = (text: Buffer): Buffer =>
  text.length > LARGEST_IN_SCRATCH
    ? Buffer.from(`${START.toString()}${JSON.stringify(text.toString()).slice(1, -1)}`)
    : scratch.subarray(0, writeEscaped(text, scratch, START.length));

/**
 * The JSON of an event. Bytes that are not UTF-8 or can't be decoded become base64, and the header `stationgate-encoding` says
 * so. `decoded`: absent if the call does not want decoding.
 */
export const consumedEvent = ({ value, headers }: ConsumedRecord, decoded?: Decoded): Buffer => {
  const { text, added } = messageOf(value ?? NOTHING, decoded);
  const start = startOf(text);
  const end = endOf(headers, added);
  const json = Buffer.allocUnsafe(start.length + end.length);
  json.set(start);
  json.set(end, start.length);
  return json;
};
