/** Schemas by the version of a subject: the latest one, or a number. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Schemas } from "./by-id.ts";
import type { Known } from "./known.ts";
import { createLatest } from "./latest.ts";
import type { Line } from "./line.ts";
import { type Place, type PlacedSchema, requests } from "./requests.ts";

export interface VersionsOptions {
  readonly line: Line;
  readonly known: Known;
  readonly schemas: Pick<Schemas, "keep" | "keepPlace">;
  /** Milliseconds. */
  readonly cacheTtlMs: number;
  readonly clock: Clock;
  readonly onStale: () => void;
}

type Version = number | "latest";

/** Throws or rejects with SCHEMA_UNKNOWN, SCHEMA_VERSION_UNKNOWN or SCHEMA_UNUSABLE, and `ask` also with REGISTRY_UNAVAILABLE. */
export interface Versions {
  /** undefined: not known, or no longer fresh. */
  recall(subject: string, version: Version): Place | undefined;
  ask(subject: string, version: Version): Promise<Place>;
  /** The subject has got another version. */
  readonly changed: (subject: string) => void;
}

const keyOf = (subject: string, version: Version): string => `version ${version} ${subject}`;

const unknown = (subject: string, version: Version, reason: string): GatewayError =>
  version === "latest"
    ? new GatewayError("SCHEMA_UNKNOWN", {
        message: `The subject ${subject} is not in the schema registry (${reason})`,
      })
    : new GatewayError("SCHEMA_VERSION_UNKNOWN", {
        message: `The subject ${subject} does not have version ${version} (${reason})`,
      });

export const createVersions = (options: VersionsOptions): Versions => {
  const { line, known, schemas } = options;

  const keep = async (subject: string, version: Version, placed: PlacedSchema): Promise<Place> => {
    try {
      await schemas.keep(placed.id, subject, placed);
    } catch (caught) {
      const error = asGatewayError(caught);
      throw error.code === "SCHEMA_UNUSABLE" ? known.refuse(keyOf(subject, version), error) : error;
    }
    schemas.keepPlace(subject, placed);
    known.addPlace(keyOf(subject, placed.version), placed);
    return placed;
  };

  const fetch = async (subject: string, version: Version): Promise<Place> => {
    const answer = await line.ask(requests.byVersion(subject, version));
    if (answer.status === "found") return keep(subject, version, answer.value);
    throw known.refuse(keyOf(subject, version), unknown(subject, version, answer.reason));
  };

  const latest = createLatest({
    ...options,
    isDown: () => line.isDown,
    ask: (subject) => fetch(subject, "latest"),
  });

  return {
    recall: (subject, version) => {
      const place = version === "latest" ? latest.recall(subject) : known.place(keyOf(subject, version));
      if (place === undefined) known.checkRefused(keyOf(subject, version));
      return place;
    },
    ask: (subject, version) => (version === "latest" ? latest.ask(subject) : fetch(subject, version)),
    changed: (subject) => {
      known.forgetRefusal(keyOf(subject, "latest"));
    },
  };
};
