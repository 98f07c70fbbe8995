/** What a route says of itself to its users; `openapi.ts` draws the document from it. */
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";

/** Schemas by media type. */
export type Content = Readonly<Record<string, z.ZodType>>;

export interface Answer {
  readonly description: string;
  /** Absent: no body. */
  readonly content?: Content;
  /** What the answer's own headers mean, by name. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Parameter {
  readonly description: string;
  readonly schema: z.ZodType;
}

export interface Documentation {
  /** Unique over all routes of a listener; generated clients call their functions so. */
  readonly id: string;
  /** The chapter that it stands in. */
  readonly tag: string;
  readonly summary: string;
  /** Markdown. */
  readonly description?: string;
  /** Of the path, one for each of its names. */
  readonly path?: Readonly<Record<string, Parameter>>;
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly headers?: Readonly<Record<string, Parameter>>;
  /** As clients send it: before defaults and transformations. */
  readonly body?: { readonly content: Content; readonly optional?: boolean };
  readonly answers: Readonly<Record<number, Answer>>;
  /** Failures of this route, beside those that its credentials and its body bring with them. */
  readonly errors: readonly ErrorCode[];
}

export const json = (schema: z.ZodType): Content => ({ "application/json": schema });

/** Parameters that several routes have. */

export const stationName: Parameter = {
  description: "The station's name; letters are taken in lower case.",
  schema: z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/),
};

export const prefer: Parameter = {
  description: "`return=representation` asks for the outcome of each event (RFC 7240).",
  schema: z.string(),
};

export const idempotencyKey: Parameter = {
  description: "A repeat with the same key and body gets the first answer again, without a second event.",
  schema: z.string().regex(/^[\x21-\x7e]{1,255}$/),
};

export const connectorName: Parameter = {
  description: "The connector's name.",
  schema: z.string().regex(/^[^/?#%\s]+$/),
};
