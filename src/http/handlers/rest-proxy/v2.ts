/**
 * `POST /topics/:topic` and `/topics/:topic/partitions/:partition`: the v2 API. The body is
 * `{records: [{key?, value?, partition?, timestamp?, headers?}]}`; the content type names the format of keys and values.
 * A format of a schema registry also needs `value_schema` or `value_schema_id`, and the same for keys.
 */
import { z } from "zod";
import type { RecordHeader } from "../../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { fromBase64, mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { type EventListLimits, tooManyEvents } from "../../../ingest/content/event-list.ts";
import { parseJson } from "../../../formats/json.ts";
import type { SchemaType } from "../../../formats/format.ts";
import type { EventOutcome, IncomingEvent } from "../../../ingest/produce.ts";
import type { Station } from "../../../ingest/stations.ts";
import type { ListFault } from "../../../lib/json-list.ts";
import { membersOf, type Span } from "../../../lib/json-scan.ts";
import { paced } from "../../../lib/event-loop.ts";
import type { AuthorisedCall } from "../../call.ts";
import { recordError } from "../../families.ts";
import { OUR_WORDS } from "../../faults.ts";
import type { Events } from "../../intake.ts";
import { sendText } from "../../respond.ts";
import { createTexts, type TextOf } from "../../results.ts";
import { hasManyHeaders, partitionFrom, recordHeaderOf } from "./record.ts";
import { faultIn, isUnknownField, openEnvelope } from "./body-shape.ts";
import {
  findPartition,
  partitionOf,
  partitionsOf,
  type RestProxyDependencies,
  stationOfTopic,
} from "./topic.ts";
import {
  type CallSchemas,
  findSchemas,
  type SchemaNames,
  schemaNamesOf,
  schemaTypeOf,
  withSchemas,
} from "./v2-schemas.ts";

export const V2_TYPE = "application/vnd.kafka.v2+json";

export const produceToTopic = (dependencies: RestProxyDependencies) => {
  const { intake, contentLimits, maxEvents, maxHeaders, findSchema } = dependencies;
  const limits = { ...contentLimits, maxEvents };
  return async (call: AuthorisedCall): Promise<void> => {
    const { request, facts } = call;
    const format = embeddedFormatOf(request.headers["content-type"], dependencies);
    const partition = partitionOf(call);
    const body = await dependencies.readBody(request);
    facts.bytes = body.length;
    const found = intake.reading(call, body, () =>
      findV2Records(body, { format, partition, maxHeaders, limits }),
    );
    intake.expect(call, { events: found.count, bytes: 0 });
    const events = await intake.reading(call, body, () => found.read());
    const station = await stationOfTopic(call, dependencies.stations);
    const schemas = await findSchemas(found.names, events, { station, find: findSchema });
    const outcomes = await intake.submit(call, station, withSchemas(events, schemas));
    if (partition !== undefined) await requirePartition(partition, outcomes, station, dependencies);
    sendText(call.response, 200, V2_TYPE, answer(outcomes, schemas));
  };
};

type EmbeddedFormat = "json" | "binary" | "text" | SchemaType;

const CONTENT_TYPE = /^application\/vnd\.kafka\.([a-z]+)\.v2\+json$/;
const FORMATS: readonly string[] = ["json", "binary", "text"] satisfies EmbeddedFormat[];

const isPlain = (text: string): text is "json" | "binary" | "text" => FORMATS.includes(text);

/** Throws CONTENT_TYPE_UNSUPPORTED, or REGISTRY_MISSING for a format that needs a schema registry. */
const embeddedFormatOf = (
  contentType: string | undefined,
  { findSchema }: Pick<RestProxyDependencies, "findSchema">,
): EmbeddedFormat => {
  const [, format = ""] = CONTENT_TYPE.exec(mediaTypeOf(contentType ?? "")) ?? [];
  if (isPlain(format)) return format;
  const type = schemaTypeOf(format);
  if (type === undefined) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  if (findSchema !== undefined) return type;
  throw new GatewayError("REGISTRY_MISSING", {
    message: `The format ${format} needs a schema registry, and none is configured`,
  });
};

interface V2Context {
  readonly format: EmbeddedFormat;
  /** The partition of the path. It overrides the partition of a record. */
  readonly partition: number | undefined;
  readonly limits: EventListLimits;
  /** Maximum number of headers of one record. */
  readonly maxHeaders: number;
}

export const v2RecordShape = z.strictObject({
  key: z.unknown().optional(),
  /** If it is absent or null, the record is a tombstone. */
  value: z.unknown().optional(),
  partition: z.int().nullish(),
  /** Milliseconds since the epoch. `timestamp` and `headers` are extensions of Strimzi's bridge. */
  timestamp: z.int().nullish(),
  headers: z.array(z.strictObject({ key: z.string(), value: z.string().nullish() })).nullish(),
});

