/** The description of a reload for OpenAPI. */
import { z } from "zod";
import { json, type Documentation } from "../../documentation.ts";

const paths = (description: string) => z.array(z.string()).meta({ description });

const generation = z.int().meta({
  description: "Number of the settings in use: 1 at the start; each applied reload adds 1.",
});

const needsRestart = paths("Settings that have changed and keep their old value until a restart.");

/** The member `settings` of `GET /gateway`. */
export const settingsInUse = z.object({
  generation,
  loadedAt: z.iso.datetime().meta({ description: "Time at which the settings in use were read." }),
  needsRestart,
});

export const reloadSettings: Documentation = {
  id: "reloadSettings",
  tag: "Operations",
  summary: "Read the settings again and apply them",
  description:
    "Reads the settings file and all files that it names, and applies the settings in all workers, or in none of them. The request has no body.",
  query: {
    dryRun: {
      description: "`true` checks the settings and applies nothing.",
      schema: z.enum(["true", "false"]),
    },
  },
  answers: {
    200: {
      description:
        "`applied`: the settings are applied. `unchanged`: there is nothing to apply. `dryRun`: the settings have no faults.",
      content: json(
        z.object({
          status: z.enum(["applied", "unchanged", "dryRun"]),
          trigger: z.enum(["signal", "file", "request"]),
          generation,
          changed: paths(
            "Paths of the settings that have changed, without values. A list element appears with its name, id, source or kid. A new or removed element appears as one path, such as `auth.apiKeys[partner-a]`.",
          ),
          needsRestart,
          workers: z.int().meta({ description: "Number of processes that serve." }),
          faults: z.array(z.string()).optional().meta({
            description:
              "Faults of certificate files. Their port keeps its certificate; all else is applied.",
          }),
        }),
      ),
    },
  },
  errors: ["REQUEST_INVALID", "SETTINGS_REFUSED", "RELOAD_FAILED", "NOTHING_TO_RELOAD"],
};
