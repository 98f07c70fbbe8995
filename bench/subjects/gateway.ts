/** The subjects of producing through the gateway. */
import { batchBody, EVENT, v2Body, v3BatchBody } from "../load/events.ts";
import type { LoadResult } from "../load/load.ts";
import type { Subject } from "../measurement.ts";
import { helper, lastLine, output } from "../programs.ts";
import type { Stage } from "../stage.ts";
import { createEmbeddedCounter } from "../targets/embedded-log.ts";
import { produceSubject, type ProduceOptions, type ProduceTarget } from "./produce.ts";

const JSON_TYPE = "application/json";

/** A new station on the gateway with Kafka. */
const onKafka = (stage: Stage, station: string, partitions?: number) => async (): Promise<ProduceTarget> => {
  const kafka = await stage.kafka();
  await kafka.createTopic(station, partitions);
  return { gateway: await stage.gateway(), logEnd: () => kafka.logEnd(station) };
};

type Call = Pick<ProduceOptions, "path" | "contentType" | "body" | "eventsPerRequest">;

const overConnections = (
  stage: Stage,
  name: string,
  connections: number,
  call: Call,
): Omit<ProduceOptions, "target"> => ({
  name,
  ...call,
  mostInFlight: connections,
  load: (request, seconds) => stage.loadTool.load(request, { connections, seconds }),
});

const single = (station: string): Call => ({
  path: `/stations/${station}/produce/single`,
  contentType: JSON_TYPE,
  body: EVENT,
  eventsPerRequest: 1,
});

const batch = (station: string): Call => ({
  path: `/stations/${station}/produce/batch`,
  contentType: JSON_TYPE,
  body: batchBody(100),
  eventsPerRequest: 100,
});

const singleSubject = (
  stage: Stage,
  connections: number,
  name = `single-${connections}`,
  partitions?: number,
): Subject =>
  produceSubject({
    ...overConnections(stage, name, connections, single(name)),
    target: onKafka(stage, name, partitions),
  });

/** As `single-64`, over TLS. */
const tlsSubject = (stage: Stage): Subject => {
  const name = "single-64-tls";
  return produceSubject({
    ...overConnections(stage, name, 64, single(name)),
    target: async () => {
      const kafka = await stage.kafka();
      await kafka.createTopic(name);
      return { gateway: await stage.freshGateway({ tls: true }), logEnd: () => kafka.logEnd(name) };
    },
  });
};

/** More connections than the gateway serves at once. It may refuse requests, but must answer the accepted ones soon. */
const overloadSubject = (stage: Stage): Subject => {
  const name = "overload-2000";
  return produceSubject({
    ...overConnections(stage, name, 2000, single(name)),
    target: onKafka(stage, name),
    mayRefuse: true,
  });
};

const batchSubject = (stage: Stage, name: string, call: Call, partitions?: number): Subject =>
  produceSubject({ ...overConnections(stage, name, 16, call), target: onKafka(stage, name, partitions) });

const v3StreamSubject = (stage: Stage): Subject => {
  const name = "v3-stream";
  return produceSubject({
    name,
    path: `/v3/clusters/bench/topics/${name}/records`,
    contentType: JSON_TYPE,
    body: "",
    eventsPerRequest: 1,
    mostInFlight: 0,
    target: onKafka(stage, name),
    load: async ({ url, authorization }, seconds) => {
      const client = helper("load/v3-stream", [url, authorization, String(seconds)]);
      return lastLine(await output(client)) as LoadResult;
    },
  });
};

const embeddedSubject = (stage: Stage): Subject => {
  const name = "embedded-64";
  return produceSubject({
    ...overConnections(stage, name, 64, single(name)),
    target: async () => {
      const gateway = await stage.embedded();
      return { gateway, logEnd: createEmbeddedCounter(gateway, name) };
    },
  });
};

export const gatewaySubjects = (stage: Stage): readonly Subject[] => [
  singleSubject(stage, 1),
  singleSubject(stage, 64),
  singleSubject(stage, 256),
  tlsSubject(stage),
  overloadSubject(stage),
  batchSubject(stage, "batch-100", batch("batch-100")),
  singleSubject(stage, 64, "partition-1", 1),
  batchSubject(stage, "partition-1-batch-100", batch("partition-1-batch-100"), 1),
  batchSubject(stage, "v2-batch-100", {
    path: "/topics/v2-batch-100",
    contentType: "application/vnd.kafka.json.v2+json",
    body: v2Body(100),
    eventsPerRequest: 100,
  }),
  batchSubject(stage, "v3-batch-50", {
    path: "/v3/clusters/bench/topics/v3-batch-50/records:batch",
    contentType: JSON_TYPE,
    body: v3BatchBody(50),
    eventsPerRequest: 50,
  }),
  v3StreamSubject(stage),
  embeddedSubject(stage),
];
