/** v3 records on a connection that stays open. */
import { createJsonCutter } from "../../../ingest/stream/cutters.ts";
import { GatewayError } from "../../../errors.ts";
import type { StreamProtocol } from "../../../ingest/stream/stream-protocol.ts";
import type { AuthorisedCall } from "../../call.ts";
import { restProxyError } from "../../families.ts";
import { answerStream, requirePlainStream } from "../../stream-answer.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { eventOf, itemReader, type Item } from "./item.ts";
import { reporterOf } from "./report.ts";
import { JSON_TYPE } from "./shape.ts";
import { stationOfTopic } from "./topic.ts";

/** Key, headers and names beside a value, and a value in base64 or with escapes. */
const maxTextBytes = (maxEventBytes: number): number => 2 * maxEventBytes + 128 * 1024;

/** A record that is too large ends a stream: its sender may go on with one that never ends. */
const endingAtTooLarge = (item: Item | GatewayError): Item | GatewayError => {
  if (item instanceof GatewayError || !(item.event instanceof GatewayError)) return item;
  return item.event.code === "RECORD_TOO_LARGE" ? item.event : item;
};

/** A topic that can't be produced to is each record's own failure: the headers have left before the first record came. */
export const streamRecords = async (
  call: AuthorisedCall,
  dependencies: RestProxyDependencies,
): Promise<void> => {
  const { intake, stations, streams, maxEventBytes } = dependencies;
  requirePlainStream(call);
  const reporter = reporterOf(call);
  const store = intake.openStream(call);
  const read = itemReader(dependencies);
  const protocol: StreamProtocol<Item> = {
    cutter: createJsonCutter({ maxBytes: maxTextBytes(maxEventBytes) }),
    ordered: true,
    read: (text) => endingAtTooLarge(read(text)),
    store: async (items) => store(await stationOfTopic(call, stations), items.map(eventOf)),
    report: (item, outcome) => reporter.report(item, outcome),
    ended: (error) => {
      call.failure = error;
      return JSON.stringify(restProxyError(error));
    },
  };
  await answerStream(call, JSON_TYPE, protocol, streams);
};
