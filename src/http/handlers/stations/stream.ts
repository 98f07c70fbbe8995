/** `POST /stations/:name/produce/stream`: NDJSON with one event per line; the answer has one result per line. */
import { requireStation } from "../../../auth/permissions.ts";
import type { Principal } from "../../../auth/principal.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { checkJson } from "../../../formats/json.ts";
import { followPointer, valueAt } from "../../../lib/json-scan.ts";
import type { EventOutcome } from "../../../ingest/produce.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import { createLineCutter } from "../../../ingest/stream/cutters.ts";
import type { StreamItem, StreamProtocol } from "../../../ingest/stream/stream-protocol.ts";
import type { AuthorisedCall } from "../../call.ts";
import { retryAfterMs } from "../../families.ts";
import { answerStream, requirePlainStream } from "../../stream-answer.ts";
import { queryOf } from "../../url.ts";
import { refuseReservedHeaders, stationOf, type StationRouteDependencies, toProduce } from "./station-of.ts";

type Dependencies = Omit<StationRouteDependencies, "reading" | "readBody">;

const NDJSON_TYPE = "application/x-ndjson";

/** A missing content type is accepted, because clients that pipe lines into a connection often send none. */
const CONTENT_TYPES: readonly string[] = [
  NDJSON_TYPE,
  "application/ndjson",
  "application/jsonl",
  "application/json",
  "",
];

/** The event of a line, and the number and the id for its result. */
interface Line extends StreamItem {
  readonly line: number;
  /** JSON text of the id in the event; undefined if the client asked for no ids or the event has no id. */
  readonly id: string | undefined;
}

export const produceStream = (dependencies: Dependencies) => {
  const lookup = toProduce(dependencies.stations);
  return async (call: AuthorisedCall): Promise<void> => {
    refuseReservedHeaders(call);
    requirePlainStream(call);
    if (!CONTENT_TYPES.includes(mediaTypeOf(call.request.headers["content-type"] ?? "")))
      throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
    const idOf = idReader(call);
    const station = await stationOf(call, lookup);
    const store = dependencies.intake.openStream(call);
    const lines = lineReader(call, dependencies, idOf);
    const protocol: StreamProtocol<Line> = {
      cutter: createLineCutter({ maxBytes: dependencies.intake.maxEventBytes }),
      ordered: idOf === undefined,
      read: lines.read,
      store: (items) =>
        store(
          station,
          items.map(({ event }) => event),
        ),
      report: resultOf,
      ended: (error) => {
        call.failure = error;
        return resultOf(lines.after(), { status: "failed", error });
      },
    };
    const require = (principal: Principal): void => {
      requireStation(principal, "produce", station.name);
    };
    await answerStream(call, { contentType: NDJSON_TYPE, protocol, require }, dependencies.streams);
  };
};

type IdOf = (event: Buffer) => string | undefined;

/** The query parameter `id` is a JSON pointer to the id in each event. Throws REQUEST_INVALID for another value. */
const idReader = ({ request }: AuthorisedCall): IdOf | undefined => {
  const pointer = queryOf(request).get("id");
  if (pointer === null) return undefined;
  if (!pointer.startsWith("/"))
    throw new GatewayError("REQUEST_INVALID", {
      message: `id must be a JSON pointer, such as /orderId (got ${JSON.stringify(pointer.slice(0, 80))})`,
    });
  const follow = followPointer(pointer);
  return (event) => {
    const at = follow(event);
    return at < 0 ? undefined : valueAt(event, at).toString();
  };
};

/** Numbers the lines that have an event. Blank lines keep the stream open and are not counted. */
const lineReader = (
  call: AuthorisedCall,
  { contentLimits, intake }: Dependencies,
  idOf: IdOf | undefined,
): { read: (text: Buffer) => Line; after: () => Line } => {
  const headers = recordHeadersOf(call.request.rawHeaders);
  let line = 0;
  const next = (event: Line["event"], id?: string): Line => ({ event, id, line: ++line });
  return {
    read: (value) => {
      try {
        checkJson(value, contentLimits);
        return next({ value, contentType: "application/json", headers }, idOf?.(value));
      } catch (error) {
        intake.unreadable(call, value.length);
        return next(asGatewayError(error));
      }
    },
    after: () => next(new GatewayError("INTERNAL")),
  };
};

const resultOf = ({ line, id }: Line, outcome: EventOutcome): string => {
  const begin = `{"line":${line}` + (id === undefined ? "" : `,"id":${id}`);
  if (outcome.status === "stored") {
    const status = outcome.duplicate === true ? "duplicate" : "stored";
    return `${begin},"status":"${status}","partition":${outcome.partition},"offset":"${outcome.offset.toString()}"}`;
  }
  if (outcome.status === "spooled") return `${begin},"status":"spooled","partition":null,"offset":null}`;
  const { error } = outcome;
  const wait = error.code === "RATE_LIMITED" ? `,"retry_after_ms":${retryAfterMs(error)}` : "";
  const status = error.code === "ID_UNRESOLVED" ? "unavailable" : error.outcome;
  return `${begin},"status":"${status}","error":${JSON.stringify(error.message)}${wait}}`;
};
