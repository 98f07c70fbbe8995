/** The bodies and query parameters of consumer instances: their shapes, and the errors for other shapes. */
import { z } from "zod";
import { type InstanceSettings, LONGEST_TIMEOUT_MS } from "../../../../consume/instances/requests.ts";
import { needsRegistry, RECORD_FORMATS } from "../../../../consume/instances/record-format.ts";
import { GatewayError } from "../../../../errors.ts";
import { mediaTypeOf } from "../../../../ingest/content/content-type.ts";
import { parseDocument } from "../../../../formats/json.ts";
import type { AuthorisedCall } from "../../../call.ts";
import { faultOf, OUR_WORDS } from "../../../faults.ts";
import type { ReadBody } from "../../../middleware/body/body.ts";

const MEDIA_TYPE = /^application\/(json|vnd\.kafka(\.[a-z]+)?\.v2\+json)$/;

/**
 * The parsed body; undefined if the request has no body. Rejects with CONTENT_TYPE_UNSUPPORTED, with JSON_INVALID or JSON_TOO_DEEP, and
 * as `ReadBody`.
 */
export const readDocument = async ({ request }: AuthorisedCall, readBody: ReadBody): Promise<unknown> => {
  const type = mediaTypeOf(request.headers["content-type"] ?? "");
  if (type !== "" && !MEDIA_TYPE.test(type)) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  const body = await readBody(request);
  if (body.length === 0) return undefined;
  try {
    return parseDocument(body);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("JSON_INVALID", { cause });
  }
};

/** Throws SHAPE_INVALID with the first fault. */
export const shapeOf = <T>(shape: z.ZodType<T>, body: unknown): T => {
  const { success, data, error } = shape.safeParse(body, OUR_WORDS);
  if (success) return data;
  throw shapeInvalid(faultTextOf(error));
};

export const shapeInvalid = (message: string): GatewayError => new GatewayError("SHAPE_INVALID", { message });

const faultTextOf = ({ issues: [issue] }: z.ZodError): string =>
  issue === undefined ? "The body is not valid" : faultOf(issue, { whole: "The body" });

const flag = z.union([z.boolean(), z.enum(["true", "false"])], "must be true or false");
const integer = z.union([z.int(), z.string().regex(/^-?\d{1,15}$/)], "must be an integer");
const name = z
  .string()
  .min(1)
  .max(249)
  .refine((text) => !/[\p{Cc}\p{Cs}]/u.test(text), "must be text without control characters")
  .refine((text) => text !== "." && text !== "..", 'must not be "." or ".."');

export const createShape = z.strictObject({
  id: name.nullish(),
  name: name.nullish(),
  format: z.unknown().optional(),
  "auto.offset.reset": z.unknown().optional(),
  "auto.commit.enable": flag.nullish(),
  "enable.auto.commit": flag.nullish(),
  "fetch.min.bytes": integer.nullish(),
  "consumer.request.timeout.ms": z.unknown().optional(),
  "isolation.level": z.enum(["read_committed", "read_uncommitted"]).nullish(),
});

interface CreateRequest {
  /** undefined: the gateway chooses a name. */
  readonly name: string | undefined;
  readonly settings: InstanceSettings;
}

const MAX_MIN_BYTES = 10_000_000;

