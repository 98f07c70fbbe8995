/** Finds the station that a path names and checks the caller's right; reads the headers that all station routes share. */
import { requireStation, type StationUse } from "../../../auth/permissions.ts";
import { GatewayError } from "../../../errors.ts";
import type { ContentLimits } from "../../../formats/json.ts";
import { parseStationName, type Station, type Stations } from "../../../ingest/stations.ts";
import type { Decoder } from "../../../registry/decoder.ts";
import type { AuthorisedCall } from "../../call.ts";
import type { Intake } from "../../intake.ts";
import type { ForwardOptions } from "../../peer-answer.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import type { StreamSettings } from "../../stream-answer.ts";
import { pathParameter } from "../../url.ts";

export interface StationRouteDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing">;
  readonly intake: Intake;
  /** Milliseconds in which a repeated call with the same `Idempotency-Key` stores nothing. */
  readonly callWindow: number;
  readonly streams: StreamSettings;
  /** undefined: this gateway has no homes, and nobody may read. */
  readonly reading: ForwardOptions | undefined;
  /** undefined: there is no schema registry. */
  readonly decoder: Decoder | undefined;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
  /** Maximum number of events of one batch or beacon. */
  readonly maxEvents: number;
}

interface StationLookup<T = Station> {
  readonly use: StationUse;
  readonly find: (name: string) => T | Promise<T>;
}

/**
 * Fails with STATION_NAME_INVALID, STATION_FORBIDDEN or STATION_UNKNOWN, in this order: a caller without the right does not
 * learn whether the station exists.
 */
export const stationOf = <T>(
  call: AuthorisedCall,
  { use, find }: StationLookup<T>,
  given = pathParameter(call.request, "name"),
): T | Promise<T> => {
  const name = parseStationName(given);
  call.facts.station = name;
  requireStation(call.principal, use, name);
  return find(name);
};

/** Creates an unknown station if `autoCreateStations` is on. */
export const toProduce = (stations: Pick<Stations, "resolve">): StationLookup => ({
  use: "produce",
  find: (name) => stations.resolve(name),
});

export const toConsume = (stations: Pick<Stations, "existing">): StationLookup => ({
  use: "consume",
  find: (name) => stations.existing(name),
});

/** Throws HEADER_RESERVED for `$memphis…` headers: in the Memphis gateway they controlled the broker. */
export const refuseReservedHeaders = ({ request }: AuthorisedCall): void => {
  const { rawHeaders } = request;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.startsWith("$") && name.toLowerCase().startsWith("$memphis"))
      throw new GatewayError("HEADER_RESERVED", {
        message: `Headers must not begin with $memphis (got ${name}); leave the header out`,
      });
  }
};

const REPRESENTATION = /(?:^|[,\s])return\s*=\s*"?representation"?\s*(?:[;,]|$)/i;

/** `Prefer: return=representation` (RFC 7240) adds the outcome of each event to the answer. */
export const notePreference = (call: AuthorisedCall, prefer = call.request.headers["prefer"]): void => {
  if (prefer === undefined || !REPRESENTATION.test(String(prefer))) return;
  call.representation = true;
  call.response.setHeader("Preference-Applied", "return=representation");
};
