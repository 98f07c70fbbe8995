/** Reading: the readers' groups of the slots that this process holds, and the event streams of this process. */
import { createBatchApi, keptEvent } from "../consume/batch.ts";
import { createPullConsumers } from "../consume/consume.ts";
import { createInstances, type Instances } from "../consume/instances/instances.ts";
import { createReaders } from "../consume/readers.ts";
import { createEventStreams, type EventStreams } from "../consume/stream/streams.ts";
import type { GatewayError } from "../errors.ts";
import { consumedEvent } from "../http/handlers/stations/consume.ts";
import type { Home } from "../home/home.ts";
import { listStations, type Station } from "../ingest/stations.ts";
import type { AppContext } from "./context.ts";
import { createFaultLog } from "./fault-log.ts";
import { openHome } from "./wire-home.ts";

/** Maximum number of calls of one principal that wait for events at this home. */
const MAX_PULLS_PER_OWNER = 10_000;

/** Opens the home of readers' groups. undefined: no client of this process can read with a group. */
export const openReaders = (context: AppContext, declared: readonly Station[]): Promise<Home | undefined> => {
  const { settings, broker, decoder, clock, metrics, readingMemory: memory, log } = context;
  const { reading } = settings;
  const onError = createFaultLog(log.logger, clock, "a fault while reading; reading continues");
  const texts = { decoder, toText: consumedEvent };
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
  const instances = openInstances(context, declared, onError);
  return openHome(context, (home) => {
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
  { settings, broker, decoder, clock, metrics, readingMemory: memory }: AppContext,
  declared: readonly Station[],
  onError: (error: GatewayError) => void,
): Instances => {
  const { reading, restProxy, autoCreateStations: autoCreate } = settings;
  return createInstances({
    ...{ broker, decoder, clock, memory, onError },
    stations: async () =>
      (await listStations({ declared, autoCreate, broker })).filter(({ partitions }) => partitions !== null),
    maxInstances: reading.maxInstances,
    maxPerPrincipal: reading.instancesPerPrincipal,
    consumerTimeout: restProxy.consumerTimeout,
    maxBytes: restProxy.consumerMaxBytes,
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
  { settings, broker, clock, readingMemory: memory, metrics, log }: AppContext,
  stopping: AbortSignal,
): EventStreams =>
  createEventStreams({
    ...{ broker, clock, metrics, memory, stopping },
    limits: settings.reading.streams,
    onError: createFaultLog(log.logger, clock, "a fault while event streams read; they continue"),
  });
