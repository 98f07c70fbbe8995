/** The documentation of a route. `openapi.ts` makes the OpenAPI document of it. */
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";

/** Schemas by media type. */
export type Content = Readonly<Record<string, z.ZodType>>;

export interface Answer {
  readonly description: string;
  /** Absent: the answer has no body. */
  readonly content?: Content;
  /** Descriptions of the answer's headers, by name. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Parameter {
  readonly description: string;
  readonly schema: z.ZodType;
}

export interface Documentation {
  /** Unique among the routes of a listener: generated clients use it as the name of a function. */
  readonly id: string;
  /** The chapter of the document. */
  readonly tag: string;
  readonly summary: string;
  /** Markdown. */
  readonly description?: string;
  /** Path parameters, one for each `:name` of the path. */
  readonly path?: Readonly<Record<string, Parameter>>;
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly headers?: Readonly<Record<string, Parameter>>;
  /** The request body as clients send it: before defaults and transformations. */
  readonly body?: { readonly content: Content; readonly optional?: boolean };
  readonly answers: Readonly<Record<number, Answer>>;
  /** Failures of this route. Those of its credentials and of reading a body are added automatically. */
  readonly errors: readonly ErrorCode[];
}

/** Failures of the station in the path. */
export const STATION_ERRORS = [
  "STATION_NAME_INVALID",
  "STATION_FORBIDDEN",
  "STATION_UNKNOWN",
] as const satisfies ErrorCode[];

/** Failures of storing an event. */
export const STORE_ERRORS = [
  "BROKER_UNAVAILABLE",
  "BROKER_AMBIGUOUS",
  "OVERLOADED",
  "REGISTRY_UNAVAILABLE",
] as const satisfies ErrorCode[];

/** Refusals of one event because of its content. */
export const EVENT_ERRORS = [
  "SCHEMA_REFUSED",
  "FRAME_REFUSED",
  "KEY_REFUSED",
  "EVENT_ID_REFUSED",
  "KEY_TOO_LARGE",
  "RECORD_TOO_LARGE",
  "RECORD_REFUSED",
  "RECORD_HEADERS_TOO_MANY",
  "RECORD_HEADERS_TOO_LARGE",
] as const satisfies ErrorCode[];

export const json = (schema: z.ZodType): Content => ({ "application/json": schema });

export const stationName: Parameter = {
  description: "Name of the station. The gateway converts it to lower case.",
  schema: z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/),
};

export const prefer: Parameter = {
  description: "`return=representation` adds the outcome of each event to the answer (RFC 7240).",
  schema: z.string(),
};

export const idempotencyKey: Parameter = {
  description:
    "A repeated request with the same key stores no event again. It must have the same body and content type. On a station with `once` the ids of the events count instead.",
  schema: z.string().regex(/^[\x21-\x7e]{1,255}$/),
};

export const connectorName: Parameter = {
  description: "Name of the connector.",
  schema: z.string().regex(/^[^/?#%\s]+$/),
};
