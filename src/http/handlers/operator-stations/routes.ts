/** The operators' routes for a station: tail its records, and store a test event. */
import { operatorPrincipal } from "../../../auth/principal.ts";
import type { Broker, RecordHeader } from "../../../broker/broker.ts";
import { openTail } from "../../../delivery/engine/topic-tail.ts";
import { GatewayError } from "../../../errors.ts";
import { type ContentLimits, parseDocument } from "../../../ingest/content/json.ts";
import type { Produce } from "../../../ingest/produce.ts";
import { recordHeadersOf } from "../../../ingest/record-headers.ts";
import { parseStationName, type Stations } from "../../../ingest/stations.ts";
import type { Call } from "../../call.ts";
import * as documentation from "./documentation.ts";
import { openEventStream, type EventStreamSettings } from "./sse.ts";
import { shaped } from "../../faults.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { recordFilter, recordView, type SearchedPart } from "../../record-view.ts";
import { sendJson } from "../../respond.ts";
import { eventResult } from "../../results.ts";
import type { OpenRoute } from "../../routes.ts";
import { pathParameter, queryOf } from "../../url.ts";
import { singleReader } from "../stations/events.ts";

export interface OperatorStationDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing">;
  readonly produce: Produce;
  readonly broker: Pick<Broker, "subscribe" | "watermarks">;
  readonly streams: EventStreamSettings;
  /** Maximum number of open tails in this process. Each tail is a consumer. */
  readonly maxTails: number;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
}

export const operatorStationRoutes = (dependencies: OperatorStationDependencies): readonly OpenRoute[] => [
  {
    method: "GET",
    path: "/stations/:name/tail",
    auth: "admin",
    family: "problem",
    documentation: documentation.tailStation,
    handler: tailStation(dependencies),
  },
  {
    method: "POST",
    path: "/stations/:name/events",
    auth: "admin",
    family: "problem",
    documentation: documentation.produceTestEvent,
    handler: produceTestEvent(dependencies),
  },
];

const nameIn = (call: Call): string => {
  call.facts.station = parseStationName(pathParameter(call.request, "name"));
  return call.facts.station;
};

const tailStation = ({ stations, broker, streams, maxTails }: OperatorStationDependencies) => {
  let open = 0;
  return async (call: Call): Promise<void> => {
    const {
      last,
      filter,
      in: part,
    } = shaped(documentation.tailQuery, Object.fromEntries(queryOf(call.request).entries()));
    const station = await stations.existing(nameIn(call));
    if (open >= maxTails)
      throw new GatewayError("OVERLOADED", {
        message: `${maxTails} tails are open, and no more are allowed; close one and try again`,
      });
    open += 1;
    try {
      await tail(call, { station, last, filter, part, broker, streams });
    } finally {
      open -= 1;
    }
  };
};

interface TailRequest extends Pick<OperatorStationDependencies, "broker" | "streams"> {
  readonly station: Awaited<ReturnType<Stations["existing"]>>;
  readonly last: number;
  readonly filter: string;
  readonly part: SearchedPart;
}

/** Opens the tail before the answer begins, so that a missing topic can still be answered with 404. */
const tail = async (call: Call, request: TailRequest): Promise<void> => {
  const { station, last, filter, part, broker, streams } = request;
  const { topic, validator } = station;
  const isWanted = recordFilter(filter, part, validator);
  // Records that arrive before the answer begins.
  const early: object[] = [];
  let show = (record: object): void => void early.push(record);
  const tailing = await openTail({
    ...{ broker, topic, last, clock: streams.clock },
    onRecords: (records) => {
      for (const record of records) if (isWanted(record)) show(recordView(record, validator));
    },
    onError: () => undefined,
  });
  const stream = openEventStream(call, streams);
  show = (record) => void stream.send("record", record);
  stream.send("open", { station: station.name, topic, filter, in: part });
  early.forEach(show);
  await stream.over;
  await tailing.close();
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
    const [outcome] = await produce({
      principal: operatorPrincipal,
      station,
      events: [{ ...event, ...key }],
    });
    if (outcome?.status !== "stored") throw outcome?.error ?? new GatewayError("INTERNAL");
    call.facts.stored = 1;
    sendJson(call.response, 200, eventResult(outcome));
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
