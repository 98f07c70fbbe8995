/** The control of a program that was started without a settings file. */
import type { ReloadControl } from "../../app/reload-control.ts";

export const nothingToReload = (startedAt: Date): ReloadControl => ({
  reload: () => Promise.resolve({ status: "nothingToReload" }),
  status: () => ({ generation: 1, loadedAt: startedAt.toISOString(), needsRestart: [] }),
});
