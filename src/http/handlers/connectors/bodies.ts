/** Request bodies of `/connectors`: JSON in the shapes of Kafka Connect. */
import type { Request } from "express";
import { z } from "zod";
import type { RawConfig } from "../../../delivery/connectors/masking.ts";
import type { ConfigPatch } from "../../../delivery/connectors/changes.ts";
import type { OffsetRequest } from "../../../delivery/connectors/offsets.ts";
import { TARGETS, type Target } from "../../../delivery/connectors/connector-log-view.ts";
import { GatewayError } from "../../../errors.ts";
import { parseDocument } from "../../../formats/json.ts";
import { shaped } from "../../faults.ts";
import type { ReadBody } from "../../middleware/body/body.ts";

const anObject = "must be an object";

/** Each setting costs time to check, so their number is limited before zod sees them. */
const MAX_SETTINGS = 1000;
/** Maximum number of entries of a body, of its `config` and of its `offsets`. zod keeps an issue for each wrong entry. */
const MAX_ENTRIES = 10_000;

const isShort = (value: unknown): boolean => Object.keys(Object(value) as object).length <= MAX_SETTINGS;

/**
 * In Connect all settings are strings, so the schemas below convert numbers and booleans to strings. null is left out of a
 * configuration; in a patch it removes the setting.
 */
const settings = z
  .unknown()
  .refine(isShort, { error: `must have at most ${MAX_SETTINGS} settings` })
  .pipe(
    z.record(
      z.string(),
      z.union([z.string(), z.number(), z.boolean(), z.null()], {
        error: "must be a string, a number or a boolean",
      }),
      { error: "must be an object of settings" },
    ),
  );

export const configSchema = settings.transform((config): RawConfig =>
  Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]])),
  ),
);

const patchSchema = settings.transform((patch): ConfigPatch =>
  Object.fromEntries(
    Object.entries(patch).map(([key, value]) => [key, value === null ? null : String(value)]),
  ),
);

export const creationSchema = z.strictObject(
  {
    name: z.string({ error: "must be a string" }),
    config: configSchema,
    initial_state: z
      .string({ error: "must be a string" })
      .transform((state) => state.toUpperCase())
      .pipe(z.enum(TARGETS, { error: `must be one of ${TARGETS.join(", ")}` }))
      .nullish(),
  },
  {
    error: ({ code, keys }) =>
      code === "unrecognized_keys" ? `has unknown fields: ${keys.slice(0, 10).join(", ")}` : anObject,
  },
);

const WHOLE = { error: "must be a whole number, 0 or greater" };
const TIME = {
  error: "must be milliseconds since the epoch, or a date and time such as 2026-01-31T00:00:00Z",
};

const offsetSchema = z
  .union([z.int(WHOLE).nonnegative(WHOLE), z.string().regex(/^\d{1,18}$/, WHOLE)], WHOLE)
  .transform((offset) => ({ offset: BigInt(offset) }));

const timestampSchema = z
  .union(
    [
      z.int(TIME).nonnegative(TIME),
      z.iso.datetime({ offset: true, ...TIME }).transform((text) => Date.parse(text)),
    ],
    TIME,
  )
  .transform((timestamp) => ({ timestamp }));

const MAX_PARTITION = 2 ** 31 - 1;

const partitionSchema = z.union(
  [
    z.int(WHOLE).min(0, WHOLE).max(MAX_PARTITION, WHOLE),
    z
      .string()
      .regex(/^\d{1,9}$/, WHOLE)
      .transform(Number),
  ],
  WHOLE,
);

const positionSchema = z
  .strictObject(
    { kafka_offset: offsetSchema.optional(), kafka_timestamp: timestampSchema.optional() },
    { error: "must be null, or an object with either kafka_offset or kafka_timestamp" },
  )
  .refine(({ kafka_offset, kafka_timestamp }) => (kafka_offset ?? kafka_timestamp) !== undefined, {
    error: "must have kafka_offset or kafka_timestamp",
  })
  .refine(
    ({ kafka_offset, kafka_timestamp }) => kafka_offset === undefined || kafka_timestamp === undefined,
    {
      error: "must not have both kafka_offset and kafka_timestamp",
    },
  )
  .transform(
    ({ kafka_offset, kafka_timestamp }): OffsetRequest["to"] => kafka_offset ?? kafka_timestamp ?? null,
  );

