/** Producing over HTTP: puts load on the gateway, and compares the acknowledgements with the log. */
import type { LoadRequest, LoadResult } from "../load/load.ts";
import type { Figures, Measurement, Subject } from "../measurement.ts";
import { cpuSeconds, largestRss } from "../processes.ts";
import type { BenchGateway } from "../targets/gateway.ts";

/** The processes whose CPU time is measured, by figure. */
type Processes = Readonly<
  Partial<Record<"cpuPerEvent" | "proxyCpuPerEvent" | "kafkaCpuPerEvent", readonly number[]>>
>;

export interface ProduceTarget {
  /** The one that gets the load. */
  readonly gateway: Pick<BenchGateway, "url" | "authorization" | "pid">;
  /** Default: the gateway. */
  readonly processes?: Processes;
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

const cpuOf = async (processes: Processes): Promise<Figures> =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(processes).map(async ([figure, pids]) => {
        const seconds = await Promise.all(pids.map(cpuSeconds));
        return [figure, seconds.reduce((sum, one) => sum + one, 0)] as const;
      }),
    ),
  );

/** Microseconds for an event. */
const cpuPerEvent = (before: Figures, after: Figures, events: number): Figures =>
  Object.fromEntries(
    Object.entries(after).map(([figure, seconds]) => [
      figure,
      ((seconds - (before[figure as keyof Figures] ?? 0)) / events) * 1e6,
    ]),
  );

export const produceSubject = (options: ProduceOptions): Subject => {
  const { name, path, contentType, body, eventsPerRequest, load } = options;
  let target: ProduceTarget | undefined;

  const open = async (): Promise<ProduceTarget> => {
    const opened = await options.target();
    await run(opened, WARM_UP_SECONDS);
    return opened;
  };

  const run = async (target: ProduceTarget, seconds: number): Promise<Measurement> => {
    const { gateway, logEnd, processes = { cpuPerEvent: [gateway.pid] } } = target;
    const request = {
      url: `${gateway.url}${path}`,
      authorization: gateway.authorization,
      contentType,
      body,
    };
    const endBefore = await logEnd();
    const before = await cpuOf(processes);
    const result = await load(request, seconds);
    const after = await cpuOf(processes);
    const rssPerWorker = Math.max(...(await Promise.all((processes.cpuPerEvent ?? []).map(largestRss))));
    const stored = (await logEnd()) - endBefore;
    const events = (result.requests - result.refused) * eventsPerRequest;
    return {
      eventsPerSecond: events / result.seconds,
      ...result.latency,
      ...cpuPerEvent(before, after, events),
      rssPerWorker,
      faults: faultsOf(result, stored, options),
    };
  };

  return { name, measure: async (seconds) => run((target ??= await open()), seconds) };
};
