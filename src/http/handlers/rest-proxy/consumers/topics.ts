/** Finds the stations that a call of a consumer instance names, and checks the caller's right to read them. */
import { mayUseStation, stationForbidden } from "../../../../auth/permissions.ts";
import type { NamedTopic } from "../../../../consume/instances/requests.ts";
import { GatewayError } from "../../../../errors.ts";
import type { Stations } from "../../../../ingest/stations.ts";
import type { AuthorisedCall } from "../../../call.ts";

export type KnownStations = Pick<Stations, "existing" | "nameOfTopic">;

/**
 * The topics by the names that the client uses. Rejects with STATION_FORBIDDEN before any station is looked up, with
 * TOPIC_UNKNOWN, and with BROKER_UNAVAILABLE.
 */
export const namedTopics = async (
  { principal }: AuthorisedCall,
  stations: KnownStations,
  names: Iterable<string>,
): Promise<ReadonlyMap<string, NamedTopic>> => {
  const wanted = [...new Set(names)];
  for (const name of wanted)
    if (!mayUseStation(principal, "consume", stations.nameOfTopic(name)))
      throw stationForbidden(principal, `${principal.name} is not allowed to read ${name}`);
  return new Map(
    await Promise.all(
      wanted.map(async (name): Promise<[string, NamedTopic]> => [name, await namedTopic(stations, name)]),
    ),
  );
};

const namedTopic = async (stations: KnownStations, name: string): Promise<NamedTopic> => {
  try {
    const { name: station, topic } = await stations.existing(stations.nameOfTopic(name));
    return { name, station, topic };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "STATION_UNKNOWN") throw error;
    throw new GatewayError("TOPIC_UNKNOWN", { message: `Topic ${name} not found` });
  }
};

/** The entries of a list with their topics. Rejects like `namedTopics`. */
export const withTopics = async <T extends { readonly topic: string }>(
  call: AuthorisedCall,
  stations: KnownStations,
  entries: readonly T[],
): Promise<readonly (T & NamedTopic)[]> => {
  const topics = await namedTopics(
    call,
    stations,
    entries.map(({ topic }) => topic),
  );
  return entries.flatMap((entry) => {
    const named = topics.get(entry.topic);
    return named === undefined ? [] : [{ ...entry, ...named }];
  });
};