type V2Record = z.output<typeof v2RecordShape>;

/** Records that are counted but not parsed yet. */
interface V2Records {
  readonly count: number;
  /** The schemas that the call names. undefined: its format needs none, and its schema fields are ignored. */
  readonly names: SchemaNames | undefined;
  /** Rejects with REQUEST_INVALID or SHAPE_INVALID at the first record that has another shape. */
  read(): Promise<Events>;
}

const bodyShape = z.strictObject({
  /** Each record is checked by itself, later. */
  records: z.array(z.unknown()).nullish(),
  key_schema: z.unknown().optional(),
  key_schema_id: z.unknown().optional(),
  value_schema: z.unknown().optional(),
  value_schema_id: z.unknown().optional(),
});

/**
 * Counts the records. Throws JSON_INVALID, JSON_TOO_DEEP, EVENTS_TOO_MANY, REQUEST_INVALID for a member of another type,
 * and SHAPE_INVALID for an unknown member or no records. A record with wrong content is refused alone. JSON keys and values
 * are slices of the body.
 */
const findV2Records = (body: Buffer, context: V2Context): V2Records => {
  const { limits } = context;
  const refuse = ({ fault, index }: ListFault): GatewayError =>
    fault === "too many" ? tooManyEvents(limits.maxEvents) : wrongType(`records.${index} must be an object`);
  const { outside, list } = openEnvelope(body, { name: "records", refuse, ...limits });
  const given = bodyShape.safeParse(outside, OUR_WORDS);
  if (!given.success) throw wrongShape(given.error);
  if (list === undefined || list.count === 0) throw invalid("records must have at least one record");
  return {
    count: list.count,
    names: isPlain(context.format) ? undefined : schemaNamesOf(given.data, context.format),
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

/** Throws REQUEST_INVALID or SHAPE_INVALID for a record of another shape. Returns the error of a record's content. */
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

/** Throws the error for wrong content. A null key counts as absent, so that the `key` setting of the station applies. */
const eventOf = (given: V2Record, bytes: Buffer, { format, partition: ofPath }: V2Context): IncomingEvent => {
  const spans = isJson(format) ? membersOf(bytes, 0, ["key", "value"]).spans : [];
  const key = partOf("key", given.key, format, { bytes, span: spans[0] });
  const value = partOf("value", given.value, format, { bytes, span: spans[1] });
  return {
    value,
    contentType: isJson(format) && value !== null ? "application/json" : undefined,
    headers: headersOf(given),
    exactHeaders: true,
    ...(key === null ? undefined : { key }),
    ...partitionFrom(ofPath ?? given.partition),
    ...timestampOf(given.timestamp),
  };
};

/** True if keys and values are JSON in the body. They are JSON for all formats of a schema registry. */
const isJson = (format: EmbeddedFormat): boolean => format !== "binary" && format !== "text";

const NO_HEADERS: readonly RecordHeader[] = [];

const headersOf = ({ headers }: V2Record): readonly RecordHeader[] =>
  headers?.map(({ key, value }, index) => recordHeaderOf(key, value, `headers.${index}`)) ?? NO_HEADERS;

/** The latest time that a JavaScript date can hold. */
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
  if (isJson(format)) return span === undefined ? null : bytes.subarray(span.at, span.end);
  if (format === "text") {
    if (typeof given === "string") return Buffer.from(given);
    throw wrongType(`${name} must be a string`);
  }
  const decoded = typeof given === "string" ? fromBase64(given) : undefined;
  if (decoded === undefined) throw wrongType(`${name} must be base64`);
  return decoded;
};

/**
 * Checks that the partition of the path exists. The outcome of a record that reached the broker shows it; if the gateway
 * refused all records, the broker is asked. Rejects with PARTITION_UNKNOWN, and like `partitionsOf`.
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

const answer = (outcomes: readonly EventOutcome[], { key, value }: CallSchemas): string =>
  `{"offsets":[${outcomes.map(offsetWriter()).join(",")}],"key_schema_id":${key?.id ?? null},"value_schema_id":${value?.id ?? null}}`;

/** Written by hand, which takes half the time of objects and JSON.stringify. */
const offsetWriter = (): ((outcome: EventOutcome) => string) => {
  const texts = createTexts();
  return (outcome) => offset(outcome, texts);
};

const offset = (outcome: EventOutcome, texts: TextOf): string => {
  if (outcome.status === "stored") {
    const at = `"partition":${outcome.partition},"offset":${outcome.offset.toString()}`;
    return `{${at},"error_code":null,"error":null}`;
  }
  if (outcome.status === "spooled")
    return `{"partition":null,"offset":null,"error_code":null,"error":null,"status":"spooled"}`;
  const { error_code: code, message } = recordError(outcome.error, texts(outcome.error));
  return `{"partition":null,"offset":null,"error_code":${code},"error":${JSON.stringify(message)}}`;
};
