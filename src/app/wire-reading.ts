/** Reading: the readers' groups of the slots that this process holds, and the event streams of this process. */
import { createBatchApi, keptEvent } from "../consume/batch.ts";
import { createPullConsumers } from "../consume/consume.ts";
import { createInstances, type Instances } from "../consume/instances/instances.ts";
import { createReaders } from "../consume/readers.ts";
import { createEventStreams, type EventStreams } from "../consume/stream/streams.ts";
import type { GatewayError } from "../errors.ts";
import { consumedEvent } from "../http/handlers/stations/consume.ts";
import { listStations } from "../ingest/stations.ts";
import type { DecodingInUse, LastingContext } from "./context.ts";
import { createFaultLog } from "./fault-log.ts";
import type { PeerPort } from "./peer-port.ts";
import { type HomeKeeper, openHome } from "./wire-home.ts";

/** Maximum number of calls of one principal that wait for events at this home. */
const MAX_PULLS_PER_OWNER = 10_000;

/** Opens the home of readers' groups. */
export const openReaders = (
  context: LastingContext,
  decoding: DecodingInUse,
  peerPort: PeerPort,
): Promise<HomeKeeper> => {
  const { inUse, broker, clock, metrics, readingMemory: memory, log } = context;
  const { settings } = inUse.now;
  const { reading } = settings;
  const onError = createFaultLog(log.logger, clock, "a fault while reading; reading continues");
  const texts = { decoder: decoding.decoder, toText: consumedEvent };
  const consumers = createPullConsumers({
    ...{ clock, memory, onError },
    idleMs: reading.groupIdle,
    maxPullsPerOwner: MAX_PULLS_PER_OWNER,
    maxBufferedBytes: reading.groupBuffer,
    toEvent: keptEvent(texts),
    onCommitFailed: (err) => {
      metrics.commitFailed();
      onError(err);
    },
  });
  const batch = createBatchApi(consumers, {
    ...texts,
    answered: (events, isSent) => {
      metrics.answerEnded("batch", isSent);
      if (isSent) metrics.eventsRead("batch", events);
    },
  });
  const instances = openInstances(context, decoding, onError);
  return openHome({ ...context, settings }, peerPort, (home) => {
    const readers = createReaders({
      ...{ broker, clock, onError },
      holds: (slot) => home.holds(slot),
      isMember: () => home.isMember(),
      sessionTimeout: reading.sessionTimeout,
      groupIdle: reading.groupIdle,
      maxGroups: reading.maxGroups,
      apis: [batch, instances],
    });
    metrics.readersGroupsFrom(() => readers.groups);
    metrics.instancesFrom(() => instances.count);
    return readers;
  });
};

/** The consumer instances of the REST Proxy API in this process. */
const openInstances = (
  { inUse, broker, clock, metrics, readingMemory: memory }: LastingContext,
  { decoder }: DecodingInUse,
  onError: (error: GatewayError) => void,
): Instances => {
  const { reading } = inUse.now.settings;
  return createInstances({
    ...{ broker, decoder, clock, memory, onError },
    stations: async () => {
      const { declared, settings } = inUse.now;
      const listed = await listStations({ declared, autoCreate: settings.autoCreateStations, broker });
      return listed.filter(({ partitions }) => partitions !== null);
    },
    maxInstances: reading.maxInstances,
    maxPerPrincipal: reading.instancesPerPrincipal,
    consumerTimeout: () => inUse.now.settings.restProxy.consumerTimeout,
    maxBytes: () => inUse.now.settings.restProxy.consumerMaxBytes,
    groupBuffer: reading.groupBuffer,
    onAnswer: (events, isSent) => {
      metrics.answerEnded("v2", isSent);
      if (isSent) metrics.eventsRead("v2", events);
    },
    onCommitFailed: () => {
      metrics.commitFailed();
    },
  });
};

/** `stopping` is aborted when the listeners close. */
export const openEventStreams = (
  { inUse, broker, clock, readingMemory: memory, metrics, log }: LastingContext,
  stopping: AbortSignal,
): EventStreams =>
  createEventStreams({
    ...{ broker, clock, metrics, memory, stopping },
    limits: inUse.now.settings.reading.streams,
    onError: createFaultLog(log.logger, clock, "a fault while event streams read; they continue"),
  });
