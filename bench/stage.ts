/** The programs that the subjects share. Each is started at its first use; all are stopped together. */
import type { Flags } from "./flags.ts";
import { loadTool, type LoadTool } from "./load/load.ts";
import { untilShared } from "./load/reads.ts";
import { helper, start, type Running } from "./programs.ts";
import { type BenchGateway, type GatewaySettings, startBenchGateway } from "./targets/gateway.ts";
import { startBenchKafka, type BenchKafka } from "./targets/kafka.ts";

interface Stopping {
  stop(): Promise<void>;
}

export interface Stage {
  readonly loadTool: LoadTool;
  kafka(): Promise<BenchKafka>;
  gateway(): Promise<BenchGateway>;
  /** Another gateway. `kafka`: host:port of a broker other than the shared one. */
  freshGateway(
    settings?: Partial<Pick<GatewaySettings, "workers" | "reading" | "more" | "tls">> & {
      readonly kafka?: string;
    },
  ): Promise<BenchGateway>;
  /** Two gateways of one process each, which share the readers' groups. */
  gatewayPair(): Promise<readonly [BenchGateway, BenchGateway]>;
  embedded(): Promise<BenchGateway>;
  bareHttp(): Promise<Running>;
  /** Uses a topic of its own. */
  naive(): Promise<Running>;
  /** Registers a program that must be stopped at the end of the benchmark. */
  opened<T extends Stopping>(opened: Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

const once = <T>(open: () => Promise<T>): (() => Promise<T>) => {
  let opened: Promise<T> | undefined;
  return () => (opened ??= open());
};

export const createStage = async ({ program, workers, producer, profile }: Flags): Promise<Stage> => {
  const stops: (() => Promise<void>)[] = [];
  const opened = async <T extends Stopping>(opening: Promise<T>): Promise<T> => {
    const program = await opening;
    stops.push(() => program.stop());
    return program;
  };
  const shipped = { program, workers, profile };
  const kafka = once(() => opened(startBenchKafka()));
  const freshGateway: Stage["freshGateway"] = async ({ kafka: other, ...settings } = {}) => {
    const client = producer === undefined ? {} : { producer };
    const broker = { type: "kafka", kafka: { brokers: [other ?? (await kafka()).broker], ...client } };
    return opened(startBenchGateway({ ...shipped, ...settings, broker }));
  };
  return {
    loadTool: await loadTool(),
    kafka,
    gateway: once(freshGateway),
    freshGateway,
    gatewayPair: once(async () => {
      const pair = [await freshGateway({ workers: 1 }), await freshGateway({ workers: 1 })] as const;
      await untilShared(pair[1]);
      return pair;
    }),
    embedded: once(() => opened(startBenchGateway({ ...shipped, workers: 1, broker: { type: "embedded" } }))),
    bareHttp: once(() => opened(start(helper("references/bare-http", [])))),
    naive: once(async () => {
      const cluster = await kafka();
      await cluster.createTopic("naive");
      return opened(start(helper("references/naive-express", [cluster.broker, "naive"])));
    }),
    opened,
    stop: async () => {
      for (const stop of stops.reverse()) await stop();
    },
  };
};
