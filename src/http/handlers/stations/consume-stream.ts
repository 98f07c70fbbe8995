/** `GET /stations/:name/consume/stream`: the events of a station, or of a webhook source, as they arrive. */
import { mayUseStation, requireStation } from "../../../auth/permissions.ts";
import { type Principal, principalId } from "../../../auth/principal.ts";
import type { StreamFormat } from "../../../consume/stream/event-block.ts";
import { type EventFilter, ofSource, parseFilters } from "../../../consume/stream/filter.ts";
import type { StreamStart } from "../../../consume/stream/start.ts";
import type { EventStreams } from "../../../consume/stream/streams.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import type { Station, Stations } from "../../../ingest/stations.ts";
import { atMost, type Clock } from "../../../lib/clock.ts";
import type { Decoder, Decoding } from "../../../registry/decoder.ts";
import type { AuthorisedCall } from "../../call.ts";
import { decodingOf, streamDecoding } from "../../decoding.ts";
import { invalidParameter, resumedStart, serveStream, STREAM_TYPES } from "../../event-stream.ts";
import { clientCall, type LiveCalls } from "../../live-calls.ts";
import { pathParameter, type Query, queryOf } from "../../url.ts";
import { stationOf } from "./station-of.ts";

export interface ConsumeStreamDependencies {
  readonly stations: Pick<Stations, "existing">;
  readonly eventStreams: EventStreams;
  /** undefined: there is no schema registry. */
  readonly decoder: Decoder | undefined;
  readonly formats: StreamFormats;
  /** The station of each webhook source. */
  readonly sources: ReadonlyMap<string, string>;
  readonly streams: { readonly clock: Clock; readonly live: LiveCalls<Principal> };
}

export type StreamFormats = (api: StreamFormat["api"], base64: boolean, decode: Decoding) => StreamFormat;

/**
 * Each format is one object in the whole process, because a batch builds its blocks once for each object. `decoder`: undefined
 * if there is no schema registry.
 */
export const createStreamFormats = (decoder: Decoder | undefined): StreamFormats => {
  const formats = new Map<string, StreamFormat>();
  return (api, base64, decode) => {
    const key = `${api} ${base64} ${decode}`;
    const format = formats.get(key) ?? { api, base64, decoding: streamDecoding(decoder, decode) };
    formats.set(key, format);
    return format;
  };
};

export const consumeStream = (dependencies: ConsumeStreamDependencies) => {
  const { eventStreams, decoder, streams, formats } = dependencies;
  const { live } = streams;
  return async (call: AuthorisedCall): Promise<void> => {
    const { request, principal, facts } = call;
    const { station, source } = await targetOf(call, dependencies);
    const { topic } = station;
    const decode = decodingOf(queryOf(request).get("decode"), station, decoder !== undefined);
    const format = formats(...formatOf(call), decode);
    const start = resumedStart(call, topic) ?? fromOf(queryOf(request));
    const filter = bothOf(source, parseFilters(queryOf(request).getAll("filter"), format.decoding));
    const require = (renewed: Principal): void => {
      requireStation(renewed, "stream", facts.station ?? "");
    };
    const place = eventStreams.reserve(principalId(principal));
    serveStream(call, {
      ...{ topic, place, start, format, filter, expires: principal.expires },
      register: (end) => live.add(clientCall(call, { require, end })),
    });
  };
};

type StreamedStation = Pick<Station, "topic"> & Partial<Pick<Station, "validator">>;

interface Target {
  readonly station: StreamedStation;
  /** Only the events of a webhook source. */
  readonly source: EventFilter | undefined;
}

/**
 * A station, or else a webhook source. Throws STATION_NAME_INVALID, STATION_FORBIDDEN or STATION_UNKNOWN: the right to read a
 * source is that of its station.
 */
const targetOf = async (call: AuthorisedCall, dependencies: ConsumeStreamDependencies): Promise<Target> => {
  const name = pathParameter(call.request, "name");
  const stationOfSource = dependencies.sources.get(name);
  if (stationOfSource === undefined || mayUseStation(call.principal, "stream", name)) {
    try {
      return { station: await streamedStation(call, dependencies), source: undefined };
    } catch (error) {
      if (stationOfSource === undefined || asGatewayError(error).code !== "STATION_UNKNOWN") throw error;
    }
  }
  return { station: await streamedStation(call, dependencies, stationOfSource), source: ofSource(name) };
};

/** Milliseconds until the stream opens without knowing whether the station exists. */
const LONGEST_LOOK_MS = 1000;

/** A stream of a station that the broker can't show now waits for it. */
const streamedStation = async (
  call: AuthorisedCall,
  { stations, streams: { clock } }: ConsumeStreamDependencies,
  name?: string,
): Promise<StreamedStation> => {
  const find = async (wanted: string): Promise<StreamedStation> => {
    const unknown = { topic: wanted };
    try {
      return (await atMost(clock, LONGEST_LOOK_MS, stations.existing(wanted))) ?? unknown;
    } catch (error) {
      if (asGatewayError(error).code !== "BROKER_UNAVAILABLE") throw error;
      return unknown;
    }
  };
  return stationOf(call, { use: "stream", find }, name);
};

/** The API and whether all parts are base64. Throws FORMAT_UNACCEPTABLE or REQUEST_INVALID. */
const formatOf = ({ request }: AuthorisedCall): [StreamFormat["api"], boolean] => {
  const accepted = request.accepts([STREAM_TYPES.sse, STREAM_TYPES.ndjson]);
  if (accepted === false)
    throw new GatewayError("FORMAT_UNACCEPTABLE", {
      message: `Accept must allow ${STREAM_TYPES.sse} or ${STREAM_TYPES.ndjson}`,
    });
  const encoding = queryOf(request).get("encoding");
  if (encoding !== null && encoding !== "base64") throw invalidParameter("encoding", "base64", encoding);
  return [accepted === STREAM_TYPES.ndjson ? "ndjson" : "sse", encoding === "base64"];
};

const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** Throws REQUEST_INVALID. */
const fromOf = (query: Query): StreamStart => {
  const from = query.get("from") ?? "latest";
  if (from === "latest" || from === "earliest") return { from };
  // A plus sign in a query that is not encoded is read as a space.
  const text = from.replace(" ", "+");
  const time = /^\d{1,15}$/.test(text) ? Number(text) : ISO_TIME.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time))
    throw invalidParameter(
      "from",
      "latest, earliest, a time such as 2027-01-31T12:00:00Z, or milliseconds",
      from,
    );
  return { from: "time", time };
};

const bothOf = (one: EventFilter | undefined, other: EventFilter | undefined): EventFilter | undefined => {
  if (one === undefined || other === undefined) return one ?? other;
  return (record) => one(record) && other(record);
};
