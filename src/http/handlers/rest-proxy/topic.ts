/** Finds the station and the partition that a path of the REST Proxy API names, and checks the caller's right. */
import { mayUseStation, stationForbidden, type StationUse } from "../../../auth/permissions.ts";
import type { Broker, PartitionInfo } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import type { ContentLimits } from "../../../formats/json.ts";
import type { FindSchema } from "../../../ingest/schema/record-schemas.ts";
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
import type { InstanceOptions } from "./consumers/calls.ts";

export interface RestProxyDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing" | "nameOfTopic">;
  readonly broker: Pick<Broker, "partitions" | "watermarks">;
  /** Lists the stations for the routes that list topics. */
  readonly listed: StationListDependencies;
  readonly intake: Intake;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
  readonly streams: StreamSettings;
  /** Maximum number of headers of one record. */
  readonly maxHeaders: number;
  /** undefined: no schema registry is configured. */
  readonly findSchema: FindSchema | undefined;
  /** Maximum number of records of one call. */
  readonly maxEvents: number;
  /** Maximum number of entries of one `records:batch`. */
  readonly maxEntries: number;
  /** Milliseconds in which a repeated call with the same `Idempotency-Key` stores nothing. */
  readonly callWindow: number;
  /** A refused single record answers 200 with the error in the body, as in Confluent's REST Proxy. */
  readonly alwaysStatus200: boolean;
  /** Absent: consumer instances are refused. */
  readonly instances: InstanceOptions | undefined;
}

/** Returns undefined if the path has no partition. Throws PARTITION_UNKNOWN if the partition is not a number. */
export const partitionOf = (call: AuthorisedCall): number | undefined => {
  const text = pathParameter(call.request, "partition");
  if (text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new GatewayError("PARTITION_UNKNOWN");
  return Number(text);
};

/** Rejects with STATION_UNKNOWN if the topic of the station does not exist, and with BROKER_UNAVAILABLE. */
export const partitionsOf = async (
  { name, topic }: Station,
  { broker }: Pick<RestProxyDependencies, "broker">,
): Promise<readonly PartitionInfo[]> => {
  const partitions = await broker.partitions(topic);
  if (partitions === undefined) throw stationUnknown(name);
  return partitions;
};

/** Throws PARTITION_UNKNOWN if the topic has no partition with this number. */
export const findPartition = (
  partitions: readonly PartitionInfo[],
  wanted: number | undefined,
): PartitionInfo => {
  const found = partitions.find(({ partition }) => partition === wanted);
  if (found === undefined) throw new GatewayError("PARTITION_UNKNOWN");
  return found;
};

type KnownStations = RestProxyDependencies["stations"];

/** Creates an unknown station if `autoCreateStations` is on. Fails like `nameOfStation`, and with STATION_UNKNOWN. */
export const stationOfTopic = (call: AuthorisedCall, stations: KnownStations): Station | Promise<Station> =>
  stations.resolve(nameOfStation(call, stations, "produce"));

/** Throws the error of a caller that may not produce to the topic of the path. */
export const requireTopic = (call: AuthorisedCall, stations: KnownStations): void => {
  nameOfStation(call, stations, "produce");
};

/** For the metadata routes: creates no station. Fails like `nameOfStation`, and with STATION_UNKNOWN. */
export const visibleStation = (call: AuthorisedCall, stations: KnownStations): Station | Promise<Station> =>
  stations.existing(nameOfStation(call, stations, "see"));

/**
 * Throws STATION_FORBIDDEN before the station is looked up, so that a caller without the right does not learn whether the
 * station exists and does not create it. The check of the right ignores the case; the returned name keeps it.
 * In v3 a name that no topic can have throws STATION_NAME_INVALID; v2 has no error code for it.
 */
const nameOfStation = (call: AuthorisedCall, stations: KnownStations, use: StationUse): string => {
  const topic = pathParameter(call.request, "topic");
  if (pathParameter(call.request, "cluster") !== "" && !isTopicName(topic)) throw nameInvalid(topic);
  const name = stations.nameOfTopic(topic);
  call.facts.station = name;
  if (mayUseStation(call.principal, use, name)) return name;
  throw stationForbidden(
    call.principal,
    `${call.principal.name} is not allowed to ${use === "produce" ? "produce to" : "use"} ${topic}`,
  );
};

/** Kafka's rule for topic names. */
const isTopicName = (text: string): boolean =>
  /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== "." && text !== "..";

const nameInvalid = (topic: string): GatewayError =>
  new GatewayError("STATION_NAME_INVALID", {
    message: `The topic name "${topic}" is not valid: use 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-", not "." or ".." alone`,
  });
