/** The documentation of consumer instances. */
import { z } from "zod";
import { RECORD_FORMATS } from "../../../../consume/instances/record-format.ts";
import { LONGEST_TIMEOUT_MS, V2_TYPE } from "../../../../consume/instances/requests.ts";
import type { ErrorCode } from "../../../../errors.ts";
import type { Content, Documentation, Parameter } from "../../../documentation.ts";
import { commitShape, createShape, partitionsShape, subscriptionShape } from "./bodies.ts";

const TAG = "REST Proxy consumers";

const name = z.string().regex(/^[^/?#%\s]+$/);
const group: Parameter = { description: "The consumer group, with its exact name in Kafka.", schema: name };
const instance: Parameter = { description: "Name of the consumer instance.", schema: name };
const path = { group, instance };

const v2 = (schema: z.ZodType): Content => ({ [V2_TYPE]: schema, "application/json": schema });

const BODY_ERRORS = [
  "CONTENT_TYPE_UNSUPPORTED",
  "JSON_INVALID",
  "JSON_TOO_DEEP",
  "SHAPE_INVALID",
] as const satisfies ErrorCode[];
const GROUP_ERRORS = [
  "ADMINISTRATION_DISABLED",
  "GROUP_FORBIDDEN",
  "REQUEST_INVALID",
  "GROUP_IN_USE",
  "HOME_UNAVAILABLE",
  "BROKER_UNAVAILABLE",
  "OVERLOADED",
] as const satisfies ErrorCode[];
const INSTANCE_ERRORS = [...GROUP_ERRORS, "INSTANCE_UNKNOWN"] as const satisfies ErrorCode[];
const TOPIC_ERRORS = ["STATION_FORBIDDEN", "TOPIC_UNKNOWN"] as const satisfies ErrorCode[];
const PARTITION_ERRORS = [
  ...INSTANCE_ERRORS,
  ...BODY_ERRORS,
  ...TOPIC_ERRORS,
  "PARTITION_UNKNOWN",
  "INSTANCE_CONFLICT",
] as const satisfies ErrorCode[];

const done = { 204: { description: "Done." } } as const;

const flag = z.union([z.boolean(), z.enum(["true", "false"])]).nullish();
const integer = z.union([z.int(), z.string()]).nullish();

export const createInstance: Documentation = {
  id: "createConsumerInstance",
  tag: TAG,
  summary: "v2: create a consumer instance",
  description: "`id` has precedence over `name`. Without `id` and `name`, the gateway chooses a name.",
  path: { group },
  body: {
    optional: true,
    content: v2(
      createShape.extend({
        format: z.enum(RECORD_FORMATS).nullish(),
        "auto.offset.reset": z.enum(["latest", "earliest"]).nullish(),
        "auto.commit.enable": flag,
        "enable.auto.commit": flag,
        "fetch.min.bytes": integer,
        "consumer.request.timeout.ms": integer,
      }),
    ),
  },
  answers: {
    200: {
      description: "The name of the instance, and its URL.",
      content: { [V2_TYPE]: z.object({ instance_id: z.string(), base_uri: z.string() }) },
    },
  },
  errors: [
    ...GROUP_ERRORS,
    ...BODY_ERRORS,
    "INSTANCE_SETTING_INVALID",
    "FETCH_MIN_BYTES_INVALID",
    "REGISTRY_MISSING",
    "INSTANCE_EXISTS",
    "RATE_LIMITED",
  ],
};

export const deleteInstance: Documentation = {
  id: "deleteConsumerInstance",
  tag: TAG,
  summary: "v2: delete a consumer instance",
  description:
    "If the instance commits automatically, the gateway first commits the records of its last answer.",
  path,
  answers: done,
  errors: INSTANCE_ERRORS,
};

export const subscribe: Documentation = {
  id: "subscribeConsumerInstance",
  tag: TAG,
  summary: "v2: subscribe a consumer instance",
  description:
    "Replaces the subscription. A pattern must match the whole name of a station, and matches only stations that the caller " +
    "may read. An empty list of topics ends the subscription.",
  path,
  body: { content: v2(subscriptionShape) },
  answers: done,
  errors: [...INSTANCE_ERRORS, ...BODY_ERRORS, ...TOPIC_ERRORS, "INSTANCE_CONFLICT"],
};

const partitions = partitionsShape;

export const showSubscription: Documentation = {
  id: "showConsumerSubscription",
  tag: TAG,
  summary: "v2: show the subscription of a consumer instance",
  path,
  answers: {
    200: {
      description: "The topics, and the partitions of each topic that the instance reads.",
      content: {
        [V2_TYPE]: z.object({
          topics: z.array(z.string()),
          partitions: z.array(z.record(z.string(), z.array(z.int()))),
        }),
      },
    },
  },
  errors: INSTANCE_ERRORS,
};

export const unsubscribe: Documentation = {
  id: "unsubscribeConsumerInstance",
  tag: TAG,
  summary: "v2: end the subscription or the assignment of a consumer instance",
  path,
  answers: done,
  errors: INSTANCE_ERRORS,
};

export const assign: Documentation = {
  id: "assignConsumerInstance",
  tag: TAG,
  summary: "v2: assign partitions to a consumer instance",
  path,
  body: { content: v2(partitions) },
  answers: done,
  errors: PARTITION_ERRORS,
};

export const showAssignment: Documentation = {
  id: "showConsumerAssignment",
  tag: TAG,
  summary: "v2: show the partitions of a consumer instance",
  path,
  answers: { 200: { description: "The partitions.", content: { [V2_TYPE]: partitions } } },
  errors: INSTANCE_ERRORS,
};

const at = partitions.shape.partitions.element;

export const seek: Documentation = {
  id: "seekConsumerInstance",
  tag: TAG,
  summary: "v2: set the positions of a consumer instance",
  description: "A timestamp without a later event sets the position to the end of the partition.",
  path,
  body: {
    content: v2(
      z.strictObject({
        offsets: z.array(at.extend({ offset: z.int().min(0), metadata: z.string().nullish() })).nullish(),
        timestamps: z.array(at.extend({ timestamp: z.iso.datetime({ offset: true }) })).nullish(),
      }),
    ),
  },
  answers: done,
  errors: PARTITION_ERRORS,
};

export const seekToBeginning: Documentation = {
  id: "seekConsumerInstanceToBeginning",
  tag: TAG,
  summary: "v2: set positions to the first records",
  path,
  body: { content: v2(partitions) },
  answers: done,
  errors: PARTITION_ERRORS,
};

export const seekToEnd: Documentation = {
  id: "seekConsumerInstanceToEnd",
  tag: TAG,
  summary: "v2: set positions to the ends of partitions",
  path,
  body: { content: v2(partitions) },
  answers: done,
  errors: PARTITION_ERRORS,
};

const encoding = z.enum(["text", "base64"]).optional();

const records = z.array(
  z
    .object({
      topic: z.string(),
      key: z.unknown(),
      value: z.unknown(),
      partition: z.int(),
      offset: z.int(),
      timestamp: z.int(),
      key_encoding: encoding,
      value_encoding: encoding,
      headers: z.array(z.object({ key: z.string(), value: z.string().nullable() })).optional(),
    })
    .meta({ id: "ConsumerRecord" }),
);

export const readRecords: Documentation = {
  id: "readConsumerRecords",
  tag: TAG,
  summary: "v2: read the next records",
  description:
    "The gateway answers when `fetch.min.bytes` bytes are available, or after the timeout. The next call commits the records of this answer " +
    "if the instance commits automatically.",
  path,
  query: {
    timeout: {
      description: `Milliseconds to wait for records. The gateway shortens a time above ${LONGEST_TIMEOUT_MS} to ${LONGEST_TIMEOUT_MS}.`,
      schema: z.string().regex(/^\d{1,15}$/),
    },
    max_bytes: {
      description: "Maximum number of bytes of keys and values. A single larger record is returned alone.",
      schema: z.string().regex(/^-?\d{1,15}$/),
    },
  },
  answers: {
    200: {
      description: "The records, in the content type that the client accepts.",
      content: {
        [V2_TYPE]: records,
        "application/json": records,
        ...Object.fromEntries(
          RECORD_FORMATS.map((format) => [`application/vnd.kafka.${format}.v2+json`, records]),
        ),
      },
    },
  },
  errors: [
    ...INSTANCE_ERRORS,
    "STATION_FORBIDDEN",
    "INSTANCE_CONFLICT",
    "FORMAT_UNACCEPTABLE",
    "INSTANCE_SETTING_INVALID",
    "SHAPE_INVALID",
  ],
};

export const commit: Documentation = {
  id: "commitConsumerOffsets",
  tag: TAG,
  summary: "v2: commit offsets",
  description:
    "Without `offsets` the call commits all records that the instance has read. With `offsets` the gateway stores `offset` + 1.",
  path,
  body: { optional: true, content: v2(commitShape) },
  answers: {
    200: { description: "Kafka has the commit.", content: { [V2_TYPE]: z.array(z.unknown()).max(0) } },
  },
  errors: PARTITION_ERRORS,
};

export const showCommitted: Documentation = {
  id: "showConsumerOffsets",
  tag: TAG,
  summary: "v2: show the committed offsets",
  path,
  query: {
    partitions: {
      description: "The partitions, such as `orders:0,orders:1`, instead of a body.",
      schema: z.string().regex(/^[^,:]+:\d{1,9}(,[^,:]+:\d{1,9})*$/),
    },
  },
  answers: {
    200: {
      description: "The stored offsets. A partition without a stored offset is left out.",
      content: {
        [V2_TYPE]: z.object({ offsets: z.array(at.extend({ offset: z.int(), metadata: z.string() })) }),
      },
    },
  },
  errors: PARTITION_ERRORS,
};
