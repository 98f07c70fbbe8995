/** The report of one record in the v3 API. */
import type { EventOutcome } from "../../../ingest/produce.ts";
import type { AuthorisedCall } from "../../call.ts";
import { recordError } from "../../families.ts";
import type { TextOf } from "../../results.ts";
import type { RegisteredSchema } from "../../../registry/contract.ts";
import type { RecordPart } from "./record-part.ts";
import { pathParameter } from "../../url.ts";

export interface Reported {
  readonly key: RecordPart | undefined;
  readonly value: RecordPart | undefined;
}

export interface Reporter {
  /** Returns the report as JSON. If the record has an `id`, the report begins with it. */
  report(record: Reported, outcome: EventOutcome, id?: string): string;
}

/** The reports contain the cluster and the topic of the path. `textOf` limits the error texts of one answer. */
export const reporterOf = (call: AuthorisedCall, textOf?: TextOf): Reporter =>
  createReporter(pathParameter(call.request, "cluster"), pathParameter(call.request, "topic"), textOf);

/** Writes the JSON by hand, because a stream has one report per record: 0.1 µs instead of 1.8 µs with JSON.stringify. */
const createReporter = (
  clusterId: string,
  topic: string,
  textOf: TextOf = ({ message }) => message,
): Reporter => {
  const head = `"error_code":200,"cluster_id":${JSON.stringify(clusterId)},"topic_name":${JSON.stringify(topic)}`;
  const timeOf = cachedTime();
  return {
    report: ({ key, value }, outcome, id) => {
      const begin = id === undefined ? "{" : `{"id":${JSON.stringify(id)},`;
      if (outcome.status === "failed")
        return begin + JSON.stringify(recordError(outcome.error, textOf(outcome.error))).slice(1);
      if (outcome.status === "spooled")
        return `${begin}${head},"partition_id":null,"offset":null,"status":"spooled"${part("key", key)}${part("value", value)}}`;
      const { partition, offset, timestamp } = outcome;
      const { written, duplicate } = outcome;
      // The time of a duplicate's first record is not known.
      const time = duplicate === true ? "" : `,"timestamp":"${timeOf(timestamp)}"`;
      const position = `"partition_id":${partition},"offset":${offset.toString()}${time}`;
      if (written === undefined)
        return `${begin}${head},${position}${part("key", key)}${part("value", value)}}`;
      const keyPart = key && framedPart("key", key, { schema: written.key, size: written.keyBytes });
      const valuePart =
        value && framedPart("value", value, { schema: written.value, size: written.valueBytes });
      return `${begin}${head},${position}${keyPart ?? ""}${valuePart ?? ""}}`;
    },
  };
};

const part = (name: string, given: RecordPart | undefined): string =>
  given === undefined ? "" : `,"${name}":{"type":"${given.type}","size":${given.bytes?.length ?? 0}}`;

/** Names the schema of a part, if a schema of the registry has encoded the part. */
const framedPart = (
  name: string,
  given: RecordPart,
  { schema: found, size }: { readonly schema: RegisteredSchema | undefined; readonly size: number },
): string => {
  if (found === undefined) return part(name, given);
  const { id, subject, version, schema } = found;
  return `,"${name}":${JSON.stringify({ type: schema.type, subject, schema_id: id, schema_version: version, size })}`;
};

/** Formats a time only if it differs from the last one: records of one call often have the same time. */
const cachedTime = (): ((timestamp: number) => string) => {
  let last = Number.NaN;
  let text = "";
  return (timestamp) => {
    if (timestamp !== last) {
      last = timestamp;
      text = new Date(timestamp).toISOString();
    }
    return text;
  };
};
