/**
 * Kafka's classes as an archive of the JVM (application class-data sharing): a node starts with less than half of the CPU time. The
 * archive is created once on each machine, and is kept beside the jars. A JVM that can't use it starts without it.
 */
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { javaVersion, kafkaCache } from "./jars.ts";

/** Milliseconds after which an unfinished archive is created again. */
const ABANDONED_MS = 120_000;

const ageOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => undefined,
  );

/** True: this process creates the archive. Otherwise it waits until another process has created it, or has failed. */
const claim = async (lock: string): Promise<boolean> => {
  for (;;) {
    if (
      await mkdir(lock).then(
        () => true,
        () => false,
      )
    )
      return true;
    const age = await ageOf(lock);
    if (age === undefined) return false;
    if (age > ABANDONED_MS) await rm(lock, { recursive: true, force: true });
    else await sleep(200);
  }
};

/** The JVM options that use the archive. The jars must have been fetched. `train` runs a Kafka with the given options, and ends it in an orderly way. */
export const archiveOptions = async (
  train: (options: readonly string[]) => Promise<void>,
): Promise<readonly string[]> => {
  const archive = join(kafkaCache, `classes-${await javaVersion()}.jsa`);
  const lock = `${archive}.lock`;
  if ((await ageOf(archive)) === undefined && (await claim(lock))) {
    try {
      await train([`-XX:ArchiveClassesAtExit=${archive}.new`]);
      await rename(`${archive}.new`, archive);
    } catch {
      // Kafka starts without the archive.
    } finally {
      await rm(lock, { recursive: true, force: true });
    }
  }
  return (await ageOf(archive)) === undefined ? [] : [`-XX:SharedArchiveFile=${archive}`];
};
