/** `POST /gateway/reload`: reads the settings again and applies them in all processes of this gateway. */
import { GatewayError } from "../../../errors.ts";
import { sendJson } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import { queryOf, type Query } from "../../url.ts";
import * as documentation from "./reload-documentation.ts";

/** The event that began a reload. */
export type ReloadTrigger = "signal" | "file" | "request";

/** Paths of settings, without values. A list element appears with its name, id, source or kid. */
type Paths = readonly string[];

export type ReloadAnswer =
  | {
      readonly status: "applied" | "unchanged" | "dryRun";
      readonly trigger: ReloadTrigger;
      /** The number of the settings in use. */
      readonly generation: number;
      readonly changed: Paths;
      readonly needsRestart: Paths;
      /** Number of processes that serve. */
      readonly workers: number;
      /** Faults of certificate files. Their port keeps the pair in use. Absent if the files have no faults. */
      readonly faults?: readonly string[];
    }
  | { readonly status: "refused" | "failed"; readonly faults: readonly string[] }
  /** The program was started without a settings file. */
  | { readonly status: "nothingToReload" };

/** What `GET /gateway` shows. */
export interface ReloadStatus {
  /** 1 at the start; each applied reload adds 1. */
  readonly generation: number;
  /** ISO time at which the settings in use were read. */
  readonly loadedAt: string;
  readonly needsRestart: Paths;
}

export interface Reloading {
  /** With `dryRun` the settings are only checked. Never rejects. */
  reload(options: { readonly dryRun: boolean }): Promise<ReloadAnswer>;
  status(): ReloadStatus;
}

const isDryRun = (query: Query): boolean => {
  const given = query.get("dryRun") ?? "false";
  if (given === "true" || given === "false") return given === "true";
  throw new GatewayError("REQUEST_INVALID", { message: "dryRun must be true or false" });
};

/** The answer of a good reload. Throws the error of another one. */
const requireGood = (answer: ReloadAnswer) => {
  if (answer.status === "nothingToReload") throw new GatewayError("NOTHING_TO_RELOAD");
  if (answer.status === "refused") throw new GatewayError("SETTINGS_REFUSED", { faults: answer.faults });
  if (answer.status === "failed") throw new GatewayError("RELOAD_FAILED", { faults: answer.faults });
  return answer;
};

export const reloadRoute = ({ reload }: Pick<Reloading, "reload">): OpenRoute => ({
  method: "POST",
  path: "/gateway/reload",
  documentation: documentation.reloadSettings,
  auth: "admin",
  role: "admin",
  audit: "settings.reload",
  family: "problem",
  isDry: ({ request }) => queryOf(request).get("dryRun") === "true",
  handler: async ({ request, response, audited }) => {
    const dryRun = isDryRun(queryOf(request));
    const answer = requireGood(await reload({ dryRun }));
    if (answer.status === "applied") audited.changed = answer.changed;
    sendJson(response, 200, answer);
  },
});
