/** v3 records on a connection that stays open. */
import { createJsonObjectCutter } from "../../../ingest/stream/json-objects.ts";
import type { StreamProtocol } from "../../../ingest/stream/stream.ts";
import type { AuthorisedCall } from "../../call.ts";
import { restProxyError } from "../../rest-proxy-error.ts";
import { answerStream, requirePlainStream } from "../../stream-answer.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { eventOf, itemReader, type Item } from "./item.ts";
import { reporterOf } from "./report.ts";
import { JSON_TYPE } from "./shape.ts";
import { stationOfTopic } from "./topic.ts";

/** Key, headers and names beside a value, and a value in base64 or with escapes. */
const maxTextBytes = (maxEventBytes: number): number => 2 * maxEventBytes + 128 * 1024;

/** A topic that can't be produced to is each record's own failure: the headers have left before the first record came. */
export const streamRecords = async (
  call: AuthorisedCall,
  dependencies: RestProxyDependencies,
): Promise<void> => {
  const { intake, stations, streams, maxEventBytes, contentLimits } = dependencies;
  requirePlainStream(call);
  const reporter = reporterOf(call);
  const store = intake.openStream(call);
  const protocol: StreamProtocol<Item> = {
    cutter: createJsonObjectCutter({ ...contentLimits, maxBytes: maxTextBytes(maxEventBytes) }),
    ordered: true,
    read: itemReader(call, dependencies),
    store: async (items) => store(await stationOfTopic(call, stations), items.map(eventOf)),
    report: (item, outcome) => reporter.report(item, outcome),
    ended: (error) => {
      call.failure = error;
      return JSON.stringify(restProxyError(error));
    },
  };
  await answerStream(call, JSON_TYPE, protocol, streams);
};
