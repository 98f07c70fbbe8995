/** Reloads of a program with a settings file: the state machine with its files, its watcher and its signal. */
import type { Fleet, ReloadControl } from "../../app/reload-control.ts";
import { readTls, type TlsFiles } from "../../app/read-tls.ts";
import type { LoadedSettings, LoadOptions } from "../../config/load.ts";
import type { Settings } from "../../config/schema/schema.ts";
import { systemClock } from "../../lib/clock.ts";
import { type Digests, type FileWatch, watchFiles } from "../../lib/file-watch/file-watch.ts";
import type { Audit } from "../../observability/audit.ts";
import type { Log } from "../../observability/logger/logger.ts";
import type { ReloadMetrics } from "../../observability/reload-metrics.ts";
import { createReloader, type Reloader } from "./reloader.ts";
import { createSource, type SourceOptions } from "./source.ts";

export interface ReloadsOptions {
  /** As for the start. */
  readonly source: LoadOptions;
  readonly loaded: LoadedSettings;
  readonly tls: TlsFiles;
  readonly log: Pick<Log, "logger" | "levels">;
}

export interface Reloads {
  /** Requests wait until `begin`. */
  readonly control: ReloadControl;
  /** The program serves: reloads can run, and files are watched. */
  begin(serving: { readonly fleet: Fleet; readonly metrics: ReloadMetrics; readonly audit: Audit }): void;
  /** The main process got SIGHUP. */
  readonly signal: () => void;
  readonly stop: () => void;
}

/** The checks load the whole gateway, which a supervisor does not need otherwise. */
const importChecks = () => import("../../app/settings-check.ts");

const faultsInUse: SourceOptions["faultsInUse"] = async (settings, options) =>
  (await importChecks()).faultsInUse(settings, options);

/** Milliseconds after the start. Without the early import, the first reload takes longer than the others. */
const IMPORT_MS = 1000;

/** The control of a program that was started without a settings file. */
export const nothingToReload = (startedAt: Date): ReloadControl => ({
  reload: () => Promise.resolve({ status: "nothingToReload" }),
  status: () => ({ generation: 1, loadedAt: startedAt.toISOString(), needsRestart: [] }),
});

export const createReloads = (options: ReloadsOptions): Reloads => {
  const { loaded, tls, source } = options;
  const { logger, levels } = options.log;
  const start = { generation: 1, loadedAt: new Date().toISOString(), needsRestart: [] };
  let reloader: Reloader | undefined;
  let setBegun: (begun: Reloader) => void;
  const begun = new Promise<Reloader>((resolve) => {
    setBegun = resolve;
  });
  const watcher = createWatcher(loaded, {
    changed: () => void reloader?.trigger("file"),
    onFault: (err) => {
      logger.warn({ err }, "files can't be watched; the gateway compares them every reload.poll");
    },
  });

  return {
    control: {
      reload: async (asked) => (await begun).reload(asked),
      status: () => reloader?.status() ?? start,
    },
    begin: ({ fleet, metrics, audit }) => {
      reloader = createReloader({
        inUse: { settings: loaded.settings, compared: loaded.compared, tls },
        read: createSource({
          ...source,
          faultsInUse,
          readCertificates: readTls,
        }),
        clock: systemClock,
        filesRead: watcher.know,
        applied: ({ reload, log }) => {
          watcher.configure(reload);
          // A supervisor has lines of its own.
          levels.rebase(log.level);
        },
        ...{ fleet, metrics, logger, startedAt: start.loadedAt },
        audited: ({ trigger, ...result }) => {
          audit.record({ action: "settings.reload", via: trigger, ...result });
        },
      });
      watcher.configure(loaded.settings.reload);
      setBegun(reloader);
      setTimeout(() => void importChecks(), IMPORT_MS).unref();
    },
    signal: () => void begun.then((ready) => ready.trigger("signal")),
    stop: () => {
      reloader?.stop();
      watcher.configure({ ...loaded.settings.reload, watch: false });
    },
  };
};

type WatchSettings = Settings["reload"];

/** The watcher with the settings in use. */
const createWatcher = (
  { files }: Pick<LoadedSettings, "files">,
  { changed, onFault }: { changed: () => void; onFault: (error: unknown) => void },
) => {
  let known: Digests = files;
  let configured: WatchSettings | undefined;
  let watch: FileWatch | undefined;
  return {
    know: (read: Digests): void => {
      known = read;
      watch?.know(known);
    },
    configure: (settings: WatchSettings): void => {
      const { debounce: debounceMs, poll: pollMs } = settings;
      const isSame =
        configured?.watch === settings.watch &&
        configured.debounce === debounceMs &&
        configured.poll === pollMs;
      if (isSame) return;
      configured = settings;
      watch?.close();
      watch = settings.watch
        ? watchFiles({ clock: systemClock, debounceMs, pollMs, changed, onFault })
        : undefined;
      watch?.know(known);
    },
  };
};