export const offsetsSchema = z.object(
  {
    offsets: z
      .array(
        z.object(
          {
            partition: z.object(
              { kafka_topic: z.string({ error: "must be a string" }), kafka_partition: partitionSchema },
              { error: anObject },
            ),
            offset: positionSchema.nullable(),
          },
          { error: anObject },
        ),
        { error: "must be an array" },
      )
      .min(1, { error: "must not be empty" }),
  },
  { error: anObject },
);

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** Rejects with CONTENT_TYPE_UNSUPPORTED or JSON_INVALID. A missing content type is accepted. */
export const readJson = async (request: Request, readBody: ReadBody): Promise<unknown> => {
  const contentType = request.headers["content-type"];
  if (contentType !== undefined && !JSON_TYPE.test(contentType)) {
    throw new GatewayError("CONTENT_TYPE_UNSUPPORTED", { message: "HTTP 415 Unsupported Media Type" });
  }
  const body = await readBody(request);
  try {
    return parseDocument(body);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("JSON_INVALID", { message: "The request body is not JSON", cause });
  }
};

/** Throws REQUEST_INVALID if the body, its `config` or its `offsets` has more than `MAX_ENTRIES` entries. */
const requireFew = (body: unknown): void => {
  if (typeof body !== "object" || body === null) return;
  const { config, offsets } = body as Record<string, unknown>;
  for (const entries of [body, config, offsets]) {
    if (typeof entries !== "object" || entries === null) continue;
    if (Object.keys(entries).length > MAX_ENTRIES) {
      throw new GatewayError("REQUEST_INVALID", { message: `body must have at most ${MAX_ENTRIES} entries` });
    }
  }
};

/** Throws like `requireFew` and `shaped`. */
const shapedBody = <T>(schema: z.ZodType<T>, body: unknown): T => {
  requireFew(body);
  return shaped(schema, body);
};

const requireSameName = (name: string, config: RawConfig): void => {
  const included = config["name"];
  if (included === undefined || included === name) return;
  throw new GatewayError("REQUEST_INVALID", {
    message: `Connector name configuration (${included}) doesn't match connector name in the URL (${name})`,
  });
};

export interface Creation {
  readonly name: string;
  readonly config: RawConfig;
  readonly target: Target | undefined;
}

export const readCreation = async (request: Request, readBody: ReadBody): Promise<Creation> => {
  const { name, config, initial_state } = shapedBody(creationSchema, await readJson(request, readBody));
  requireSameName(name.trim(), config);
  return { name: name.trim(), config, target: initial_state ?? undefined };
};

/** The body is a configuration, or `{name, config}` as in the documentation of the Auckland sink. */
export const readConfig = async (request: Request, readBody: ReadBody, name: string): Promise<RawConfig> => {
  const body = await readJson(request, readBody);
  requireFew(body);
  const wrapped = z.object({ config: configSchema }).safeParse(body);
  const config = wrapped.success ? wrapped.data.config : shapedBody(configSchema, body);
  requireSameName(name, config);
  return config;
};

export const readPatch = async (request: Request, readBody: ReadBody, name: string): Promise<ConfigPatch> => {
  const patch = shapedBody(patchSchema, await readJson(request, readBody));
  if (patch["name"] !== undefined) requireSameName(name, { name: patch["name"] ?? "" });
  return patch;
};

export const readPluginConfig = async (request: Request, readBody: ReadBody): Promise<RawConfig> =>
  shapedBody(configSchema, await readJson(request, readBody));

export const readOffsets = async (
  request: Request,
  readBody: ReadBody,
): Promise<readonly OffsetRequest[]> => {
  const { offsets } = shapedBody(offsetsSchema, await readJson(request, readBody));
  return offsets.map(({ partition, offset }) => ({
    topic: partition.kafka_topic,
    partition: partition.kafka_partition,
    to: offset,
  }));
};
