/** The producing routes of the REST Proxy API. */
import { z } from "zod";
import type { ErrorCode } from "../../../errors.ts";
import {
  type Answer,
  type Content,
  type Documentation,
  EVENT_ERRORS,
  idempotencyKey,
  json,
  type Parameter,
  STATION_ERRORS,
  STORE_ERRORS,
} from "../../documentation.ts";
import { recordShape } from "./record.ts";
import { SCHEMA_TYPES, STRATEGY_NAMES } from "./schema-name.ts";
import { V2_TYPE, v2RecordShape } from "./v2.ts";
import { restProxyError } from "../../openapi/error-responses.ts";

export const TAG = "REST Proxy";

export const cluster: Parameter = {
  description: "Id of the cluster. The gateway accepts any id and echoes it.",
  schema: z.string().min(1),
};
export const topic: Parameter = {
  description: "Name of a station, or topic of a declared station.",
  schema: z.string().regex(/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?$/),
};
export const partition: Parameter = {
  description: "Partition number.",
  schema: z.string().regex(/^\d{1,9}$/),
};
const alwaysStatus200: Parameter = {
  description:
    "`always200`: the answer for a refused record has status 200 and the error in the body, as in Confluent's REST Proxy.",
  schema: z.string(),
};

const PRODUCE_ERRORS = [...STATION_ERRORS, ...STORE_ERRORS, "HEADER_RESERVED"] as const satisfies ErrorCode[];
const BODY_ERRORS = [
  "CONTENT_TYPE_UNSUPPORTED",
  "BODY_EMPTY",
  "JSON_INVALID",
  "JSON_TOO_DEEP",
  "REQUEST_INVALID",
  "REGISTRY_MISSING",
  "CLOUDEVENT_INVALID",
] as const satisfies ErrorCode[];

/** Failures of the schema that a record or a call names. */
const SCHEMA_ERRORS = [
  "SCHEMA_UNKNOWN",
  "SCHEMA_VERSION_UNKNOWN",
  "SCHEMA_UNUSABLE",
  "SCHEMA_REGISTRATION_REFUSED",
  "REGISTRY_FORBIDDEN",
  "DATA_REFUSED",
] as const satisfies ErrorCode[];

const id = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const data = z
  .union([
    z.strictObject({ type: z.literal("BINARY").nullish(), data: z.base64().nullable() }),
    z.strictObject({ type: z.literal("STRING"), data: z.string().nullable() }),
    z.strictObject({ type: z.literal("JSON"), data: z.unknown() }),
    z.strictObject({
      type: z
        .enum(SCHEMA_TYPES)
        .nullish()
        .meta({ description: "Type of the schema that the record names. Another type is refused." }),
      data: z.unknown(),
      schema_id: id.nullish(),
      schema_version: id.nullish(),
      schema: z
        .string()
        .nullish()
        .meta({ description: "Text of the schema. A record with this member also needs `type`." }),
      subject: z
        .string()
        .min(1)
        .nullish()
        .meta({ description: "Default: the subject that `subject_name_strategy` gives." }),
      subject_name_strategy: z.enum(STRATEGY_NAMES).nullish(),
    }),
  ])
  .meta({
    id: "RecordData",
    description:
      "A key or a value. With a schema registry, `data` without a `type` is JSON, and the gateway encodes it with a schema. " +
      "`schema_id`, `schema_version` or `schema` names this schema; at most one of them may be given. Without them it is the " +
      "latest version of the subject. Either `subject` or `subject_name_strategy` may be given, not both. Without a registry, " +
      "`data` without a `type` is base64 (BINARY).",
  });

const record = recordShape.extend({
  partition_id: z.int().min(0).max(0x7fffffff).nullish(),
  key: data.nullish(),
  value: data.nullish(),
});

const part = z.object({
  type: z.enum(["BINARY", "JSON", "STRING", ...SCHEMA_TYPES]),
  subject: z.string().optional(),
  schema_id: z.int().optional(),
  schema_version: z.int().optional(),
  size: z.int().meta({ description: "Number of stored bytes." }),
});

const report = z
  .object({
    error_code: z.literal(200),
    cluster_id: z.string(),
    topic_name: z.string(),
    partition_id: z.int().nullable().meta({ description: "null: the record is spooled." }),
    offset: z.int().nullable(),
    timestamp: z.iso.datetime().optional(),
    status: z.literal("spooled").optional(),
    key: part.optional(),
    value: part.optional(),
  })
  .meta({ id: "RecordReport" });

