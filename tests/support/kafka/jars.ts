/** Apache Kafka's own jars, which Maven fetches from Maven Central into a cache outside the repository. */
import { execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const VERSION = "4.1.0";
const OLDEST_JAVA = 17;

const run = promisify(execFile);

/** The folder of the jars. */
export const kafkaCache = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "stationgate",
  `kafka-${VERSION}`,
);
const libs = join(kafkaCache, "libs");

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>stationgate</groupId>
  <artifactId>test-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

const isCached = async (): Promise<boolean> =>
  (await readdir(libs).catch(() => [])).some((name) => name.startsWith("kafka_"));

const isOnPath = async (program: string): Promise<boolean> => {
  const found = (process.env["PATH"] ?? "").split(delimiter).map(async (folder) => {
    await access(join(folder, program), constants.X_OK);
  });
  return Promise.any(found).then(
    () => true,
    () => false,
  );
};

let version: Promise<string> | undefined;

/** Such as `17.0.15`; empty: there is no Java. */
export const javaVersion = (): Promise<string> => {
  version ??= run("java", ["-version"]).then(
    ({ stderr }) => /version "([\w.+-]+)"/.exec(stderr)?.[1] ?? "",
    () => "",
  );
  return version;
};

/** The reason why a program of Maven Central cannot be started on this machine; undefined: it can. */
export const whatJavaLacks = async (isFetched: () => Promise<boolean>): Promise<string | undefined> => {
  if (!(Number.parseInt(await javaVersion(), 10) >= OLDEST_JAVA))
    return `Java ${OLDEST_JAVA} or newer is not installed`;
  if (!(await isFetched()) && !(await isOnPath("mvn"))) return "Maven (mvn) is not installed";
  return undefined;
};

/** The reason why Kafka cannot be started on this machine; undefined: it can. */
export const whatKafkaLacks = (): Promise<string | undefined> => whatJavaLacks(isCached);

/** Fetches the jars into a temporary folder and then renames it, so that the cache is never incomplete. */
const download = async (): Promise<void> => {
  await mkdir(kafkaCache, { recursive: true });
  const aside = await mkdtemp(join(kafkaCache, "download-"));
  try {
    await writeFile(join(aside, "pom.xml"), pom);
    await run("mvn", [
      "--batch-mode",
      "--quiet",
      "--file",
      join(aside, "pom.xml"),
      "dependency:copy-dependencies",
      "-DincludeScope=runtime",
      `-DoutputDirectory=${join(aside, "libs")}`,
    ]);
    await rename(join(aside, "libs"), libs).catch(async (error: unknown) => {
      if (!(await isCached())) throw error;
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
};

/** The class path of Kafka's jars. Fetches them if they are not cached. */
export const kafkaClassPath = async (): Promise<string> => {
  if (!(await isCached())) await download();
  return join(libs, "*");
};
