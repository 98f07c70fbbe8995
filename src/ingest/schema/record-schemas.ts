/**
 * The schemas of the registry that the events of one call need. The registry is asked once for each schema, before the events
 * are validated, so that the validation never waits.
 */
import type { RecordHeader } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { RecordPartName, RegisteredSchema } from "../../registry/contract.ts";
import { type FramedPayload, idHeaderOf, isFramed, readFramed } from "../../registry/framing.ts";
import type { Station } from "../stations.ts";
import { framedByRecord, judgeByRecord, judgeByStation, judgeFramed } from "./framed.ts";
import {
  type Answers,
  createAnswers,
  createLookup,
  type Lookup,
  type LookupOptions,
  type SchemaName,
} from "./registry-lookup.ts";
import {
  type Accepted,
  type FoundSchema,
  type Refused,
  type RegistryValidator,
  schemaRefused,
} from "./validator.ts";

export type { SchemaName } from "./registry-lookup.ts";

/** The parts of an event that decide about its schemas. */
export interface SchemaParts {
  readonly value: Buffer | null;
  readonly key?: Buffer | null;
  readonly contentType: string | undefined;
  readonly headers: readonly RecordHeader[];
  /** The schema that the record names for its key, or that the call has found. The key is JSON then. */
  readonly keySchema?: SchemaName | RegisteredSchema;
  /** The same for its value. */
  readonly valueSchema?: SchemaName | RegisteredSchema;
}

/** The schemas that a record is written with. */
export interface WrittenSchemas {
  readonly key: RegisteredSchema | undefined;
  readonly value: RegisteredSchema | undefined;
}

/** The schemas of one call. The methods may be called after `waiting`. */
export interface CallSchemas {
  /** Resolves when all schemas are known. undefined: they are known. Never rejects. */
  readonly waiting: Promise<unknown> | undefined;
  /** undefined: no schema of the registry applies to this value. Never throws. */
  judge(event: SchemaParts, value: Buffer): Accepted | Refused | undefined;
  /** The key to store; undefined: the client has sent none. Throws if its schema can't be used or refuses it. */
  keyOf(event: SchemaParts): Buffer | null | undefined;
  /** Why a tombstone is refused: the schema that it names can't be used. */
  tombstoneFault(event: SchemaParts): GatewayError | undefined;
  /** The schemas of a stored record. */
  written(event: SchemaParts): WrittenSchemas;
}

/** Returns undefined if no event of the call needs the registry. */
export type RecordSchemas = (
  station: Station,
  events: readonly (SchemaParts | GatewayError)[],
) => CallSchemas | undefined;

export const createRecordSchemas =
  (options: LookupOptions): RecordSchemas =>
  (station, events) => {
    const { validator, topic } = station;
    const own = validator?.kind === "registry" ? validator : undefined;
    if (own === undefined && !events.some(namesSchema)) return undefined;
    const answers = createAnswers();
    const lookup = createLookup(topic, own, options);
    for (const event of events) if (!(event instanceof GatewayError)) askFor(event, own, { answers, lookup });
    return createCallSchemas(station, own, answers);
  };

/** The schema that a record at this station names for its key or its value. Never throws or rejects. */
export type FindSchema = (
  station: Station,
  part: RecordPartName,
  name: SchemaName,
) => FoundSchema | Promise<FoundSchema>;

export const createFindSchema =
  (options: LookupOptions): FindSchema =>
  ({ topic, validator }, part, name) =>
    createLookup(topic, validator?.kind === "registry" ? validator : undefined, options).named(part, name);

const namesSchema = (event: SchemaParts | GatewayError): boolean =>
  !(event instanceof GatewayError) && (event.valueSchema ?? event.keySchema) !== undefined;

interface Asking {
  readonly answers: Answers;
  readonly lookup: Lookup;
}

const askFor = (
  event: SchemaParts,
  own: RegistryValidator | undefined,
  { answers, lookup }: Asking,
): void => {
  const askNamed = (part: RecordPartName, name: SchemaParts["keySchema"]): void => {
    if (isName(name)) answers.ask(nameText(part, name), () => lookup.named(part, name));
  };
  askNamed("key", event.keySchema);
  const source = sourceOf(event, own);
  if (source === "record" || own === undefined) askNamed("value", event.valueSchema);
  else if (source === "station") answers.ask(STATION, () => own.current());
  else {
    const id = frameIn(event)?.id;
    // The registry does not say to which subjects a GUID belongs.
    if (typeof id === "number") answers.ask(frameText(id), () => lookup.ofStation(id, own));
  }
};

