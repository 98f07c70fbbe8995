/** The server process: settings, start, signals, exit code, and the text of a first start. */
import cluster from "node:cluster";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Gateway, Surroundings } from "../app.ts";
import type { Addresses } from "../app/listeners.ts";
import { readTls, type TlsFiles } from "../app/read-tls.ts";
import { bindFault, startFault } from "../app/start-faults.ts";
import { supervise, workerCount } from "../cluster/supervisor.ts";
import { type Task, work } from "../cluster/worker.ts";
import { type Arguments, HELP } from "../config/arguments.ts";
import { type Identity, loadOrCreateIdentity, withIdentity, withSessionSecret } from "../config/identity.ts";
import { type LoadedSettings, type LoadOptions, loadSettings, type RefusedSettings } from "../config/load.ts";
import { printEnvExample, printSettings } from "../config/print.ts";
import type { Settings } from "../config/schema/schema.ts";
import { VERSION } from "../config/version.ts";
import { maskConfig } from "../delivery/connectors/masking.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog, type Log, type Logger, type LogOptions } from "../observability/logger/logger.ts";
import { checkSettings, faultsOf, warningsOf } from "./check.ts";
import { workerArguments } from "./heap.ts";
import { onHangUp, releaseHangUps } from "./hang-up.ts";
import { createOwnFleet } from "./reload/own-fleet.ts";
import { createReloads, nothingToReload, type Reloads } from "./reload/reload.ts";

const say = (text: string): void => void process.stdout.write(`${text.trimEnd()}\n`);

type Refusal = Pick<RefusedSettings, "status" | "faults">;

/** Prints one line for each fault and sets the exit code 1. */
const refuse = (faults: readonly string[]): void => {
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = 1;
};

/** The text to print, or the settings to serve with. */
const printout = async (
  { command }: Arguments,
  source: LoadOptions,
): Promise<string | LoadedSettings | Refusal> => {
  if (command === "help") return HELP;
  if (command === "version") return VERSION;
  if (command === "print-env-example") return printEnvExample();
  if (command === "check-config") return checked(source);
  const loaded = loadSettings(source);
  if (loaded.status === "refused" || command === "serve") return loaded;
  return printSettings(withMaskedConnectors(loaded.settings));
};

/** Masks connector settings like the operators' routes. */
const withMaskedConnectors = (settings: Settings): Settings => ({
  ...settings,
  connectors: settings.connectors.map(({ name, config }) => ({ name, config: maskConfig(config) })),
});

const checked = async (source: LoadOptions): Promise<string | Refusal> => {
  const { faults, warnings } = await checkSettings(source);
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  return faults.length > 0 ? { status: "refused", faults } : "The settings are valid.";
};

const run = async (args: Arguments): Promise<void> => {
  if (args.command !== "serve") releaseHangUps();
  const source = { configFile: args.configFile, env: process.env, cwd: process.cwd() };
  const result = await printout(args, source);
  if (typeof result === "string") say(result);
  else if (result.status === "refused") refuse(result.faults);
  else await serve(result, source);
};

/** Seals sessions of operators if the settings have no secret for it. It does not change, so that sessions outlive a reload. */
const ownSecret = randomBytes(32).toString("base64url");

const serve = async (loaded: LoadedSettings, source: LoadOptions): Promise<void> => {
  const { settings, laptop } = loaded;
  const tls = readTls(settings);
  // The app makes the other checks at its start.
  if (tls.faults.length > 0) {
    refuse(await faultsOf(settings, tls));
    return;
  }
  const identity = laptop ? loadOrCreateIdentity(settings.broker.embedded.dir) : undefined;
  const named = identity === undefined ? settings : withIdentity(settings, identity);
  const effective = withSessionSecret(named, ownSecret);
  const log = openLog(effective.log);
  for (const warning of await warningsOf(loaded, tls)) log.logger.warn(warning);
  const reloads = loaded.hasFile
    ? createReloads({
        source: { ...source, ownSecret },
        loaded: { ...loaded, settings: effective },
        ...{ log, tls: tls.files },
      })
    : undefined;
  if (reloads === undefined) releaseHangUps();
  else onHangUp(reloads.signal);
  const addresses = await start(effective, log, { reloads, tls: tls.files });
  if (identity !== undefined) say(welcome(addresses.public.port, identity, settings.server.tls?.cert));
};

/** Flushes the last lines when the process exits, even after a crash. */
const openLog = (options: LogOptions): Log => {
  const log = createLog(options);
  process.once("exit", () => {
    log.flushNow();
  });
  return log;
};

