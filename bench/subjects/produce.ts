/** Producing over HTTP: puts load on the gateway, and compares the acknowledgements with the log. */
import type { LoadRequest, LoadResult } from "../load/load.ts";
import type { Measurement, Subject } from "../measurement.ts";
import { cpuSeconds, largestRss } from "../processes.ts";
import type { BenchGateway } from "../targets/gateway.ts";

export interface ProduceTarget {
  readonly gateway: BenchGateway;
  /** Number of events in the station's log. Resolves when the number no longer changes. */
  readonly logEnd: () => Promise<number>;
}

export interface ProduceOptions {
  readonly name: string;
  /** Called once, before the first run. */
  readonly target: () => Promise<ProduceTarget>;
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
  readonly eventsPerRequest: number;
  /**
   * Maximum requests in flight when the load ends. Their events can be stored although the load tool does not count
   * them.
   */
  readonly mostInFlight: number;
  /** true: an answer other than 2xx is not a fault. */
  readonly mayRefuse?: boolean;
  readonly load: (request: LoadRequest, seconds: number) => Promise<LoadResult>;
}

/** A gateway needs more CPU for an event until its code is compiled. */
const WARM_UP_SECONDS = 20;

/** The reasons why a run is void: error answers, or a log with fewer or more events than acknowledged. */
const faultsOf = (result: LoadResult, stored: number, options: ProduceOptions): readonly string[] => {
  const { eventsPerRequest, mostInFlight, mayRefuse = false } = options;
  const acknowledged = (result.requests - result.refused) * eventsPerRequest;
  const faults: string[] = [];
  if (result.refused > 0 && !mayRefuse) faults.push(`${result.refused} error answers`);
  if (result.broken > 0) faults.push(`${result.broken} requests without an answer`);
  if (stored < acknowledged || stored > acknowledged + mostInFlight * eventsPerRequest)
    faults.push(`${acknowledged} events acknowledged, ${stored} in the log`);
  return faults;
};

export const produceSubject = (options: ProduceOptions): Subject => {
  const { name, path, contentType, body, eventsPerRequest, load } = options;
  let target: ProduceTarget | undefined;

  const open = async (): Promise<ProduceTarget> => {
    const opened = await options.target();
    await run(opened, WARM_UP_SECONDS);
    return opened;
  };

  const run = async ({ gateway, logEnd }: ProduceTarget, seconds: number): Promise<Measurement> => {
    const request = {
      url: `${gateway.url}${path}`,
      authorization: gateway.authorization,
      contentType,
      body,
    };
    const before = { end: await logEnd(), cpu: await cpuSeconds(gateway.pid) };
    const result = await load(request, seconds);
    const cpu = (await cpuSeconds(gateway.pid)) - before.cpu;
    const rssPerWorker = await largestRss(gateway.pid);
    const stored = (await logEnd()) - before.end;
    const events = (result.requests - result.refused) * eventsPerRequest;
    return {
      eventsPerSecond: events / result.seconds,
      ...result.latency,
      cpuPerEvent: (cpu / events) * 1e6,
      rssPerWorker,
      faults: faultsOf(result, stored, options),
    };
  };

  return { name, measure: async (seconds) => run((target ??= await open()), seconds) };
};
