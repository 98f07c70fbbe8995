/** What operators do with a station: watch it, and store an event in it to see what becomes of it. */
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
  /** Tails that one process reads at a time: each is a consumer. */
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
      in: place,
    } = shaped(documentation.tailQuery, Object.fromEntries(queryOf(call.request).entries()));
    const station = await stations.existing(nameIn(call));
    if (open >= maxTails) throw new GatewayError("OVERLOADED", { message: "Too many tails are open" });
    open += 1;
    try {
      await tail(call, { station, last, filter, place, broker, streams });
    } finally {
      open -= 1;
    }
  };
};

interface Wanted extends Pick<OperatorStationDependencies, "broker" | "streams"> {
  readonly station: Awaited<ReturnType<Stations["existing"]>>;
  readonly last: number;
  readonly filter: string;
  readonly place: SearchedPart;
}

/** The broker is asked before the answer begins, so that a topic that isn't there is still a 404. */
const tail = async (call: Call, { station, last, filter, place, broker, streams }: Wanted): Promise<void> => {
  const { topic, validator } = station;
  const isWanted = recordFilter(filter, place, validator);
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
  stream.send("open", { station: station.name, topic, filter, in: place });
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

/** As if they had come with an event. Throws REQUEST_INVALID for one that is never stored with events. */
const headersOf = (given: Readonly<Record<string, string>>): readonly RecordHeader[] =>
  Object.entries(given).flatMap(([name, value]) => {
    // Headers are bytes, which node's names and values spell as Latin-1.
    const stored = recordHeadersOf([name, Buffer.from(value).toString("latin1")]);
    if (stored.length > 0) return stored;
    throw new GatewayError("REQUEST_INVALID", {
      message: `headers.${name}: a header of this name is not stored with an event`,
    });
  });
