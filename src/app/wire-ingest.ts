/** The ingest role: stations, the batcher and the produce path. */
import type { TopicSpec } from "../broker/broker.ts";
import { MAX_APPEND_BYTES } from "../broker/record-bytes.ts";
import type { Settings } from "../config/schema/schema.ts";
import { type Batcher, createBatcher } from "../ingest/batcher/batcher.ts";
import type { ContentLimits } from "../formats/json.ts";
import {
  createProvisioning,
  type LoadedStation,
  loadStations,
  type Provisioning,
  topicsOf,
} from "../ingest/declare.ts";
import { createAppendsOnce } from "../ingest/append-once.ts";
import { createOnceBatcher } from "../ingest/once-batcher.ts";
import { createProduce, type Produce, type ProduceSpool } from "../ingest/produce.ts";
import { createFindSchema, createRecordSchemas, type FindSchema } from "../ingest/schema/record-schemas.ts";
import { createStations, isStationName, type Stations } from "../ingest/stations.ts";
import type { AppLog, Configured, LastingContext, OpenRegistry } from "./context.ts";
import type { PeerPort } from "./peer-port.ts";
import { type OnceKeeper, openOnce } from "./wire-once.ts";
import { openSpoolOf } from "./wire-spool.ts";

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

/** The topic of `audit.station`; undefined: the setting is not set. */
export const auditTopicOf = (settings: Settings): TopicSpec | undefined => {
  const { audit, stations } = settings;
  if (audit.station === undefined) return undefined;
  const maxRecordBytes = maxRecordBytesOf(settings);
  return topicsOf(stations, maxRecordBytes).get(audit.station) ?? { name: audit.station, maxRecordBytes };
};

/** The parts of the ingest role that outlive a reload. */
export interface LastingIngest {
  readonly batcher: Batcher;
  readonly provisioning: Provisioning;
  /** undefined: the settings have no spool. */
  readonly spool: ProduceSpool | undefined;
  readonly once: OnceKeeper;
}

/** Creates missing topics in the background. Rejects with SETTINGS_INVALID if the spool's directory or once can't be used. */
export const openIngest = async (context: LastingContext, port: PeerPort): Promise<LastingIngest> => {
  const { inUse, broker, metrics, lifecycle, log } = context;
  const { settings } = inUse.now;
  const { deliveryTimeout: deliveryTimeoutMs, maxBufferedBytes } = settings.broker.kafka;
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
  const once = await openOnce(context, port, batcher);
  const awaited = topicsToCreate(settings);
  const spool = await openSpoolOf(
    settings,
    {
      batcher: createOnceBatcher(batcher, once.store),
      prepare: createPrepareTopic(context, awaited),
    },
    context,
  );
  const stop = new AbortController();
  const provisioning = createProvisioning({
    awaited,
    broker,
    signal: stop.signal,
    onFault: (topic, err) => {
      log.logger.warn({ topic, err }, "topic could not be created yet");
    },
  });
  lifecycle.onClose("provisioning", () => {
    stop.abort();
    return provisioning.done.then(() => undefined);
  });
  return { batcher, provisioning, spool, once };
};

/**
 * Creates a missing topic of spooled events as the produce path does: a topic that this start must still create, or with
 * `autoCreateStations` the topic of an undeclared station. As `WorkerSpoolOptions.prepare`.
 */
const createPrepareTopic = (
  { broker, inUse }: LastingContext,
  awaited: ReadonlyMap<string, TopicSpec>,
): ((topic: string) => Promise<number>) => {
  const specOf = (topic: string): TopicSpec | undefined => {
    const { settings } = inUse.now;
    const declared = settings.stations.find((station) => station.topic === topic);
    if (declared !== undefined) return awaited.get(declared.name);
    const maxRecordBytes = maxRecordBytesOf(settings);
    return settings.autoCreateStations && isStationName(topic) ? { name: topic, maxRecordBytes } : undefined;
  };
  return async (topic) => {
    const found = await broker.partitions(topic);
    const spec = found === undefined ? specOf(topic) : undefined;
    return spec === undefined ? (found?.length ?? 0) : (await broker.ensureTopic(spec)).partitions;
  };
};

const topicsToCreate = (settings: Settings): Map<string, TopicSpec> =>
  settings.provisionTopics
    ? topicsOf(settings.stations, maxRecordBytesOf(settings))
    : new Map<string, TopicSpec>();

/** Creates the topics of the stations that are new in these settings. Rejects with the broker's error. */
export const createNewTopics = (
  { provisioning }: LastingIngest,
  settings: Settings,
  previous: Settings,
): Promise<void> => {
  const known = new Set(previous.stations.map(({ name }) => name));
  return provisioning.create([...topicsToCreate(settings)].filter(([station]) => !known.has(station)));
};

interface DeclaredOptions {
  readonly registry: OpenRegistry | undefined;
  readonly log: AppLog;
  /** Stations with compiled schemas. Those that have not changed since are taken over. */
  readonly previous: readonly LoadedStation[];
}

/** Loads the declared stations and compiles their schemas. Rejects with SETTINGS_INVALID. */
export const loadDeclared = async (
  settings: Settings,
  { registry, log: { logger }, previous }: DeclaredOptions,
): Promise<readonly LoadedStation[]> =>
  settings.roles.includes("ingest")
    ? loadStations(settings.stations, {
        limits: contentLimitsOf(settings.server),
        registry: registry?.client,
        previous,
        onFault: (fault) => {
          logger.warn(fault, "the station's schema can't be used; its events get 503 until it can");
        },
      })
    : [];

/** The produce path of one generation. */
export const createIngest = (
  { broker, metrics }: LastingContext,
  { batcher, spool, provisioning: { awaited }, once }: LastingIngest,
  { settings, declared, registry }: Configured,
): Ingest => {
  const stations = createStations({
    ...{ declared, broker, awaited },
    autoCreate: settings.autoCreateStations,
    isSpooling: (topic) => spool?.isSpooling(topic) === true,
    maxRecordBytes: maxRecordBytesOf(settings),
  });
  const maxEventBytes = maxEventBytesOf(settings);
  const lookup = registry && { registry: registry.client, ...settings.registry };
  const produce = createProduce({
    ...{ batcher, spool, stations },
    once: createAppendsOnce(once.store, spool),
    schemas: lookup && createRecordSchemas(lookup),
    now: Date.now,
    maxEventBytes,
    maxKeyBytes: settings.limits.keySize,
    maxHeaders: settings.limits.recordHeaders,
    maxHeaderBytes: settings.limits.recordHeaderSize,
    reservedTopic: auditTopicOf(settings)?.name,
    eventsEnded: (station, outcome, count) => {
      metrics.eventsEnded(station, outcome, count);
    },
  });
  return { stations, produce, findSchema: lookup && createFindSchema(lookup), maxEventBytes };
};
