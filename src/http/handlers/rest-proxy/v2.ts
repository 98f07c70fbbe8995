/** `POST /topics/:topic` and `/topics/:topic/partitions/:partition`: the v2 API. */
import { z } from "zod";
import type { RecordHeader } from "../../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { fromBase64, mediaTypeOf } from "../../../ingest/content/content-type.ts";
import type { EventListLimits } from "../../../ingest/content/event-list.ts";
import { parseJson } from "../../../ingest/content/json.ts";
import type { EventOutcome, IncomingEvent } from "../../../ingest/produce.ts";
import type { Station } from "../../../ingest/stations.ts";
import { membersOf, type Span } from "../../../lib/json-scan.ts";
import { paced } from "../../../lib/event-loop.ts";
import type { AuthorisedCall } from "../../call.ts";
import { restProxyError } from "../../families.ts";
import { OUR_WORDS } from "../../faults.ts";
import type { Events } from "../../intake.ts";
import { sendText } from "../../respond.ts";
import { createTexts, type TextOf } from "../../results.ts";
import { hasManyHeaders, partitionFrom, recordHeaderOf } from "./record.ts";
import { faultIn, isUnknownField, openEnvelope, refusalOfList } from "./body-shape.ts";
import {
  findPartition,
  partitionOf,
  partitionsOf,
  type RestProxyDependencies,
  stationOfTopic,
} from "./topic.ts";

/** The body of a v2 call, `{records: [{key?, value?, partition?, timestamp?, headers?}]}`; the format says what values are. */

type EmbeddedFormat = "json" | "binary" | "text";

const CONTENT_TYPE = /^application\/vnd\.kafka\.([a-z]+)\.v2\+json$/;
const FORMATS: readonly string[] = ["json", "binary", "text"] satisfies EmbeddedFormat[];
const REGISTRY_FORMATS = new Set(["avro", "jsonschema", "protobuf"]);

const isFormat = (text: string): text is EmbeddedFormat => FORMATS.includes(text);

/** Throws CONTENT_TYPE_UNSUPPORTED, and REGISTRY_MISSING for the formats that need a registry. */
const embeddedFormatOf = (contentType: string | undefined): EmbeddedFormat => {
  const [, format = ""] = CONTENT_TYPE.exec(mediaTypeOf(contentType ?? "")) ?? [];
  if (isFormat(format)) return format;
  if (!REGISTRY_FORMATS.has(format)) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  throw new GatewayError("REGISTRY_MISSING", {
    message: `The format ${format} needs a schema registry, and none is configured`,
  });
};

interface V2Context {
  readonly format: EmbeddedFormat;
  /** The path's goes before the records' own. */
  readonly partition: number | undefined;
  readonly limits: EventListLimits;
  /** Headers of one record. */
  readonly maxHeaders: number;
}

export const v2RecordShape = z.strictObject({
  key: z.unknown().optional(),
  /** Absent or null: a tombstone. */
  value: z.unknown().optional(),
  partition: z.int().nullish(),
  /** Strimzi's, as `headers`: milliseconds since the epoch. */
  timestamp: z.int().nullish(),
  headers: z.array(z.strictObject({ key: z.string(), value: z.string().nullish() })).nullish(),
});

type V2Record = z.output<typeof v2RecordShape>;

/** Counted, and not yet read. */
interface V2Records {
  readonly count: number;
  /** Rejects with REQUEST_INVALID and SHAPE_INVALID at the first record that has another shape. */
  read(): Promise<Events>;
}

/** What names a schema is ignored: the station has its own. */
const call = z.strictObject({
  /** Looked at one by one. */
  records: z.array(z.unknown()).nullish(),
  key_schema: z.unknown().optional(),
  key_schema_id: z.unknown().optional(),
  value_schema: z.unknown().optional(),
  value_schema_id: z.unknown().optional(),
});

/**
 * Counts the records. Throws JSON_INVALID, JSON_TOO_DEEP, EVENTS_TOO_MANY, REQUEST_INVALID for a member of another type, and
 * SHAPE_INVALID for an unknown member or no records. A record whose content is wrong is refused alone. JSON parts are slices of the
 * body.
 */
const findV2Records = (body: Buffer, context: V2Context): V2Records => {
  const { limits } = context;
  const refuse = refusalOfList("records", limits.maxEvents, wrongType);
  const { outside, list } = openEnvelope(body, { name: "records", refuse, ...limits });
  const given = call.safeParse(outside, OUR_WORDS);
  if (!given.success) throw wrongShape(given.error);
  if (list === undefined || list.count === 0) throw invalid("records must have at least one record");
  return {
    count: list.count,
    read: async () => {
      const events: (IncomingEvent | GatewayError)[] = [];
      await paced(list.count, (i) => events.push(readV2Record(list.at(i), i, context)));
      return events;
    },
  };
};

const invalid = (message: string): GatewayError => new GatewayError("SHAPE_INVALID", { message });

const wrongType = (message: string): GatewayError => new GatewayError("REQUEST_INVALID", { message });

const wrongShape = (error: z.ZodError, at: readonly PropertyKey[] = []): GatewayError =>
  (isUnknownField(error) ? invalid : wrongType)(faultIn(error, at));

