/** One object of a v3 body or stream: its record, or what is wrong with it. */
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { checkBinaryEvent } from "../../../ingest/cloudevents/binary.ts";
import { parseJson } from "../../../ingest/content/json.ts";
import { membersOf } from "../../../lib/json-members.ts";
import { skipSpace } from "../../../lib/json-scan.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import type { StreamItem } from "../../../ingest/stream/stream.ts";
import type { AuthorisedCall } from "../../call.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { PARTS, readRecord, recordShape, type RecordContext } from "./record.ts";
import type { Reported } from "./report.ts";
import { faultOf } from "./shape.ts";

export interface Item extends StreamItem, Reported {}

export type ReadItem = (text: Buffer) => Item | GatewayError;

/**
 * For the objects of one call. An error in place of an item means that nothing behind it can be taken: it can't be
 * parsed, or is larger than we take. Any other fault is the record's own. Throws CLOUDEVENT_INVALID for a request
 * whose `ce-*` headers are no event's.
 */
export const itemReader = (call: AuthorisedCall, dependencies: RestProxyDependencies): ReadItem => {
  const { maxEventBytes } = dependencies;
  const context = recordContext(call, dependencies);
  return (text) => {
    try {
      const item = readItem(text, context);
      const size = item.value?.bytes?.length ?? 0;
      return size > maxEventBytes ? new GatewayError("RECORD_TOO_LARGE") : item;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      const isBroken = error.code === "JSON_INVALID" || error.code === "JSON_TOO_DEEP";
      return isBroken ? error : { event: error, key: undefined, value: undefined };
    }
  };
};

export const recordContext = (
  { request }: AuthorisedCall,
  { contentLimits }: RestProxyDependencies,
): RecordContext => {
  const headers = recordHeadersOf(request.rawHeaders);
  checkBinaryEvent(headers);
  return { headers, contentLimits };
};

const readItem = (text: Buffer, context: RecordContext): Item => {
  const given = recordShape.safeParse(parseJson(text, context.contentLimits));
  if (!given.success) throw new GatewayError("REQUEST_INVALID", { message: faultOf(given.error) });
  const { spans } = membersOf(text, skipSpace(text, 0), PARTS);
  return readRecord(given.data, { bytes: text, spans }, context);
};

export const eventOf = ({ event }: Item): Item["event"] => event;
