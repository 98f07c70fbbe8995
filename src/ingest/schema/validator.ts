/** What every kind of schema offers: judging one event's bytes. */
import { GatewayError } from "../../errors.ts";

export interface Accepted {
  readonly status: "accepted";
  /** The bytes to store: those that came, unless the schema asks for another encoding (JSON to protobuf). */
  readonly value: Buffer;
  /** Content type of `value`. */
  readonly contentType: string | undefined;
}

export interface Refused {
  readonly status: "refused";
  /** SCHEMA_REFUSED with the exact text that the Memphis API promises. */
  readonly error: GatewayError;
}

export interface EventValidator {
  readonly kind: "json-schema" | "zod" | "protobuf";
  /** Settles whatever the bytes are; never throws. */
  validate(value: Buffer, contentType: string | undefined): Accepted | Refused;
  /** An accepted event as JSON text, for what points into it; absent where its bytes are JSON already. */
  asJson?(value: Buffer): Buffer;
}

/** Memphis' words for a refused event; `reason` is what this kind of schema has to say. */
export const schemaRefused = (reason: string, cause?: unknown): Refused => ({
  status: "refused",
  error: new GatewayError("SCHEMA_REFUSED", { message: `Schema validation has failed: ${reason}`, cause }),
});