export const produceRecords: Documentation = {
  id: "produceRecords",
  tag: TAG,
  summary: "v3: store one record or a stream of records",
  description:
    "If the body is one JSON object with a Content-Length, the HTTP status is the status of that record. A chunked body is a " +
    "stream: the gateway sends one report per line, in the order of the records, and the connection can stay open for hours.",
  path: { cluster, topic },
  query: { http_status: alwaysStatus200 },
  body: { content: json(record) },
  answers: {
    200: {
      description: "The report of the record; in a stream, one report per line.",
      content: json(z.union([report, restProxyError])),
    },
  },
  errors: [
    ...PRODUCE_ERRORS,
    ...BODY_ERRORS,
    "PARTITION_UNKNOWN",
    ...EVENT_ERRORS,
    "ID_UNRESOLVED",
    ...SCHEMA_ERRORS,
  ],
};

export const produceRecordsBatch: Documentation = {
  id: "produceRecordsBatch",
  tag: TAG,
  summary: "v3: store a batch of records, each with an id",
  path: { cluster, topic },
  headers: { "Idempotency-Key": idempotencyKey },
  body: {
    content: json(
      z.strictObject({ entries: z.array(record.extend({ id: z.string().min(1).max(80) })).min(1) }),
    ),
  },
  answers: {
    207: {
      description: "The report of each entry, with its id.",
      content: json(
        z.object({
          successes: z.array(report.extend({ id: z.string() })),
          failures: z.array(restProxyError.extend({ id: z.string() })),
        }),
      ),
    },
  },
  errors: [...PRODUCE_ERRORS, ...BODY_ERRORS, "BATCH_INVALID", "IDEMPOTENCY_KEY_REUSED"],
};

export const v2 = (schema: z.ZodType): Content => ({ [V2_TYPE]: schema });

const schemaText = z
  .string()
  .nullish()
  .meta({ description: "Text of the schema. Send this text or the id of the schema, not both." });

const v2Schemas = {
  key_schema: schemaText,
  key_schema_id: id.nullish(),
  value_schema: schemaText,
  value_schema_id: id.nullish(),
} as const;

const v2Body = (data: z.ZodType, more: z.ZodRawShape = {}): z.ZodType =>
  z.strictObject({
    ...more,
    records: z
      .array(
        v2RecordShape.extend({
          key: data.nullish(),
          value: data.nullish(),
          partition: z.number().min(0).multipleOf(1).nullish(),
          timestamp: z
            .number()
            .min(0)
            .multipleOf(1)
            .nullish()
            .meta({ description: "Milliseconds since 1970." }),
          headers: z.array(z.strictObject({ key: z.string(), value: z.base64().nullish() })).nullish(),
        }),
      )
      .min(1),
  });

const offsets: Answer = {
  description: "The offset or the error of each record, in the order of the records.",
  content: v2(
    z.object({
      offsets: z.array(
        z.object({
          partition: z.int().nullable(),
          offset: z.int().nullable(),
          error_code: z.int().nullable(),
          error: z.string().nullable(),
          status: z.literal("spooled").optional(),
        }),
      ),
      key_schema_id: z.int().nullable(),
      value_schema_id: z.int().nullable(),
    }),
  ),
};

const produceV2 = {
  tag: TAG,
  body: {
    content: {
      "application/vnd.kafka.json.v2+json": v2Body(z.unknown()),
      "application/vnd.kafka.binary.v2+json": v2Body(z.base64()),
      "application/vnd.kafka.text.v2+json": v2Body(z.string()),
      "application/vnd.kafka.avro.v2+json": v2Body(z.unknown(), v2Schemas),
      "application/vnd.kafka.jsonschema.v2+json": v2Body(z.unknown(), v2Schemas),
      "application/vnd.kafka.protobuf.v2+json": v2Body(z.unknown(), v2Schemas),
    },
  },
  answers: { 200: offsets },
  errors: [
    ...PRODUCE_ERRORS,
    ...BODY_ERRORS,
    ...SCHEMA_ERRORS,
    "SHAPE_INVALID",
    "KEY_SCHEMA_MISSING",
    "VALUE_SCHEMA_MISSING",
  ],
} as const satisfies Partial<Documentation>;

export const produceToTopic: Documentation = {
  ...produceV2,
  id: "produceToTopic",
  summary: "v2: store records",
  path: { topic },
};

export const produceToPartition: Documentation = {
  ...produceV2,
  id: "produceToPartition",
  summary: "v2: store records in one partition",
  path: { topic, partition },
  errors: [...produceV2.errors, "PARTITION_UNKNOWN"],
};
