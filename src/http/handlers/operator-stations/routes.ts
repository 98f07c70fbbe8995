/** The operators' routes for a station: tail its records, and store a test event. */
import type { Decoder, Decoding } from "../../../registry/decoder.ts";
import { type Operator, requireRole, type Role } from "../../../auth/operators/operator.ts";
import { operatorPrincipal } from "../../../auth/principal.ts";
import type { Broker, RecordHeader } from "../../../broker/broker.ts";
import { filteredValue } from "../../../consume/stream/decoding.ts";
import type { StreamFormat } from "../../../consume/stream/event-block.ts";
import type { EventStreams } from "../../../consume/stream/streams.ts";
import { GatewayError } from "../../../errors.ts";
import { type ContentLimits, parseDocument } from "../../../formats/json.ts";
import { acceptedEvent, type Produce } from "../../../ingest/produce.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import { parseStationName, type Station, type Stations } from "../../../ingest/stations.ts";
import type { Call } from "../../call.ts";
import * as documentation from "./documentation.ts";
import { resumedStart, serveStream } from "../../event-stream.ts";
import { shaped } from "../../faults.ts";
import type { LiveCalls } from "../../live-calls.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { decodingOf, streamDecoding } from "../../decoding.ts";
import { readable, recordFilter, recordView } from "../../record-view.ts";
import { sendJson } from "../../respond.ts";
import { eventResult } from "../../results.ts";
import type { OpenRoute } from "../../routes.ts";
import { pathParameter, queryOf } from "../../url.ts";
import { singleReader } from "../stations/events.ts";

export interface OperatorStationDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing">;
  readonly produce: Produce;
  readonly broker: Pick<Broker, "watermarks">;
  readonly eventStreams: EventStreams;
  readonly live: LiveCalls<Operator>;
  /** undefined: there is no schema registry. */
  readonly decoder: Decoder | undefined;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
  /** The least role that reads events now. */
  readonly eventsRole: () => Role;
}

export const operatorStationRoutes = (dependencies: OperatorStationDependencies): readonly OpenRoute[] => [
  {
    method: "GET",
    path: "/stations/:name/tail",
    auth: "admin",
    role: dependencies.eventsRole,
    family: "problem",
    documentation: documentation.tailStation,
    handler: tailStation(dependencies),
  },
  {
    method: "POST",
    path: "/stations/:name/events",
    auth: "admin",
    role: "operator",
    audit: "station.event",
    family: "problem",
    documentation: documentation.produceTestEvent,
    handler: produceTestEvent(dependencies),
  },
];

const nameIn = (call: Call): string => {
  call.facts.station = parseStationName(pathParameter(call.request, "name"));
  return call.facts.station;
};

const tailStation = (dependencies: OperatorStationDependencies) => {
  const { stations, broker, eventStreams, live, decoder, eventsRole } = dependencies;
  const formatOf = tailFormats(decoder);
  return async (call: Call): Promise<void> => {
    const {
      last,
      filter,
      in: part,
    } = shaped(documentation.tailQuery, Object.fromEntries(queryOf(call.request).entries()));
    const { operator: by } = call;
    if (by === undefined) throw new GatewayError("INTERNAL");
    const require = (renewed: Operator): void => {
      requireRole(renewed, eventsRole());
    };
    const station = await stations.existing(nameIn(call));
    const { topic, validator } = station;
    const decode = decodingOf(queryOf(call.request).get("decode"), station, decoder !== undefined);
    // A stream waits for a missing topic, or for the broker. An operator gets the reason at once.
    await broker.watermarks(topic);
    const format = formatOf(station, decode);
    serveStream(call, {
      topic,
      start: resumedStart(call, topic) ?? { from: "last", count: last },
      format,
      filter: recordFilter(filter, part, (record) =>
        format.decoding === undefined ? readable(record, validator) : filteredValue(record, format.decoding),
      ),
      place: eventStreams.reserve(OWNER),
      register: (end) => live.add({ by, require, end }),
    });
  };
};

/** All operators count as one principal. */
const OWNER = "operators";

/** The streams of a station share the blocks of one format. */
const tailFormats = (decoder: Decoder | undefined) => {
  const known = new Map<string, StreamFormat>();
  return ({ name, validator }: Pick<Station, "name" | "validator">, decode: Decoding): StreamFormat => {
    const key = `${decode} ${validator === undefined ? "" : name}`;
    const format = known.get(key) ?? {
      ...{ api: "sse", base64: false },
      decoding: streamDecoding(decoder, decode),
      view: (record, decoded) => recordView(record, validator, decoded),
    };
    known.set(key, format);
    return format;
  };
};

const produceTestEvent = ({
  stations,
  produce,
  readBody,
  contentLimits: limits,
}: OperatorStationDependencies) => {
  return async (call: Call): Promise<void> => {
    const name = nameIn(call);
    const given = shaped(documentation.testEvent, parseJson(await readBody(call.request)));
    const { contentType } = given;
    const value = Buffer.from(given.value, given.encoding === "base64" ? "base64" : "utf8");
    if (value.length === 0) throw new GatewayError("BODY_EMPTY");
    const readEvent = singleReader({ contentType, headers: headersOf(given.headers), limits });
    const station = await stations.resolve(name);
    const event = readEvent(value, station);
    if (event instanceof GatewayError) throw event;
    const key = given.key === undefined ? {} : { key: Buffer.from(given.key) };
    const outcomes = await produce({
      principal: operatorPrincipal,
      station,
      events: [{ ...event, ...key }],
    });
    const accepted = acceptedEvent(outcomes);
    call.facts.stored = 1;
    sendJson(call.response, 200, eventResult(accepted));
  };
};

const parseJson = (body: Buffer): unknown => {
  try {
    return parseDocument(body);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("JSON_INVALID", { cause });
  }
};

/** Encodes the headers as for an event of a client. Throws REQUEST_INVALID for a header that is not stored with events. */
const headersOf = (given: Readonly<Record<string, string>>): readonly RecordHeader[] =>
  Object.entries(given).flatMap(([name, value]) => {
    // Node gives header values as Latin-1 texts, one character per byte.
    const stored = recordHeadersOf([name, Buffer.from(value).toString("latin1")]);
    if (stored.length > 0) return stored;
    throw new GatewayError("REQUEST_INVALID", {
      message: `headers.${name} is not stored with an event; only x-*, ce-*, traceparent and tracestate are, except credentials`,
    });
  });
