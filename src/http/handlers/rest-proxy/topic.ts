/** The station that a path's topic means, and whether the caller may use it. */
import { mayUseStation, type StationUse } from "../../../auth/permissions.ts";
import type { Broker, PartitionInfo } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import type { ContentLimits } from "../../../ingest/content/json.ts";
import {
  type Station,
  type StationListDependencies,
  type Stations,
  stationUnknown,
} from "../../../ingest/stations.ts";
import type { AuthorisedCall } from "../../call.ts";
import type { Intake } from "../../intake.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import type { StreamSettings } from "../../stream-answer.ts";
import { pathParameter } from "../../url.ts";

/** What the routes of the REST Proxy API are made of. */

export interface RestProxyDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing" | "nameOfTopic">;
  readonly broker: Pick<Broker, "partitions" | "watermarks">;
  /** What there is to be listed. */
  readonly listed: StationListDependencies;
  readonly intake: Intake;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
  readonly streams: StreamSettings;
  /** Headers of one record. */
  readonly maxHeaders: number;
  /** Records of one call. */
  readonly maxEvents: number;
  /** Entries of one `records:batch`. */
  readonly maxEntries: number;
  /** Single records answer 200 with the error inside, as the original does. */
  readonly alwaysStatus200: boolean;
}

/** undefined: the path names none. A partition that can't be a number doesn't exist. */
export const partitionOf = (call: AuthorisedCall): number | undefined => {
  const text = pathParameter(call.request, "partition");
  if (text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new GatewayError("PARTITION_UNKNOWN");
  return Number(text);
};

/** Fails with STATION_UNKNOWN if the station's topic is missing, and with BROKER_UNAVAILABLE. */
export const partitionsOf = async (
  { name, topic }: Station,
  { broker }: Pick<RestProxyDependencies, "broker">,
): Promise<readonly PartitionInfo[]> => {
  const partitions = await broker.partitions(topic);
  if (partitions === undefined) throw stationUnknown(name);
  return partitions;
};

/** Throws PARTITION_UNKNOWN if the topic has no partition of this number. */
export const findPartition = (
  partitions: readonly PartitionInfo[],
  wanted: number | undefined,
): PartitionInfo => {
  const found = partitions.find(({ partition }) => partition === wanted);
  if (found === undefined) throw new GatewayError("PARTITION_UNKNOWN");
  return found;
};

type KnownStations = RestProxyDependencies["stations"];

/** To produce to; created where that is allowed. Fails as `nameOfStation`, and with STATION_UNKNOWN. */
export const stationOfTopic = (call: AuthorisedCall, stations: KnownStations): Station | Promise<Station> =>
  stations.resolve(nameOfStation(call, stations, "produce"));

/** To look at; never created. Fails as `nameOfStation`, and with STATION_UNKNOWN. */
export const seenStation = (call: AuthorisedCall, stations: KnownStations): Station | Promise<Station> =>
  stations.existing(nameOfStation(call, stations, "see"));

/**
 * Fails with STATION_FORBIDDEN before anybody asks whether there is such a station: a caller without the right doesn't
 * learn that, and creates none. The name stays as it is; only the check of the right ignores the case.
 * In v3 a name that no topic can have fails with STATION_NAME_INVALID; v2 has no code for it.
 */
const nameOfStation = (call: AuthorisedCall, stations: KnownStations, use: StationUse): string => {
  const topic = pathParameter(call.request, "topic");
  if (pathParameter(call.request, "cluster") !== "" && !isTopicName(topic)) throw nameInvalid(topic);
  const name = stations.nameOfTopic(topic);
  call.facts.station = name;
  if (mayUseStation(call.principal, use, name)) return name;
  throw new GatewayError("STATION_FORBIDDEN", {
    message: `${call.principal.name} is not allowed to ${use === "produce" ? "produce to" : "use"} ${topic}`,
  });
};

/** As Kafka has it. */
const isTopicName = (text: string): boolean =>
  /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== "." && text !== "..";

const nameInvalid = (topic: string): GatewayError =>
  new GatewayError("STATION_NAME_INVALID", {
    message: `The topic name "${topic}" is not valid: use 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-", not "." or ".." alone`,
  });
