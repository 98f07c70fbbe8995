/** Producing to stations whose events are stored in Avro, by a schema of a registry; and the same events as JSON. */
import { startRegistry } from "../../tests/support/registry/registry.ts";
import { batchBody, ORDER, ORDER_SCHEMA } from "../load/events.ts";
import type { Subject } from "../measurement.ts";
import type { Stage } from "../stage.ts";
import type { BenchGateway } from "../targets/gateway.ts";
import { produceSubject } from "./produce.ts";

interface Row {
  readonly name: string;
  readonly connections: number;
  readonly eventsPerRequest: number;
}

const STATIONS = ["avro-single-64", "avro-batch-100"];

/** A gateway with a registry that has the schema of the stations. */
const registeredGateway = (stage: Stage): (() => Promise<BenchGateway>) => {
  let opened: Promise<BenchGateway> | undefined;
  const open = async (): Promise<BenchGateway> => {
    const registry = await startRegistry();
    await stage.opened(Promise.resolve({ stop: async () => registry[Symbol.asyncDispose]() }));
    for (const name of STATIONS) registry.add(`${name}-value`, ORDER_SCHEMA);
    const stations = STATIONS.map((name) => ({ name, schema: { type: "registry" } }));
    return stage.freshGateway({ more: { registry: { urls: [registry.url] }, stations } });
  };
  return () => (opened ??= open());
};

export const avroSubjects = (stage: Stage): readonly Subject[] => {
  const gateway = registeredGateway(stage);
  const subject = ({ name, connections, eventsPerRequest }: Row): Subject =>
    produceSubject({
      name,
      eventsPerRequest,
      contentType: "application/json",
      path: `/stations/${name}/produce/${eventsPerRequest === 1 ? "single" : "batch"}`,
      body: eventsPerRequest === 1 ? ORDER : batchBody(eventsPerRequest, ORDER),
      mostInFlight: connections,
      load: (request, seconds) => stage.loadTool.load(request, { connections, seconds }),
      target: async () => {
        const kafka = await stage.kafka();
        await kafka.createTopic(name);
        return { gateway: await gateway(), logEnd: () => kafka.logEnd(name) };
      },
    });
  return [
    subject({ name: "order-single-64", connections: 64, eventsPerRequest: 1 }),
    subject({ name: "avro-single-64", connections: 64, eventsPerRequest: 1 }),
    subject({ name: "order-batch-100", connections: 16, eventsPerRequest: 100 }),
    subject({ name: "avro-batch-100", connections: 16, eventsPerRequest: 100 }),
  ];
};