interface StartParts {
  /** undefined: there is no settings file. */
  readonly reloads: Reloads | undefined;
  readonly tls: TlsFiles;
}

const start = async (settings: Settings, log: Log, { reloads, tls }: StartParts): Promise<Addresses> => {
  const { logger } = log;
  const { workers } = workerCount(settings, availableParallelism());
  const reload = reloads?.control ?? nothingToReload(new Date());
  try {
    const serving = await (workers === 1
      ? startAlone(settings, log, { reload, tls })
      : supervise({ workers, execArgv: workerArguments(process), settings, tls, log, reload }));
    const addresses = await listen(serving, logger).catch((error: unknown) => {
      throw bindFault(error, settings);
    });
    const stop = stopper(serving, log);
    const end = (): void => {
      reloads?.stop();
      stop();
    };
    for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, end);
    if (reloads === undefined) onHangUp(end);
    else reloads.begin(serving);
    return addresses;
  } catch (error) {
    await log.close();
    throw error;
  }
};

/** Imports the app only here: a supervisor doesn't need it. */
const startHere = async (settings: Settings, log: Log, surroundings: Surroundings): Promise<Gateway> => {
  const { startGateway } = await import("../app.ts");
  return startGateway(settings, log, surroundings);
};

const startAlone = async (settings: Settings, log: Log, surroundings: Surroundings) => {
  const gateway = await startHere(settings, log, surroundings);
  return { ...gateway, fleet: createOwnFleet(gateway.prepare, systemClock) };
};

const listen = async (serving: Pick<Gateway, "listen" | "stop">, logger: Logger): Promise<Addresses> => {
  const addresses = await serving.listen().catch(async (error: unknown) => {
    await serving.stop();
    throw error;
  });
  for (const listener of ["admin", "public"] as const) {
    const { address, port } = addresses[listener];
    logger.info({ listener, host: address, port }, "listening");
  }
  return addresses;
};

/** Stops the process in order. Further calls have no effect. */
const stopper = ({ stop }: Pick<Gateway, "stop">, log: Log): ((graceMs?: number) => void) => {
  let stopping = false;
  return (graceMs) => {
    if (stopping) return;
    stopping = true;
    log.logger.info("stopping");
    void stop(graceMs).then(async () => {
      log.logger.info("stopped");
      await log.close();
      process.exit(0);
    });
  };
};

const serveAsWorker = async ({ slot, settings, ...surroundings }: Task) => {
  const log = openLog({ ...settings.log, worker: slot });
  const gateway = await startHere(settings, log, surroundings);
  return { ...gateway, stop: stopper(gateway, log) };
};

/**
 * Runs `node dist/main.js` and `stationgate start`. Resolves when the process serves, or has printed the requested text.
 * Faults of the settings go to stderr, one per line, and set the exit code 1. A cluster worker has the same arguments and
 * gets its settings and connections from the supervisor.
 */
export const runProcess = async (read: () => Arguments): Promise<void> => {
  if (cluster.isWorker) {
    work(serveAsWorker);
    return;
  }
  try {
    await run(read());
  } catch (error) {
    const fault = startFault(error);
    if (fault === undefined) throw error;
    refuse(fault.message.split("\n"));
  }
};

/**
 * The text of a first start without settings: three commands that can be pasted into a shell. Each of them signs in, so
 * that it also works after the first token has expired. With TLS, curl trusts the gateway's own certificate.
 */
const welcome = (
  port: number,
  { username, connectionToken }: Identity,
  certificate: string | undefined,
): string => {
  const base =
    certificate === undefined
      ? `http://127.0.0.1:${port}`
      : `--cacert '${certificate}' https://127.0.0.1:${port}`;
  const json = `-H 'content-type: application/json'`;
  const credentials = JSON.stringify({ username, connection_token: connectionToken });
  const signIn = `curl -s ${base}/auth/authenticate ${json} -d '${credentials}'`;
  const bearer = `-H "authorization: Bearer $(${signIn} | sed 's/.*"jwt":"\\([^"]*\\)".*/\\1/')"`;
  const station = `${base}/stations/demo`;
  const consume = JSON.stringify({ consumer_name: "me", batch_max_wait_time_ms: 1000 });
  return [
    "",
    "Stationgate is ready. Sign in, produce an event, read it back:",
    "",
    signIn,
    `curl -s ${station}/produce/single ${json} ${bearer} -d '{"hello":"world"}'`,
    `curl -s ${station}/consume/batch ${json} ${bearer} -d '${consume}'`,
    "",
  ].join("\n");
};
