/** The ingest role: stations, the batcher and the produce path. */
import type { TopicSpec } from "../broker/broker.ts";
import { MAX_APPEND_BYTES } from "../broker/record-bytes.ts";
import type { Settings } from "../config/schema/schema.ts";
import { createBatcher } from "../ingest/batcher/batcher.ts";
import type { ContentLimits } from "../formats/json.ts";
import { loadStations, provisionTopics, topicsOf } from "../ingest/declare.ts";
import { createProduce, type Produce } from "../ingest/produce.ts";
import { createFindSchema, createRecordSchemas, type FindSchema } from "../ingest/schema/record-schemas.ts";
import { createStations, type Stations } from "../ingest/stations.ts";
import type { AppContext } from "./context.ts";

export interface Ingest {
  readonly stations: Stations;
  readonly produce: Produce;
  /** undefined: no schema registry is configured. */
  readonly findSchema: FindSchema | undefined;
  /** Maximum size of an event's value in bytes. */
  readonly maxEventBytes: number;
}

/** Bytes for the key, the headers and Kafka's own fields of a record. */
const RECORD_OVERHEAD = 64 * 1024;

const MAX_APPEND = { maxAppendRecords: 2000, maxAppendBytes: MAX_APPEND_BYTES };

/** Maximum size of an event in bytes. */
const maxEventBytesOf = ({ limits, server }: Settings): number => limits.recordSize ?? server.bodyLimit;

/** Limits of the JSON that the gateway parses. */
export const contentLimitsOf = (server: Settings["server"]): ContentLimits => ({
  maxDepth: server.jsonMaxDepth,
  maxValues: server.jsonMaxValues,
  maxMembers: server.jsonMaxMembers,
});

/** Maximum size of a record in bytes. Created topics accept it. */
export const maxRecordBytesOf = (settings: Settings): number => maxEventBytesOf(settings) + RECORD_OVERHEAD;

/** Compiles the schemas, and creates missing topics in the background. */
export const createIngest = async (context: AppContext): Promise<Ingest> => {
  const { settings, broker, registry, metrics, lifecycle, log } = context;
  const { server, stations: declarations, broker: brokerSettings } = settings;
  const maxRecordBytes = maxRecordBytesOf(settings);
  const awaited = settings.provisionTopics
    ? topicsOf(declarations, maxRecordBytes)
    : new Map<string, TopicSpec>();
  const stations = createStations({
    declared: await loadStations(declarations, {
      limits: contentLimitsOf(server),
      registry,
      onFault: (fault) => {
        log.logger.warn(fault, "the station's schema can't be used; its events get 503 until it can");
      },
    }),
    autoCreate: settings.autoCreateStations,
    broker,
    maxRecordBytes,
    awaited,
  });
  const { deliveryTimeout: deliveryTimeoutMs, maxBufferedBytes } = brokerSettings.kafka;
  const batcher = createBatcher({
    broker,
    deliveryTimeoutMs,
    maxBufferedBytes,
    ...MAX_APPEND,
    appendObserved: (seconds, records) => {
      metrics.appendObserved(seconds, records);
    },
  });
  metrics.bufferedBytesFrom(() => batcher.bufferedBytes);
  lifecycle.onClose("batcher", () => batcher.close());
  provision(awaited, context);
  const maxEventBytes = maxEventBytesOf(settings);
  const lookup = registry && { registry, ...settings.registry };
  const produce = createProduce({
    batcher,
    stations,
    schemas: lookup && createRecordSchemas(lookup),
    now: Date.now,
    maxEventBytes,
    maxKeyBytes: settings.limits.keySize,
    maxHeaders: settings.limits.recordHeaders,
    maxHeaderBytes: settings.limits.recordHeaderSize,
    eventsEnded: (station, outcome, count) => {
      metrics.eventsEnded(station, outcome, count);
    },
  });
  return { stations, produce, findSchema: lookup && createFindSchema(lookup), maxEventBytes };
};

const provision = (awaited: Map<string, TopicSpec>, { broker, log, lifecycle }: AppContext): void => {
  const stop = new AbortController();
  const provisioned = provisionTopics({
    topics: [...awaited.values()],
    broker,
    signal: stop.signal,
    onReady: (topic) => {
      for (const [station, { name }] of awaited) if (name === topic) awaited.delete(station);
    },
    onFault: (topic, err) => {
      log.logger.warn({ topic, err }, "topic could not be created yet");
    },
  });
  lifecycle.onClose("provisioning", () => {
    stop.abort();
    return provisioned;
  });
};