const createCallSchemas = (
  { validator }: Station,
  own: RegistryValidator | undefined,
  answers: Answers,
): CallSchemas => {
  const named = (part: RecordPartName, name: SchemaParts["keySchema"]): FoundSchema | undefined =>
    isName(name) ? ofType(answers.get(nameText(part, name)), part, name) : name;
  const ofStation = ({ valueSchema: name }: SchemaParts): FoundSchema => {
    const found = answers.get(STATION);
    return isName(name) ? ofType(found, "value", name) : found;
  };
  const ofFrame = (id: FramedPayload["id"] | undefined): FoundSchema | undefined =>
    typeof id === "number" ? answers.get(frameText(id)) : undefined;
  const ofValue = (event: SchemaParts): FoundSchema | undefined => {
    const source = sourceOf(event, own);
    if (source === "station") return ofStation(event);
    return source === "frame" ? ofFrame(frameIn(event)?.id) : named("value", event.valueSchema);
  };
  /** A schema from a file validates the data before the data is encoded in the wire format. */
  const ofRecord = (event: SchemaParts, value: Buffer): Accepted | Refused => {
    if (validator?.kind === "protobuf") return schemaRefused(PLAIN_PROTOBUF);
    const judged = validator?.kind === "registry" ? undefined : validator?.validate(value, event.contentType);
    if (judged?.status === "refused") return judged;
    const found = named("value", event.valueSchema) ?? new GatewayError("INTERNAL");
    return judgeByRecord(value, found, own?.message);
  };

  return {
    waiting: answers.waiting(),
    judge: (event, value) => {
      const source = sourceOf(event, own);
      if (source === undefined) return undefined;
      if (source === "record" || own === undefined) return ofRecord(event, value);
      if (source === "station")
        return judgeByStation({ value, contentType: event.contentType }, ofStation(event), own);
      const frame = frameIn(event);
      return judgeFramed(value, frame, ofFrame(frame?.id));
    },
    keyOf: ({ key, keySchema }) => {
      const found = named("key", keySchema);
      if (found === undefined) return key;
      if (found instanceof GatewayError) throw found;
      return key && framedByRecord(key, found);
    },
    tombstoneFault: ({ valueSchema }) => {
      const found = named("value", valueSchema);
      return found instanceof GatewayError ? found : undefined;
    },
    written: (event) => ({ key: schemaIn(named("key", event.keySchema)), value: schemaIn(ofValue(event)) }),
  };
};

const PLAIN_PROTOBUF =
  "the station stores plain Protobuf messages; leave out the schema of the registry, and send type JSON or BINARY";

const isName = (name: SchemaParts["keySchema"]): name is SchemaName => name !== undefined && "by" in name;

const schemaIn = (found: FoundSchema | undefined): RegisteredSchema | undefined =>
  found instanceof GatewayError ? undefined : found;

/** Where the schema of a value comes from. undefined: no schema of the registry applies to the value. */
const sourceOf = (
  event: SchemaParts,
  own: RegistryValidator | undefined,
): "record" | "frame" | "station" | undefined => {
  const { value, valueSchema: name } = event;
  if (own !== undefined && value !== null) {
    if (isFramed(value) || idHeaderOf("value", event.headers) !== undefined) return "frame";
    if (name === undefined || isOpen(name)) return "station";
  }
  return name === undefined ? undefined : "record";
};

/** True if the name leaves the choice of the schema to the station. */
const isOpen = (name: SchemaName | RegisteredSchema): boolean =>
  isName(name) && name.by.kind === "latest" && name.of === undefined;

const frameIn = ({ value, headers }: SchemaParts): FramedPayload | undefined =>
  value === null ? undefined : readFramed("value", value, headers);

const STATION = "station";

const frameText = (id: number): string => `frame ${id}`;

/** Equal for equal questions only: the subject has its length before it, and the text is at the end. */
const nameText = (part: RecordPartName, { by, of }: SchemaName): string => {
  const subject = of === undefined ? "" : "subject" in of ? `subject ${of.subject}` : of.strategy;
  return `${part} ${subject.length} ${subject} ${byText(by)}`;
};

const byText = (by: SchemaName["by"]): string => {
  switch (by.kind) {
    case "latest":
      return by.kind;
    case "version":
      return `version ${by.version}`;
    case "id":
      return `id ${by.id}`;
    case "text":
      return `${by.type} ${by.text}`;
  }
};

/** The schema, or REQUEST_INVALID if the client states another type. */
const ofType = (found: FoundSchema, part: RecordPartName, { type }: SchemaName): FoundSchema => {
  if (type === undefined || found instanceof GatewayError) return found;
  if (found.schema.type === type) return found;
  return new GatewayError("REQUEST_INVALID", {
    message: `${part}.type must be ${found.schema.type}, the type of schema ${found.id} (got ${type})`,
  });
};
