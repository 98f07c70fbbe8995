/** The issuers of `auth.issuers` and their keys. */
import { readFileSync } from "node:fs";
import { createIssuers, type Issuers } from "../auth/issuers/issuers.ts";
import { createKeyUnits, type Handover, type KeyUnits } from "../auth/issuers/key-units.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { LastingContext } from "./context.ts";

type Parts = Pick<LastingContext, "clock" | "log" | "metrics" | "lifecycle" | "questions">;

/**
 * The keys of issuers in this process, for as long as it runs. `onChange` is called when keys of an issuer have changed: calls that
 * go on must be checked again then.
 */
export const openKeyUnits = (
  { clock, log: { logger }, metrics, lifecycle, questions }: Parts,
  onChange?: () => void,
): KeyUnits => {
  const units = createKeyUnits({
    ...{ clock, metrics, logger },
    ...(onChange && { onChange }),
    handOver: (handover) => {
      void questions.askAll("issuerKeys", JSON.stringify(handover));
    },
  });
  questions.answerWith({
    issuerKeys: (about) => {
      units.adopt(JSON.parse(about) as Handover);
      return true;
    },
  });
  lifecycle.onClose("issuers", () => {
    units.close();
    return Promise.resolve();
  });
  return units;
};

/**
 * undefined: the settings name no issuers. Call `close` when these settings are not used any more. Throws node's error if a `ca`
 * can't be read; the settings have checked it.
 */
export const openIssuers = ({ auth: { issuers } }: Settings, units: KeyUnits): Issuers | undefined => {
  if (issuers.length === 0) return undefined;
  const entries = issuers.map((entry) => ({
    ...entry,
    ca: entry.ca === undefined ? undefined : readFileSync(entry.ca, "utf8"),
  }));
  return createIssuers({ entries, units, now: Date.now });
};
