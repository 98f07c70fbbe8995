/** Request bodies of `/connectors`, as Kafka Connect takes them: JSON, and nothing else. */
import type { Request } from "express";
import { z } from "zod";
import type { RawConfig } from "../../../delivery/config/masking.ts";
import type { OffsetRequest } from "../../../delivery/connectors/offsets.ts";
import { TARGETS, type Target } from "../../../delivery/connectors/records.ts";
import { GatewayError } from "../../../errors.ts";
import type { ReadBody } from "../../middleware/body.ts";

/** Connect's settings are texts; numbers and flags are taken as what they are written as, null as absent. */
export const configSchema = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .transform((config): RawConfig =>
    Object.fromEntries(
      Object.entries(config).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]])),
    ),
  );

export const creationSchema = z.object({
  name: z.string(),
  config: configSchema,
  initial_state: z
    .string()
    .transform((state) => state.toUpperCase())
    .pipe(z.enum(TARGETS))
    .nullish(),
});

const offsetSchema = z
  .union([z.int().nonnegative(), z.string().regex(/^\d{1,18}$/)])
  .transform((offset) => ({ offset: BigInt(offset) }));

const timestampSchema = z
  .union([z.int().nonnegative(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])
  .transform((timestamp) => ({ timestamp }));

export const offsetsSchema = z.object({
  offsets: z
    .array(
      z.object({
        partition: z.object({
          kafka_topic: z.string(),
          kafka_partition: z.coerce.number().int().nonnegative(),
        }),
        offset: z
          .union([
            z.object({ kafka_offset: offsetSchema }).transform(({ kafka_offset }) => kafka_offset),
            z
              .object({ kafka_timestamp: timestampSchema })
              .transform(({ kafka_timestamp }) => kafka_timestamp),
          ])
          .nullable(),
      }),
    )
    .min(1),
});

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

const readJson = async (request: Request, readBody: ReadBody): Promise<unknown> => {
  const contentType = request.headers["content-type"];
  if (contentType !== undefined && !JSON_TYPE.test(contentType)) {
    throw new GatewayError("CONTENT_TYPE_UNSUPPORTED", { message: "HTTP 415 Unsupported Media Type" });
  }
  const body = await readBody(request);
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new GatewayError("JSON_INVALID", { message: "The request's body is not JSON", cause });
  }
};

const shaped = <T>(schema: z.ZodType<T>, body: unknown): T => {
  const { success, data, error } = schema.safeParse(body);
  if (success) return data;
  const faults = error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  throw new GatewayError("REQUEST_INVALID", { message: faults.join("\n") });
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
  const { name, config, initial_state } = shaped(creationSchema, await readJson(request, readBody));
  requireSameName(name.trim(), config);
  return { name: name.trim(), config, target: initial_state ?? undefined };
};

/** A bare configuration; `{name, config}` is understood too, as the sink's documentation has it. */
export const readConfig = async (request: Request, readBody: ReadBody, name: string): Promise<RawConfig> => {
  const body = await readJson(request, readBody);
  const wrapped = z.object({ config: configSchema }).safeParse(body);
  const config = wrapped.success ? wrapped.data.config : shaped(configSchema, body);
  requireSameName(name, config);
  return config;
};

export const readPluginConfig = async (request: Request, readBody: ReadBody): Promise<RawConfig> =>
  shaped(configSchema, await readJson(request, readBody));

export const readOffsets = async (
  request: Request,
  readBody: ReadBody,
): Promise<readonly OffsetRequest[]> => {
  const { offsets } = shaped(offsetsSchema, await readJson(request, readBody));
  return offsets.map(({ partition, offset }) => ({
    topic: partition.kafka_topic,
    partition: partition.kafka_partition,
    to: offset,
  }));
};
