/** The body of a v2 call, `{records: [{key?, value?, partition?}]}`, in JSON or with base64 inside. */
import { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import { fromBase64 } from "../../../ingest/content/base64.ts";
import type { EventListLimits } from "../../../ingest/content/event-list.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { parseJson } from "../../../ingest/content/json.ts";
import { membersOf, type Members, type Span } from "../../../lib/json-members.ts";
import { paced } from "../../../lib/pace.ts";
import type { Events } from "../../intake.ts";
import type { IncomingEvent } from "../../../ingest/produce.ts";
import { openEnvelope, refusalOfList } from "./envelope.ts";
import { faultOf } from "./shape.ts";

export type EmbeddedFormat = "json" | "binary";

const CONTENT_TYPE = /^application\/vnd\.kafka\.([a-z]+)\.v2\+json$/;
const REGISTRY_FORMATS = new Set(["avro", "jsonschema", "protobuf"]);

/** Throws CONTENT_TYPE_UNSUPPORTED, and REGISTRY_MISSING for the formats that need a registry. */
export const embeddedFormatOf = (contentType: string | undefined): EmbeddedFormat => {
  const [, format = ""] = CONTENT_TYPE.exec(mediaTypeOf(contentType ?? "")) ?? [];
  if (format === "json" || format === "binary") return format;
  if (REGISTRY_FORMATS.has(format)) throw registryMissing(`The format ${format}`);
  throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
};

const registryMissing = (what: string): GatewayError =>
  new GatewayError("REGISTRY_MISSING", {
    message: `${what} needs a schema registry, and none is configured`,
  });

export interface V2Context {
  readonly format: EmbeddedFormat;
  /** The path's goes before the records' own. */
  readonly partition: number | undefined;
  readonly limits: EventListLimits;
}

const record = z.strictObject({
  key: z.unknown().optional(),
  /** Absent or null: a tombstone. */
  value: z.unknown().optional(),
  partition: z.int().min(0).nullish(),
});

/** Counted, and not yet read. */
export interface V2Records {
  readonly count: number;
  /** Rejects with SHAPE_INVALID at the first record that has another shape. */
  read(): Promise<Events>;
}

type V2Record = z.output<typeof record>;

const REGISTRY_FIELDS = ["key_schema", "key_schema_id", "value_schema", "value_schema_id"] as const;

const call = z.strictObject({
  /** Looked at one by one. */
  records: z.array(z.unknown()),
  key_schema: z.unknown().optional(),
  key_schema_id: z.unknown().optional(),
  value_schema: z.unknown().optional(),
  value_schema_id: z.unknown().optional(),
});

/**
 * Counts the records. Throws JSON_INVALID, JSON_TOO_DEEP, REGISTRY_MISSING, EVENTS_TOO_MANY, and SHAPE_INVALID for what
 * isn't such a body; a record whose content is wrong is refused alone. JSON parts are slices of the body.
 */
export const findV2Records = (body: Buffer, context: V2Context): V2Records => {
  const { limits } = context;
  const refuse = refusalOfList("records", limits.maxEvents, invalid);
  const { outside, list } = openEnvelope(body, { name: "records", refuse, ...limits });
  const given = call.safeParse(outside);
  if (!given.success) throw invalid(faultOf(given.error));
  const field = REGISTRY_FIELDS.find((name) => !isAbsent(given.data[name]));
  if (field !== undefined) throw registryMissing(field);
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

/** Throws SHAPE_INVALID for a record that has another shape. */
const readV2Record = (body: Buffer, index: number, context: V2Context): IncomingEvent | GatewayError => {
  const given = record.safeParse(parseJson(body, context.limits));
  if (!given.success) throw invalid(faultOf(given.error, ["records", index]));
  if (context.format === "binary") return binaryEvent(given.data, context);
  return jsonEvent(given.data, { body, spans: membersOf(body, 0, ["key", "value"]).spans }, context);
};

interface Content {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** A key that is null is none: the station's own may take its place. */
const eventOf = (
  given: V2Record,
  { key, value }: Content,
  { format, partition: ofPath }: V2Context,
): IncomingEvent => {
  const partition = ofPath ?? given.partition ?? undefined;
  return {
    value,
    contentType: format === "json" && value !== null ? "application/json" : undefined,
    headers: [],
    exactHeaders: true,
    ...(key === null ? undefined : { key }),
    ...(partition === undefined ? undefined : { partition }),
  };
};

const jsonEvent = (
  given: V2Record,
  { body, spans: [key, value] }: { readonly body: Buffer } & Pick<Members, "spans">,
  context: V2Context,
): IncomingEvent => {
  const content = {
    key: isAbsent(given.key) ? null : sourceOf(body, key),
    value: isAbsent(given.value) ? null : sourceOf(body, value),
  };
  return eventOf(given, content, context);
};

const sourceOf = (body: Buffer, span: Span | undefined): Buffer | null =>
  span === undefined ? null : body.subarray(span.at, span.end);

const isAbsent = (value: unknown): boolean => value === null || value === undefined;

const binaryEvent = (given: V2Record, context: V2Context): IncomingEvent | GatewayError => {
  const value = binary(given.value ?? null);
  const key = binary(given.key ?? null);
  if (value === undefined) return notBase64("value");
  if (key === undefined) return notBase64("key");
  return eventOf(given, { key, value }, context);
};

/** undefined: it is none. */
const binary = (text: unknown): Buffer | null | undefined => {
  if (text === null) return null;
  return typeof text === "string" ? fromBase64(text) : undefined;
};

const notBase64 = (name: string): GatewayError =>
  new GatewayError("REQUEST_INVALID", { message: `The record's ${name} is not base64` });
