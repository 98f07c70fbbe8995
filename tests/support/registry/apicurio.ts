/** A real Apicurio Registry, which Maven fetches from Maven Central into a cache outside the repository. It keeps its data in memory. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { isRequired } from "../kafka/shared.ts";
import { whatJavaLacks } from "../kafka/jars.ts";

const VERSION = "2.6.13.Final";
const ARTIFACT = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`;
const RUNNER = `apicurio-registry-app-${VERSION}-runner.jar`;
/** Milliseconds, less than the timeout of the hook. On a busy machine a start can take a minute. */
const START_TIMEOUT = 110_000;

const run = promisify(execFile);

const cache = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "stationgate",
  `apicurio-${VERSION}`,
);
const home = join(cache, "app");

const isCached = (): Promise<boolean> =>
  access(join(home, RUNNER)).then(
    () => true,
    () => false,
  );

/** Fetches the program into a temporary folder and then renames it, so that the cache is never incomplete. */
const download = async (): Promise<void> => {
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(join(cache, "download-"));
  try {
    const goal = ["dependency:copy", `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${aside}`];
    await run("mvn", ["--batch-mode", "--quiet", ...goal], { cwd: aside });
    const [archive = ""] = (await readdir(aside)).filter((name) => name.endsWith(".tar.gz"));
    await mkdir(join(aside, "app"));
    await run("tar", ["-xzf", join(aside, archive), "-C", join(aside, "app")]);
    await rename(join(aside, "app"), home).catch(async (error: unknown) => {
      if (!(await isCached())) throw error;
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
};

interface Apicurio {
  /** The URL of the API that is compatible with Confluent's. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the registry. The caller stops it. */
const startApicurio = async (): Promise<Apicurio> => {
  if (!(await isCached())) await download();
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "stationgate-apicurio-"));
  const log = await open(join(folder, "registry.log"), "a");
  const settings = ["-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${port}`];
  const jvm = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
  const main = ["-cp", [RUNNER, "lib/*"].join(":"), "io.quarkus.runner.GeneratedMain"];
  const child = spawn("java", [...jvm, ...settings, ...main], {
    cwd: home,
    stdio: ["ignore", log.fd, log.fd],
  });
  await log.close();
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_TIMEOUT;
  while (child.exitCode === null && Date.now() < deadline) {
    const isUp = await fetch(`${url}/subjects`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return { url, stop };
    await sleep(100);
  }
  await stop();
  throw new Error("Apicurio does not start");
};

const lack = await whatJavaLacks(isCached);

/** Tests on a real Apicurio Registry of their own. Without Java and Maven they are skipped with a message. */
export const describeApicurio = (name: string, body: (registry: { readonly url: string }) => void): void => {
  if (lack !== undefined && !isRequired) {
    process.stderr.write(`SKIPPED, no Apicurio: ${name} (${lack})\n`);
    describe.skip(`${name} [skipped: ${lack}]`, () => {
      body({ url: "" });
    });
    return;
  }
  describe(name, () => {
    let apicurio: Apicurio | undefined;
    beforeAll(async () => {
      apicurio = await startApicurio();
    }, 300_000);
    afterAll(() => apicurio?.stop());
    body({
      get url() {
        return apicurio?.url ?? "";
      },
    });
  });
};
