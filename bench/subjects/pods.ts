/** One to three gateways of one process each behind nginx, as pods are. The clients have a core of their own. */
import { batchBody, EVENT } from "../load/events.ts";
import type { Subject } from "../measurement.ts";
import type { Stage } from "../stage.ts";
import type { BenchGateway } from "../targets/gateway.ts";
import { type BenchProxy, startBenchProxy } from "../targets/proxy.ts";
import { produceSubject, type ProduceTarget } from "./produce.ts";

const CLIENTS_CORE = 1;

interface Call {
  readonly route: "single" | "batch";
  readonly connections: number;
  readonly eventsPerRequest: number;
  readonly body: string;
}

const SINGLE: Call = { route: "single", connections: 64, eventsPerRequest: 1, body: EVENT };
const BATCH: Call = { route: "batch", connections: 16, eventsPerRequest: 100, body: batchBody(100) };

interface Pods {
  readonly gateways: readonly BenchGateway[];
  readonly proxy: BenchProxy;
}

const startPods = async (stage: Stage, count: number): Promise<Pods> => {
  const gateways: BenchGateway[] = [];
  while (gateways.length < count) gateways.push(await stage.freshGateway({ workers: 1 }));
  return { gateways, proxy: await stage.opened(startBenchProxy(gateways.map(({ url }) => url))) };
};

const podsSubject = (stage: Stage, name: string, pods: () => Promise<Pods>, call: Call): Subject => {
  const { route, connections, eventsPerRequest, body } = call;

  const target = async (): Promise<ProduceTarget> => {
    const kafka = await stage.kafka();
    await kafka.createTopic(name);
    const { gateways, proxy } = await pods();
    const [first] = gateways;
    if (first === undefined) throw new RangeError("at least one pod is needed");
    return {
      gateway: { ...first, url: proxy.url },
      processes: {
        cpuPerEvent: gateways.map(({ pid }) => pid),
        proxyCpuPerEvent: [proxy.pid],
        kafkaCpuPerEvent: [kafka.pid],
      },
      logEnd: () => kafka.logEnd(name),
    };
  };

  return produceSubject({
    ...{ name, body, eventsPerRequest, target },
    path: `/stations/${name}/produce/${route}`,
    contentType: "application/json",
    mostInFlight: connections,
    load: (request, seconds) => stage.loadTool.load(request, { connections, seconds, core: CLIENTS_CORE }),
  });
};

export const podSubjects = (stage: Stage): readonly Subject[] =>
  [1, 2, 3].flatMap((count) => {
    let started: Promise<Pods> | undefined;
    const pods = (): Promise<Pods> => (started ??= startPods(stage, count));
    return [
      podsSubject(stage, `pods-${count}`, pods, SINGLE),
      podsSubject(stage, `pods-${count}-batch-100`, pods, BATCH),
    ];
  });
