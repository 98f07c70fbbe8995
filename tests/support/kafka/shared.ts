/**
 * The one broker that all test files of a jest run share. The first file that needs it starts it (a run without such
 * a file starts none); it ends with the run.
 */
import { access, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { whatKafkaLacks } from "./jars.ts";
import { startKafka } from "./server.ts";

/** `jest.config.js` sets it, so that the workers of one run know each other. */
const run = process.env["JEST_RUN"] ?? `${process.pid}`;
const folder = join(tmpdir(), `stationgate-jest-${run}`);
const announcement = join(folder, "brokers.json");

const given = process.env["KAFKA_BROKERS"];
const wish = process.env["KAFKA_TESTS"];

/** Kafka tests that cannot run are a failure (CI), not a skip. */
export const isRequired = wish === "required";

/** Why tests that need Kafka cannot run; undefined: they can. */
export const whyNoKafka = async (): Promise<string | undefined> => {
  if (wish === "off") return "KAFKA_TESTS=off";
  if (given !== undefined) return undefined;
  return whatKafkaLacks();
};

/** Why tests with brokers of their own cannot run: one that was given doesn't help them. */
export const whyNoOwnKafka = async (): Promise<string | undefined> =>
  wish === "off" ? "KAFKA_TESTS=off" : whatKafkaLacks();

const announce = async (text: string): Promise<void> => {
  await writeFile(`${announcement}.new`, text);
  await rename(`${announcement}.new`, announcement);
};

const startForAll = async (): Promise<void> => {
  const owner = Number.parseInt(run, 10);
  try {
    const { brokers } = await startKafka({ owner, folder });
    await announce(JSON.stringify({ brokers }));
  } catch (error) {
    await announce(JSON.stringify({ failure: String(error) }));
  }
};

/** host:port of the shared broker, started where it isn't yet. */
export const sharedBrokers = async (): Promise<readonly string[]> => {
  if (given !== undefined) return given.split(",");
  const isFirst = await mkdir(folder).then(
    () => true,
    () => false,
  );
  if (isFirst) await startForAll();
  while (
    !(await access(announcement).then(
      () => true,
      () => false,
    ))
  )
    await sleep(100);
  const { brokers, failure } = JSON.parse(await readFile(announcement, "utf8")) as {
    brokers?: string[];
    failure?: string;
  };
  if (brokers === undefined) throw new Error(failure);
  return brokers;
};
