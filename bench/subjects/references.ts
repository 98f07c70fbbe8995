/** The references that the gateway is compared with, in the same run on the same machine. */
import { resolve } from "node:path";
import { EVENT } from "../load/events.ts";
import type { Figures, Measurement, Subject } from "../measurement.ts";
import { helper, lastLine, output, type Running } from "../programs.ts";
import type { Stage } from "../stage.ts";
import { kafkaClassPath } from "../../tests/support/kafka/jars.ts";

const WARM_UP_SECONDS = 3;

/** A small HTTP service under the same load as the gateway. */
const httpSubject = (
  stage: Stage,
  name: string,
  connections: number,
  open: () => Promise<Running>,
): Subject => {
  let url: string | undefined;
  const run = async (target: string, seconds: number): Promise<Measurement> => {
    const request = { url: target, authorization: "", contentType: "application/json", body: EVENT };
    const { requests, refused, broken, latency, ...result } = await stage.loadTool.load(request, {
      connections,
      seconds,
    });
    const faults = refused + broken > 0 ? [`${refused + broken} requests failed`] : [];
    return { eventsPerSecond: requests / result.seconds, ...latency, faults };
  };
  const opened = async (): Promise<string> => {
    const target = `http://127.0.0.1:${((await open()).said as { port: number }).port}/`;
    await run(target, WARM_UP_SECONDS);
    return target;
  };
  return { name, measure: async (seconds) => run((url ??= await opened()), seconds) };
};

/** A Kafka client that measures itself on its own topic. */
const clientSubject = (
  stage: Stage,
  name: string,
  command: (broker: string, seconds: number) => Promise<readonly string[]>,
): Subject => {
  let created: Promise<void> | undefined;
  return {
    name,
    measure: async (seconds) => {
      const kafka = await stage.kafka();
      await (created ??= kafka.createTopic(name));
      const { failed = 0, ...figures } = lastLine(
        await output(await command(kafka.broker, seconds)),
      ) as Figures & {
        readonly failed?: number;
      };
      return { ...figures, faults: failed > 0 ? [`${failed} records failed`] : [] };
    },
  };
};

export const referenceSubjects = (stage: Stage): readonly Subject[] => [
  httpSubject(stage, "bare-http-64", 64, () => stage.bareHttp()),
  httpSubject(stage, "bare-http-256", 256, () => stage.bareHttp()),
  httpSubject(stage, "naive-64", 64, () => stage.naive()),
  clientSubject(stage, "kafkajs-send", (broker, seconds) =>
    Promise.resolve(helper("references/kafkajs-send", [broker, "kafkajs-send", String(seconds)])),
  ),
  clientSubject(stage, "java-producer", async (broker, seconds) => [
    "java",
    "-cp",
    await kafkaClassPath(),
    resolve("bench/references/JavaProducer.java"),
    broker,
    "java-producer",
    EVENT,
    String(seconds),
  ]),
];
