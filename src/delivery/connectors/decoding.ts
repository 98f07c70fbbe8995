/** Decodes the values of records by the schema registry before they are sent, as a connector's `decode` says. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Decoder, Decoding as DecodedForm } from "../../registry/decoder.ts";
import type { Preparation, Prepared } from "../engine/delivery-plan.ts";

export const DECODE_FAILURES = ["stop", "dead-letter", "skip", "send"] as const;
/** What happens to a record that can't be decoded. */
export type DecodeFailure = (typeof DECODE_FAILURES)[number];

export const noRegistry = (decode: string): string =>
  `decode is ${decode}, but the gateway has no schema registry. Add the section registry to its settings.`;

export interface UndecodableRecord {
  readonly connector: string;
  readonly record: ConsumedRecord;
  readonly reason: string;
  readonly effect: DecodeFailure;
}

export interface Decoding {
  /** undefined: no registry is configured. */
  readonly decoder: Decoder | undefined;
  /** Called once for each record that is read and can't be decoded. */
  readonly onUndecodable: (undecodable: UndecodableRecord) => void;
}

export const NO_DECODING: Decoding = { decoder: undefined, onUndecodable: () => undefined };

const CONTENT_TYPE = "application/json";

export const afterFailure = (record: ConsumedRecord, effect: DecodeFailure, reason: string): Prepared => {
  if (effect === "send") return { action: "send", record };
  if (effect === "skip") return { action: "skip" };
  const action = effect === "stop" ? "stop" : "drop";
  return { action, reason, stage: "VALUE_CONVERTER" };
};

interface DecodingSettings {
  readonly name: string;
  readonly decode: Exclude<DecodedForm, "none">;
  readonly decodeFailure: DecodeFailure;
}

/**
 * Throws CONNECTOR_CONFIG_INVALID if there is no registry. A
 * retry decodes its record again, because a decoded value can be much larger than the stored value.
 */
export const decodingStep = (
  { name, decode, decodeFailure }: DecodingSettings,
  { decoder, onUndecodable }: Decoding,
): Preparation => {
  if (decoder === undefined)
    throw new GatewayError("CONNECTOR_CONFIG_INVALID", { message: noRegistry(decode) });
  const reported = new WeakSet<ConsumedRecord>();

  const failed = (record: ConsumedRecord, reason: string): Prepared => {
    if (!reported.has(record)) {
      reported.add(record);
      onUndecodable({ connector: name, record, reason, effect: decodeFailure });
    }
    return afterFailure(record, decodeFailure, `the value can't be decoded: ${reason}`);
  };

  return {
    ready: (record) => decoder.prepare([record]),
    prepare: (record) => {
      const decoded = decoder.decode(record, "value", decode);
      if (decoded === undefined) return { action: "send", record };
      return decoded.status === "decoded"
        ? { action: "send", record: { contentType: CONTENT_TYPE, ...record, value: decoded.json } }
        : failed(record, decoded.reason);
    },
  };
};
