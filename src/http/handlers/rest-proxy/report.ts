/** What the v3 API tells of a record. */
import type { EventOutcome } from "../../../ingest/produce.ts";
import type { AuthorisedCall } from "../../call.ts";
import { restProxyError } from "../../families.ts";
import type { TextOf } from "../../results.ts";
import type { RecordPart } from "./record-part.ts";
import { pathParameter } from "../../url.ts";

export interface Reported {
  readonly key: RecordPart | undefined;
  readonly value: RecordPart | undefined;
}

export interface Reporter {
  /** JSON of the report; `id` stands first where the record has one. */
  report(record: Reported, outcome: EventOutcome, id?: string): string;
}

/** Reports name cluster and topic as the path does. Those of one answer share its texts. */
export const reporterOf = (call: AuthorisedCall, textOf?: TextOf): Reporter =>
  createReporter(pathParameter(call.request, "cluster"), pathParameter(call.request, "topic"), textOf);

/**
 * Written by hand, because a stream writes one for each record: 0.1 µs, where an object and
 * JSON.stringify take 1.8 µs.
 */
const createReporter = (
  clusterId: string,
  topic: string,
  textOf: TextOf = ({ message }) => message,
): Reporter => {
  const head = `"error_code":200,"cluster_id":${JSON.stringify(clusterId)},"topic_name":${JSON.stringify(topic)}`;
  const timeOf = rememberedTime();
  return {
    report: ({ key, value }, outcome, id) => {
      const begin = id === undefined ? "{" : `{"id":${JSON.stringify(id)},`;
      if (outcome.status === "failed")
        return begin + JSON.stringify(restProxyError(outcome.error, textOf(outcome.error))).slice(1);
      const { partition, offset, timestamp } = outcome;
      const place = `"partition_id":${partition},"offset":${offset.toString()},"timestamp":"${timeOf(timestamp)}"`;
      return `${begin}${head},${place}${part("key", key)}${part("value", value)}}`;
    },
  };
};

const part = (name: string, given: RecordPart | undefined): string =>
  given === undefined ? "" : `,"${name}":{"type":"${given.type}","size":${given.bytes?.length ?? 0}}`;

/** Records of one call share their time. */
const rememberedTime = (): ((timestamp: number) => string) => {
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
