/** One object of a v3 body or stream: its record, or what is wrong with it. */
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { parseJson } from "../../../ingest/content/json.ts";
import { membersOf } from "../../../lib/json-members.ts";
import { skipSpace } from "../../../lib/json-scan.ts";
import type { StreamItem } from "../../../ingest/stream/stream-protocol.ts";
import type { RestProxyDependencies } from "./dependencies.ts";
import { PARTS, readRecord, recordShape, hasManyHeaders, type RecordContext } from "./record.ts";
import type { Reported } from "./report.ts";
import { faultOf } from "./shape.ts";

export interface Item extends StreamItem, Reported {}

export type ReadItem = (text: Buffer) => Item | GatewayError;

const unread = (event: GatewayError): Item => ({ event, key: undefined, value: undefined });

/**
 * For the texts of one call. An error in place of an item means that nothing behind it can be taken: the text is no
 * JSON. Any other fault is the record's own.
 */
export const itemReader = (
  context: RecordContext & Pick<RestProxyDependencies, "maxEventBytes">,
): ReadItem => {
  const { maxEventBytes } = context;
  return (text) => {
    try {
      const item = readItem(text, context);
      const size = item.value?.bytes?.length ?? 0;
      return size > maxEventBytes ? unread(new GatewayError("RECORD_TOO_LARGE")) : item;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      return error.code === "JSON_INVALID" ? error : unread(error);
    }
  };
};

const readItem = (text: Buffer, context: RecordContext): Item => {
  const parsed = parseJson(text, context.contentLimits);
  if (hasManyHeaders(parsed, context)) throw new GatewayError("RECORD_HEADERS_TOO_MANY");
  const given = recordShape.safeParse(parsed);
  if (!given.success) throw new GatewayError("REQUEST_INVALID", { message: faultOf(given.error) });
  const { spans } = membersOf(text, skipSpace(text, 0), PARTS);
  return readRecord(given.data, { bytes: text, spans }, context);
};

export const eventOf = ({ event }: Item): Item["event"] => event;
