/**
 * The schema registry: answers questions from what is known, and asks the registry otherwise. `docs/decisions/0005` has the
 * states of an answer.
 */
import { GatewayError } from "../errors.ts";
import type { CompileSchema, FormatLimits } from "../formats/format.ts";
import type { Clock } from "../lib/clock.ts";
import { createAnswers } from "./answers.ts";
import { type ConnectionOptions, createConnection } from "./connection.ts";
import type { SchemaRegistry } from "./contract.ts";
import { createKnown } from "./known.ts";
import { createLine, type LineObserver, MAX_IN_FLIGHT, unavailable } from "./line.ts";
import { createResolve } from "./references.ts";

export interface RegistryObserver extends LineObserver {
  /** An old latest version was used because the registry was unavailable. */
  readonly onStale: () => void;
  /** `read` returns the number of compiled schemas. */
  readonly schemasFrom: (read: () => number) => void;
}

export interface RegistryOptions
  extends Pick<ConnectionOptions, "urls" | "credential" | "tls" | "timeoutMs">, RegistryObserver {
  readonly compile: CompileSchema;
  readonly limits: FormatLimits;
  readonly cacheTtlMs: number;
  readonly negativeTtlMs: number;
  readonly maxSchemas: number;
  readonly maxSchemaBytes: number;
  readonly normalize: boolean;
  readonly clock: Clock;
}

/** An answer is cut off at this many times `maxSchemaBytes`. */
const ANSWER = 8;
/** Maximum number of questions that wait for the registry. */
const MAX_WAITING = 1000;

export const createSchemaRegistry = (options: RegistryOptions): SchemaRegistry => {
  const { maxSchemaBytes, schemasFrom } = options;
  const connection = createConnection({
    ...options,
    maxAnswerBytes: ANSWER * maxSchemaBytes,
    connections: MAX_IN_FLIGHT,
  });
  const line = createLine({ ...options, connection });
  const known = createKnown(options);
  const answers = createAnswers({
    ...options,
    line,
    known,
    resolve: createResolve({ line, maxSchemaBytes }),
  });
  schemasFrom(() => known.schemas);
  let waiting = 0;

  /** Throws REGISTRY_UNAVAILABLE at once if too many questions wait. */
  const wait = async <T>(about: string, ask: () => Promise<T>): Promise<T> => {
    if (waiting >= MAX_WAITING) throw unavailable(about, "too many events wait for it");
    waiting += 1;
    try {
      return await ask();
    } finally {
      waiting -= 1;
    }
  };

  return {
    find: (question) => answers.recall(question) ?? wait("The schema", () => answers.ask(question)),
    schemaOf: (id, subject) => {
      try {
        const schema = answers.recallSchema(id, subject);
        if (schema !== undefined) return schema;
        return wait(`Schema ${id}`, () => answers.askSchema(id, subject)).catch(absent);
      } catch (error) {
        absent(error);
        return undefined;
      }
    },
    retire: () => {
      line.retire();
    },
    close: () => line.close(),
  };
};

/** SCHEMA_UNKNOWN is an answer; throws every other error. */
const absent = (error: unknown): undefined => {
  if (!(error instanceof GatewayError) || error.code !== "SCHEMA_UNKNOWN") throw error;
  return undefined;
};
