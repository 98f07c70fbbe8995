/** Builds stations from the settings: compiles their schemas and creates their topics. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Broker, TopicSpec } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { identityOf } from "./schema/identity.ts";
import { loadJsonSchema } from "./schema/json-schema/json-schema.ts";
import { loadProtobuf } from "./schema/protobuf.ts";
import { loadRegistrySchema } from "./schema/registry.ts";
import type { EventValidator, RegistryContext, SchemaDeclaration } from "./schema/validator.ts";
import { loadZod } from "./schema/zod.ts";
import type { Station, StationOnce } from "./stations.ts";

/** A station as the settings declare it. */
interface StationDeclaration {
  readonly name: string;
  readonly topic: string;
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
  readonly key?: string | undefined;
  readonly schema?: SchemaDeclaration | undefined;
  readonly once?: OnceDeclaration | undefined;
}

interface OnceDeclaration {
  readonly id: string;
  /** Milliseconds. */
  readonly window: number;
  readonly strict: boolean;
}

/** A declared station. */
export interface LoadedStation extends Station {
  /**
   * The result of `identityOf` for the compiled schema. undefined: the station has no compiled schema, or a file could not be
   * read or changed during the compilation.
   */
  readonly identity?: string | undefined;
}

/** What all stations share. */
export interface LoadOptions extends Pick<RegistryContext, "limits" | "registry" | "onFault"> {
  /** Stations that were loaded before. A schema that has not changed since is not compiled again. */
  readonly previous?: readonly LoadedStation[] | undefined;
}

/**
 * Compiles every schema that the settings name as a file, one in each turn of the event loop. Does not ask the registry.
 * Rejects with SETTINGS_INVALID, with one line per unusable schema: station, file and fault.
 */
export const loadStations = async (
  declarations: readonly StationDeclaration[],
  { previous = [], ...options }: LoadOptions,
): Promise<readonly LoadedStation[]> => {
  const compile = createCompiler(previous);
  const loaded = await Promise.allSettled(
    declarations.map(async ({ name, topic, key, schema, once }): Promise<LoadedStation> => {
      const hasPointer = key !== undefined || once?.id.startsWith("/") === true;
      const context = { ...options, station: name, topic, hasPointer };
      const compiled = schema ? await compile(schema, context) : { validator: undefined };
      return { name, topic, key, ...compiled, ...(once && { once: onceOf(once) }) };
    }),
  );
  const faults = loaded.filter((one) => one.status === "rejected").map(({ reason }) => reason as Error);
  if (faults.length > 0) {
    throw new GatewayError("SETTINGS_INVALID", {
      message: faults.map(({ message }) => message).join("\n"),
      cause: faults[0],
    });
  }
  return loaded.filter((one) => one.status === "fulfilled").map(({ value }) => value);
};

const onceOf = ({ id, window, strict }: OnceDeclaration): StationOnce => ({ id, windowMs: window, strict });

type Compiled = Pick<LoadedStation, "validator" | "identity">;

/** Compiles one schema at a time, and pauses after each. Takes unchanged schemas from the stations that were loaded before. */
const createCompiler = (previous: readonly LoadedStation[]) => {
  const kept = new Map(previous.map((station) => [station.identity, station]));
  const turns = createSemaphore({ permits: 1, maxWaiting: Infinity });
  return async (schema: SchemaDeclaration, context: RegistryContext): Promise<Compiled> => {
    const identity = await identityOf(schema, context);
    const same = identity === undefined ? undefined : kept.get(identity);
    if (same !== undefined) return { validator: same.validator, identity };
    const validator = await turns.tryRun(async () => {
      const compiled = await loadValidator(schema, context);
      await nextTurn();
      return compiled;
    });
    // If a file has changed since the digests, the compiled text is not known. Then the next reload compiles the schema again.
    const isSame = (await identityOf(schema, context)) === identity;
    return { validator, identity: isSame ? identity : undefined };
  };
};

/** The topics of declared stations, by station. `maxRecordBytes` is their maximum record size. */
export const topicsOf = (
  declarations: readonly StationDeclaration[],
  maxRecordBytes: number,
): Map<string, TopicSpec> =>
  new Map(
    declarations.map(({ name, topic, partitions, replicationFactor }) => [
      name,
      { name: topic, partitions, replicationFactor, maxRecordBytes },
    ]),
  );

export interface ProvisionOptions {
  /** The topics to create, by station. An entry is removed when its topic exists. */
  readonly awaited: Map<string, TopicSpec>;
  readonly broker: Pick<Broker, "ensureTopic">;
  /** Aborts the attempts. */
  readonly signal: AbortSignal;
  /** Called after a failed attempt, before the next attempt. */
  readonly onFault: (topic: string, error: GatewayError) => void;
  /** Milliseconds before the second attempt. The wait doubles each time, up to a minute. */
  readonly retryMs?: number;
}

export interface Provisioning {
  readonly awaited: Map<string, TopicSpec>;
  /** Resolves when every awaited topic exists or is no longer awaited, or when the attempts are aborted. */
  readonly done: Promise<unknown>;
  /** Creates the topics of further stations. Rejects with the broker's error. */
  readonly create: (topics: readonly (readonly [station: string, spec: TopicSpec])[]) => Promise<void>;
  /** Gives up the topics of all other stations. */
  readonly keepOnly: (stations: ReadonlySet<string>) => void;
}

const LONGEST_RETRY_MS = 60_000;

/**
 * Creates missing topics of declared stations in the background. Retries until every topic exists, because the gateway may
 * start before its broker.
 */
export const createProvisioning = (options: ProvisionOptions): Provisioning => {
  const { awaited, broker } = options;
  return {
    awaited,
    done: Promise.all([...awaited].map(([station, topic]) => provision(station, topic, options))),
    create: async (topics) => {
      await Promise.all(
        topics.map(([station, spec]) =>
          broker.ensureTopic(spec).catch((error: unknown) => {
            throw notCreated(station, spec, asGatewayError(error));
          }),
        ),
      );
    },
    keepOnly: (stations) => {
      for (const station of [...awaited.keys()]) if (!stations.has(station)) awaited.delete(station);
    },
  };
};

/** The error with a text for operators: the text of a broker's error is for clients. */
const notCreated = (station: string, { name }: TopicSpec, error: GatewayError): GatewayError => {
  const { code, cause } = error;
  const reason = cause instanceof Error ? cause.message : error.message;
  return new GatewayError(code, {
    message: `stations[${station}]: the topic ${name} could not be created: ${reason}`,
    cause: error,
  });
};

const provision = async (
  station: string,
  topic: TopicSpec,
  { awaited, broker, signal, onFault, retryMs = 1000 }: ProvisionOptions,
): Promise<void> => {
  for (
    let wait = retryMs;
    !signal.aborted && awaited.has(station);
    wait = Math.min(2 * wait, LONGEST_RETRY_MS)
  ) {
    try {
      await broker.ensureTopic(topic);
      awaited.delete(station);
      return;
    } catch (error) {
      onFault(topic.name, asGatewayError(error));
    }
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
};

/** Compiles a schema. Rejects with SETTINGS_INVALID that names the station, the file and the fault. */
const loadValidator = async (
  declaration: SchemaDeclaration,
  context: RegistryContext,
): Promise<EventValidator> => {
  switch (declaration.type) {
    case "json-schema":
      return loadJsonSchema(declaration, context);
    case "zod":
      return loadZod(declaration, context);
    case "protobuf":
      return loadProtobuf(declaration, context);
    case "registry":
      return loadRegistrySchema(declaration, context);
  }
};
