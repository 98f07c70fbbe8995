/** The event streams of this process. */
import { createEventStreams, type EventStreams } from "../consume/stream/streams.ts";
import type { AppContext } from "./context.ts";

/** `stopping` is aborted when the listeners close. */
export const openEventStreams = (
  { settings, broker, clock, readingMemory, metrics, log }: AppContext,
  stopping: AbortSignal,
): EventStreams =>
  createEventStreams({
    ...{ broker, clock, metrics, stopping },
    memory: readingMemory,
    limits: settings.reading.streams,
    onError: (err) => {
      log.logger.warn({ err }, "a fault while event streams read; they continue");
    },
  });
