/** Decoding of a stream's events by the schema registry. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import type { JsonForm } from "../../formats/format.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { Decoder } from "../../registry/decoder.ts";

export interface StreamDecoding {
  readonly decoder: Decoder;
  readonly form: JsonForm;
}

export interface SchemaWaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onError: (error: GatewayError) => void;
}

const AGAIN_MS = 500;

/**
 * Resolves when the schemas of the records are known, however long the registry is unavailable, or when the stream is over.
 * undefined: they are known.
 */
export type SchemasKnown = (records: readonly ConsumedRecord[]) => Promise<void> | undefined;

export const createSchemaWait =
  ({ decoder }: StreamDecoding, options: SchemaWaitOptions): SchemasKnown =>
  (records) => {
    const asked = decoder.prepare(records);
    return asked && untilKnown(asked, () => decoder.prepare(records), options);
  };

const untilKnown = async (
  asked: Promise<void>,
  ask: () => Promise<void> | undefined,
  { clock, signal, onError }: SchemaWaitOptions,
): Promise<void> => {
  let waiting: Promise<void> | undefined = asked;
  while (waiting !== undefined && !signal.aborted) {
    try {
      await waiting;
      return;
    } catch (error) {
      onError(asGatewayError(error));
      await pause(clock, AGAIN_MS, signal);
    }
    waiting = ask();
  }
};

/** All streams with filters ask about the same records. */
const known = new WeakMap<ConsumedRecord, Map<JsonForm, Buffer | null>>();

/** The JSON that a filter checks: the decoded value, or the stored value without a decoding. null: a tombstone, or the value can't be decoded. */
export const filteredValue = (
  record: ConsumedRecord,
  decoding: StreamDecoding | undefined,
): Buffer | null => {
  if (decoding === undefined) return record.value;
  const forms = known.get(record) ?? new Map<JsonForm, Buffer | null>();
  const before = forms.get(decoding.form);
  if (before !== undefined) return before;
  const decoded = decoding.decoder.decode(record, "value", decoding.form);
  const json = decoded?.status === "decoded" ? decoded.json : null;
  known.set(record, forms.set(decoding.form, json));
  return json;
};