/** Throws SHAPE_INVALID, INSTANCE_SETTING_INVALID, FETCH_MIN_BYTES_INVALID or REGISTRY_MISSING. */
export const createRequestOf = (
  body: unknown,
  { defaultTimeoutMs, hasRegistry }: { readonly defaultTimeoutMs: number; readonly hasRegistry: boolean },
): CreateRequest => {
  const given = shapeOf(createShape, body ?? {});
  const minBytes = Number(given["fetch.min.bytes"] ?? 1);
  if (minBytes < -1 || minBytes > MAX_MIN_BYTES)
    throw new GatewayError("FETCH_MIN_BYTES_INVALID", {
      message: `fetch.min.bytes must be -1 to ${MAX_MIN_BYTES} (got ${minBytes})`,
    });
  return {
    name: given.id ?? given.name ?? undefined,
    settings: {
      format: formatOf(given.format ?? "binary", hasRegistry),
      reset: oneOf("auto.offset.reset", ["latest", "earliest"], given["auto.offset.reset"] ?? "latest"),
      autoCommit: String(given["auto.commit.enable"] ?? given["enable.auto.commit"] ?? true) === "true",
      minBytes,
      timeoutMs: timeoutOf(
        "consumer.request.timeout.ms",
        given["consumer.request.timeout.ms"] ?? defaultTimeoutMs,
      ),
    },
  };
};

const formatOf = (given: unknown, hasRegistry: boolean): InstanceSettings["format"] => {
  const format = oneOf("format", RECORD_FORMATS, typeof given === "string" ? given.toLowerCase() : given);
  if (hasRegistry || !needsRegistry(format)) return format;
  throw new GatewayError("REGISTRY_MISSING", {
    message: `The format ${format} needs a schema registry, and none is configured`,
  });
};

const oneOf = <T extends string>(field: string, allowed: readonly T[], given: unknown): T => {
  const found = allowed.find((one) => one === given);
  if (found !== undefined) return found;
  throw settingInvalid(`${field} must be one of ${allowed.join(", ")} (got ${shown(given)})`);
};

const settingInvalid = (message: string): GatewayError =>
  new GatewayError("INSTANCE_SETTING_INVALID", { message });

const shown = (given: unknown): string => JSON.stringify(given).slice(0, 80);

/** A longer timeout is shortened. Throws INSTANCE_SETTING_INVALID. */
export const timeoutOf = (field: string, given: unknown): number => {
  const isNumber = typeof given === "number" || (typeof given === "string" && /^\d{1,15}$/.test(given));
  const timeout = isNumber ? Number(given) : -1;
  if (Number.isInteger(timeout) && timeout >= 0) return Math.min(timeout, LONGEST_TIMEOUT_MS);
  throw settingInvalid(`${field} must be 0 to ${LONGEST_TIMEOUT_MS}, in milliseconds (got ${shown(given)})`);
};

const topic = z.string().min(1).max(249);

export const subscriptionShape = z.strictObject({
  topics: z.array(topic).nullish(),
  topic_pattern: z.string().max(1000).nullish(),
});

const partition = z.int().min(0).max(0x7fffffff);

export const partitionsShape = z.strictObject({
  partitions: z.array(z.strictObject({ topic, partition })),
});

const offset = z.int().min(0);

export const positionsShape = z
  .strictObject({
    offsets: z.array(z.strictObject({ topic, partition, offset, metadata: z.string().nullish() })).nullish(),
    timestamps: z
      .array(z.strictObject({ topic, partition, timestamp: z.iso.datetime({ offset: true }) }))
      .nullish(),
  })
  .refine(({ offsets, timestamps }) => offsets != null || timestamps != null, {
    error: "must have offsets or timestamps",
  });

export const commitShape = z.strictObject({
  offsets: z
    .array(z.strictObject({ topic, partition, offset, metadata: z.string().max(4096).nullish() }))
    .nullish(),
});

/** `?partitions=t:0,t:1`. Throws SHAPE_INVALID. */
export const partitionsInQuery = (text: string): z.output<typeof partitionsShape> => ({
  partitions: text.split(",").map((one) => {
    const [, name = "", number = ""] = /^(.+):(\d{1,9})$/.exec(one) ?? [];
    if (name !== "") return { topic: name, partition: Number(number) };
    throw shapeInvalid(`partitions must be a list such as orders:0,orders:1 (got ${shown(one)})`);
  }),
});

/** Throws SHAPE_INVALID. */
export const maxBytesOf = (text: string): number => {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw shapeInvalid(`max_bytes must be a number of bytes (got ${shown(text)})`);
};
