/** The station that a path's topic means, and whether the caller may produce to it. */
import { GatewayError } from "../../../errors.ts";
import type { Station } from "../../../ingest/stations.ts";
import type { AuthorisedCall } from "../../call.ts";
import type { RestProxyDependencies } from "./dependencies.ts";

/** Percent-decoded; empty where the path has no such segment. */
export const parameterOf = ({ request }: AuthorisedCall, name: string): string => {
  const value = request.params[name];
  return typeof value === "string" ? value : "";
};

/**
 * Fails with STATION_FORBIDDEN before STATION_UNKNOWN: who isn't allowed doesn't learn whether there is such a topic,
 * and brings none into being. Names are never lower-cased here, but what isn't allowed in one case isn't in another.
 */
export const stationOfTopic = (
  call: AuthorisedCall,
  stations: RestProxyDependencies["stations"],
): Station | Promise<Station> => {
  const name = stations.nameOfTopic(parameterOf(call, "topic"));
  call.facts.station = name;
  if (!call.principal.mayProduce(name.toLowerCase())) {
    throw new GatewayError("STATION_FORBIDDEN", {
      message: `${call.principal.name} is not allowed to produce to ${name}`,
    });
  }
  return stations.resolve(name);
};
