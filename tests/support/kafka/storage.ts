/**
 * Formats the storage of a node, as Kafka's own tool does. The tool takes a JVM, which is half of the time of a start, and its
 * `bootstrap.checkpoint` depends only on Kafka's version. So the tool runs once on each machine, and its file is kept beside the jars.
 */
import { execFile } from "node:child_process";
import { copyFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { kafkaCache } from "./jars.ts";

const run = promisify(execFile);
const CHECKPOINT = "bootstrap.checkpoint";
const kept = join(kafkaCache, CHECKPOINT);

export interface Storage {
  readonly clusterId: string;
  readonly nodeId: string;
  /** `data` is the folder of the storage, which exists and is empty. */
  readonly folder: string;
  readonly settingsFile: string;
  /** Options of the tool for SCRAM users, whose credentials are records of the checkpoint. */
  readonly scram: readonly string[];
  /** The options and the class path of the JVM. */
  readonly java: readonly string[];
  /** Kafka's format of a random id. */
  readonly randomId: () => string;
}

const formatWithTool = async ({ clusterId, settingsFile, scram, java }: Storage): Promise<void> => {
  const format = ["format", "--config", settingsFile, "--cluster-id", clusterId, ...scram];
  await run("java", [...java, "kafka.tools.StorageTool", ...format]);
};

export const formatStorage = async (storage: Storage): Promise<void> => {
  const { clusterId, nodeId, folder, scram, randomId } = storage;
  const checkpoint = join(folder, "data", CHECKPOINT);
  if (scram.length > 0) {
    await formatWithTool(storage);
    return;
  }
  const isKept = await copyFile(kept, checkpoint).then(
    () => true,
    () => false,
  );
  if (isKept) {
    const properties = { version: 1, "cluster.id": clusterId, "node.id": nodeId, "directory.id": randomId() };
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(folder, "data", "meta.properties"), lines.join(""));
    return;
  }
  await rm(checkpoint, { force: true });
  await formatWithTool(storage);
  const aside = `${kept}.${clusterId}`;
  await copyFile(checkpoint, aside);
  await rename(aside, kept);
};
