/** Parameters that several routes have. */
import { z } from "zod";
import type { Parameter } from "../documentation.ts";

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
