/** `refused/` of a folder: one file for each topic, with a line of JSON for each record that Kafka has refused for good. */
import path from "node:path";
import type { ErrorCode, GatewayError } from "../errors.ts";
import type { SpooledEvent } from "./segment-reader.ts";
import type { SpoolFile, SpoolFiles } from "./files.ts";

export interface RefusedEvent {
  readonly event: SpooledEvent;
  readonly error: GatewayError;
}

/** True: Kafka has refused the event for good. A refusal of the topic is temporary for a client, but Kafka has answered. */
export const isRefusal = ({ outcome, code }: GatewayError): boolean =>
  outcome === "refused" || code === "TOPIC_REFUSED";

/** Refusals of the topic as a whole. They end when somebody creates it, or changes its rights or settings. */
export const OF_TOPIC: readonly ErrorCode[] = ["STATION_UNKNOWN", "TOPIC_REFUSED"];

/** True: Kafka refuses the event whatever happens to the topic. */
export const isRefusalOfEvent = (error: GatewayError): boolean =>
  isRefusal(error) && !OF_TOPIC.includes(error.code) && error.code !== "PARTITION_UNKNOWN";

const base64 = (bytes: Buffer | null): string | null => bytes?.toString("base64") ?? null;

const lineOf = (topic: string, { event, error }: RefusedEvent): string => {
  const { time, record } = event.entry;
  const headers = record.headers.map(({ name, value }) => ({ name, value: base64(value) }));
  const { timestamp, partition = null } = record;
  const at = { topic, partition, timestamp, spooled: new Date(time).toISOString() };
  const why = { code: error.code, error: error.message };
  return `${JSON.stringify({ ...at, ...why, key: base64(record.key), value: base64(record.value), headers })}\n`;
};

/** Appends the records to the topic's file. Resolves to the bytes when they are on the disk. Rejects with node's error. */
export const keepRefused = async (
  files: SpoolFiles,
  folder: string,
  topic: string,
  refused: readonly RefusedEvent[],
): Promise<number> => {
  const directory = path.join(folder, "refused");
  await files.makeDirectory(directory);
  const name = path.join(directory, `${topic}.ndjson`);
  const isNew = !(await files.list(directory)).includes(`${topic}.ndjson`);
  const file = await (isNew ? files.create(name) : files.open(name));
  try {
    const bytes = Buffer.from(refused.map((each) => lineOf(topic, each)).join(""));
    await write(file, bytes);
    if (isNew) await files.syncDirectory(directory);
    return bytes.length;
  } finally {
    await file.close();
  }
};

/** A failed write leaves nothing behind, so that each line is whole. */
const write = async (file: SpoolFile, bytes: Buffer): Promise<void> => {
  const end = await file.size();
  try {
    await file.write(bytes, end);
    await file.sync();
  } catch (error) {
    await file.truncate(end).catch(() => undefined);
    throw error;
  }
};
