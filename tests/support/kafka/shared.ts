/**
 * The broker that all test files of a jest run share. The first file that needs it starts it, and it ends with the run.
 */
import { access, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { whatKafkaLacks } from "./jars.ts";
import { startKafka } from "./server.ts";

/** `jest.config.js` sets it, so that all workers of a run have the same value. */
const run = process.env["JEST_RUN"] ?? `${process.pid}`;
const folder = join(tmpdir(), `stationgate-jest-${run}`);
const announcement = join(folder, "brokers.json");

const given = process.env["KAFKA_BROKERS"];
const wish = process.env["KAFKA_TESTS"];

/** true: Kafka tests that cannot run fail instead of being skipped (CI). */
export const isRequired = wish === "required";

/** The reason why tests with the shared broker cannot run; undefined: they can. */
export const whyNoKafka = async (): Promise<string | undefined> => {
  if (wish === "off") return "KAFKA_TESTS=off";
  if (given !== undefined) return undefined;
  return whatKafkaLacks();
};

/** The reason why tests with their own brokers cannot run; undefined: they can. `KAFKA_BROKERS` doesn't help them. */
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

/** host:port of the shared broker. Starts it if it does not run yet. */
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