/** Throws REQUEST_INVALID and SHAPE_INVALID for a record that has another shape. What is wrong with its content is returned. */
const readV2Record = (bytes: Buffer, index: number, context: V2Context): IncomingEvent | GatewayError => {
  const parsed = parseJson(bytes, context.limits);
  if (hasManyHeaders(parsed, context)) return new GatewayError("RECORD_HEADERS_TOO_MANY");
  const given = v2RecordShape.safeParse(parsed, OUR_WORDS);
  if (!given.success) throw wrongShape(given.error, ["records", index]);
  try {
    return eventOf(given.data, bytes, context);
  } catch (error) {
    return asGatewayError(error);
  }
};

/** Throws the fault of a record's content. A null key counts as absent, so the station's `key` setting may set it. */
const eventOf = (given: V2Record, bytes: Buffer, { format, partition: ofPath }: V2Context): IncomingEvent => {
  const spans = format === "json" ? membersOf(bytes, 0, ["key", "value"]).spans : [];
  const key = partOf("key", given.key, format, { bytes, span: spans[0] });
  const value = partOf("value", given.value, format, { bytes, span: spans[1] });
  return {
    value,
    contentType: format === "json" && value !== null ? "application/json" : undefined,
    headers: headersOf(given),
    exactHeaders: true,
    ...(key === null ? undefined : { key }),
    ...partitionFrom(ofPath ?? given.partition),
    ...timestampOf(given.timestamp),
  };
};

const NO_HEADERS: readonly RecordHeader[] = [];

const headersOf = ({ headers }: V2Record): readonly RecordHeader[] =>
  headers?.map(({ key, value }, index) => recordHeaderOf(key, value, `headers.${index}`)) ?? NO_HEADERS;

/** The last that is a date in JavaScript. */
const LATEST = 8_640_000_000_000_000;

const timestampOf = (timestamp: number | null | undefined): Pick<IncomingEvent, "timestamp"> => {
  if (timestamp === null || timestamp === undefined) return {};
  if (timestamp >= 0 && timestamp <= LATEST) return { timestamp };
  throw wrongType(`timestamp must be 0 to ${LATEST}, in milliseconds (got ${timestamp})`);
};

interface Source {
  readonly bytes: Buffer;
  readonly span: Span | undefined;
}

const partOf = (
  name: "key" | "value",
  given: unknown,
  format: EmbeddedFormat,
  { bytes, span }: Source,
): Buffer | null => {
  if (given === null || given === undefined) return null;
  if (format === "json") return span === undefined ? null : bytes.subarray(span.at, span.end);
  if (format === "text") {
    if (typeof given === "string") return Buffer.from(given);
    throw wrongType(`${name} must be a string`);
  }
  const decoded = typeof given === "string" ? fromBase64(given) : undefined;
  if (decoded === undefined) throw wrongType(`${name} must be base64`);
  return decoded;
};

export const V2_TYPE = "application/vnd.kafka.v2+json";

/** Errors are told in the answer's own type too. */
export const produceToTopic =
  (dependencies: RestProxyDependencies) =>
  async (call: AuthorisedCall): Promise<void> => {
    const { request, facts } = call;
    const format = embeddedFormatOf(request.headers["content-type"]);
    const partition = partitionOf(call);
    const body = await dependencies.readBody(request);
    facts.bytes = body.length;
    const { intake, contentLimits, maxEvents, maxHeaders } = dependencies;
    const context = {
      ...{ format, partition, maxHeaders },
      limits: { ...contentLimits, maxEvents },
    };
    const found = intake.reading(call, body, () => findV2Records(body, context));
    intake.expect(call, { events: found.count, bytes: 0 });
    const events = await intake.reading(call, body, () => found.read());
    const station = await stationOfTopic(call, dependencies.stations);
    const outcomes = await intake.submit(call, station, events);
    if (partition !== undefined) await requirePartition(partition, outcomes, station, dependencies);
    sendText(call.response, 200, V2_TYPE, answer(outcomes));
  };

/**
 * The partition of the path must exist, whatever the records contain. A record that reached the broker shows whether it
 * does; if the gateway refused all of them, the broker is asked. Fails with PARTITION_UNKNOWN, and as `partitionsOf`.
 */
const requirePartition = async (
  partition: number,
  outcomes: readonly EventOutcome[],
  station: Station,
  dependencies: RestProxyDependencies,
): Promise<void> => {
  if (outcomes.some(isPartitionUnknown)) throw new GatewayError("PARTITION_UNKNOWN");
  const allRefused = outcomes.every(
    (outcome) => outcome.status === "failed" && outcome.error.outcome === "refused",
  );
  if (allRefused) findPartition(await partitionsOf(station, dependencies), partition);
};

const isPartitionUnknown = (outcome: EventOutcome): boolean =>
  outcome.status === "failed" && outcome.error.code === "PARTITION_UNKNOWN";

const answer = (outcomes: readonly EventOutcome[]): string =>
  `{"offsets":[${outcomes.map(offsetWriter()).join(",")}],"key_schema_id":null,"value_schema_id":null}`;

/** By hand, in half the time that objects and JSON.stringify take. */
const offsetWriter = (): ((outcome: EventOutcome) => string) => {
  const texts = createTexts();
  return (outcome) => offset(outcome, texts);
};

const offset = (outcome: EventOutcome, texts: TextOf): string => {
  if (outcome.status === "stored") {
    const at = `"partition":${outcome.partition},"offset":${outcome.offset.toString()}`;
    return `{${at},"error_code":null,"error":null}`;
  }
  const { error_code: code, message } = restProxyError(outcome.error, texts(outcome.error));
  return `{"partition":null,"offset":null,"error_code":${code},"error":${JSON.stringify(message)}}`;
};
