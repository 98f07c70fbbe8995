/** The requests to the registry, and how their answers are read. */
import { cut } from "../lib/text.ts";
import type { SchemaType } from "../formats/format.ts";
import type { RegistryAnswer, RegistryExchange } from "./connection.ts";

export interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** A schema as the registry stores it. `type` may be a type that the gateway does not know. */
export interface StoredSchema {
  readonly type: string;
  readonly text: string;
  readonly references: readonly Reference[];
}

export interface Place {
  readonly id: number;
  readonly version: number;
}

export type PlacedSchema = StoredSchema & Place;

export interface SubjectVersion {
  readonly subject: string;
  readonly version: number;
}

/**
 * `absent`: the registry says that it does not exist. `refused` and `forbidden`: the registry does not register the schema.
 * `isOutage`: the registry is at fault, and not the question. `reason`: one line, with the registry's own text if the answer has a text.
 */
export type Outcome<T> =
  | { readonly status: "found"; readonly value: T }
  | { readonly status: "absent" | "refused" | "forbidden"; readonly reason: string }
  | { readonly status: "unavailable"; readonly reason: string; readonly isOutage: boolean };

export interface RegistryRequest<T> extends RegistryExchange {
  /** Label of metrics. */
  readonly operation: "id" | "guid" | "membership" | "version" | "look-up" | "register";
  /** What is asked for, as the beginning of an error text. */
  readonly about: string;
  readonly read: (answer: RegistryAnswer) => Outcome<T>;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNumber = (value: unknown): value is number =>
  Number.isInteger(value) && Math.abs(value as number) < 2 ** 31;

const isReference = (value: unknown): value is Reference =>
  isObject(value) &&
  typeof value["name"] === "string" &&
  typeof value["subject"] === "string" &&
  isNumber(value["version"]);

const storedIn = (body: unknown, defaultType = "AVRO"): StoredSchema | undefined => {
  if (!isObject(body)) return undefined;
  const { schema: text, schemaType: type, references } = body;
  const list: unknown = references ?? [];
  if (typeof text !== "string" || typeof (type ?? "") !== "string") return undefined;
  if (!Array.isArray(list) || !list.every(isReference)) return undefined;
  return {
    type: typeof type === "string" ? type : defaultType,
    text,
    references: list.map(({ name, subject, version }) => ({ name, subject, version })),
  };
};

const placedIn = (body: unknown, defaultType?: string): PlacedSchema | undefined => {
  const stored = storedIn(body, defaultType);
  if (stored === undefined || !isObject(body)) return undefined;
  const { id, version } = body;
  return isNumber(id) && id > 0 && isNumber(version) ? { ...stored, id, version } : undefined;
};

const versionsIn = (body: unknown): readonly SubjectVersion[] | undefined => {
  const isVersion = (value: unknown): value is SubjectVersion =>
    isObject(value) && typeof value["subject"] === "string" && isNumber(value["version"]);
  return Array.isArray(body) && body.every(isVersion) ? body : undefined;
};

const idIn = (body: unknown): number | undefined =>
  isObject(body) && isNumber(body["id"]) && body["id"] > 0 ? body["id"] : undefined;

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const oneLine = (text: string): string =>
  cut(
    text
      .slice(0, 1000)
      .replace(/[\p{Cc}\s]+/gu, " ")
      .trim(),
    300,
  );

/** The registry's own reason, or the status. */
const reasonIn = (body: unknown, status: number): string => {
  const message = isObject(body) ? body["message"] : undefined;
  return typeof message === "string" && message !== "" ? oneLine(message) : `status ${status}`;
};

/** Subject, version and schema not found. */
const ABSENT: ReadonlySet<unknown> = new Set([40401, 40402, 40403]);

/** Statuses that depend on the question rather than on the registry's state. */
const isOfQuestion = (status: number): boolean =>
  status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status);

const read =
  <T>(valueIn: (body: unknown) => T | undefined, isAbsent = hasAbsentCode) =>
  ({ status, body: text }: RegistryAnswer): Outcome<T> => {
    const body = parsed(text);
    const value = status === 200 ? valueIn(body) : undefined;
    if (value !== undefined) return { status: "found", value };
    if (status === 404 && isAbsent(body)) return { status: "absent", reason: reasonIn(body, status) };
    const reason = status === 200 ? "its answer has another form" : describedStatus(body, status);
    return { status: "unavailable", reason, isOutage: !isOfQuestion(status) };
  };

const hasAbsentCode = (body: unknown): boolean => isObject(body) && ABSENT.has(body["error_code"]);

const describedStatus = (body: unknown, status: number): string => {
  const reason = reasonIn(body, status);
  return reason === `status ${status}` ? reason : `status ${status}: ${reason}`;
};

const readRegistration = (answer: RegistryAnswer): Outcome<number> => {
  const reason = reasonIn(parsed(answer.body), answer.status);
  if (answer.status === 409 || answer.status === 422) return { status: "refused", reason };
  if (answer.status === 403) return { status: "forbidden", reason };
  return read(idIn, () => false)(answer);
};

const inQuery = (subject: string | undefined): string =>
  subject === undefined ? "" : `?subject=${encodeURIComponent(subject)}`;

const versionsOf = (subject: string): string => `/subjects/${encodeURIComponent(subject)}/versions`;

/** The registry calls the type JSONSCHEMA of the REST Proxy API JSON. */
const typeOf = (type: SchemaType): string => (type === "JSONSCHEMA" ? "JSON" : type);

const bodyOf = (type: SchemaType, text: string): string =>
  JSON.stringify({ schema: text, schemaType: typeOf(type) });

/** The subjects have passed `checkSubject`. `subject` of a look-up by id gives the context. */
export const requests = {
  byId: (id: number, subject: string | undefined): RegistryRequest<StoredSchema> => ({
    operation: "id",
    about: `Schema ${id}`,
    method: "GET",
    path: `/schemas/ids/${id}${inQuery(subject)}`,
    read: read((answer) => storedIn(answer)),
  }),
  byGuid: (guid: string): RegistryRequest<StoredSchema> => ({
    operation: "guid",
    about: `Schema ${guid}`,
    method: "GET",
    path: `/schemas/guids/${encodeURIComponent(guid)}`,
    // Older registries lack this call, and answer 404 without a code.
    read: read(
      (answer) => storedIn(answer),
      () => true,
    ),
  }),
  membership: (id: number, subject: string): RegistryRequest<readonly SubjectVersion[]> => ({
    operation: "membership",
    about: `Schema ${id}`,
    method: "GET",
    path: `/schemas/ids/${id}/versions${inQuery(subject)}`,
    read: read(versionsIn),
  }),
  byVersion: (subject: string, version: number | "latest"): RegistryRequest<PlacedSchema> => ({
    operation: "version",
    about: `Subject ${subject}`,
    method: "GET",
    path: `${versionsOf(subject)}/${version}`,
    read: read((answer) => placedIn(answer)),
  }),
  reference: ({ subject, version }: Omit<Reference, "name">): RegistryRequest<PlacedSchema> => ({
    operation: "version",
    about: `Subject ${subject}`,
    method: "GET",
    path: `${versionsOf(subject)}/${version}?deleted=true`,
    read: read((answer) => placedIn(answer)),
  }),
  lookUp: (
    subject: string,
    type: SchemaType,
    text: string,
    normalize: boolean,
  ): RegistryRequest<PlacedSchema> => ({
    operation: "look-up",
    about: `Subject ${subject}`,
    method: "POST",
    path: `/subjects/${encodeURIComponent(subject)}${normalize ? "?normalize=true" : ""}`,
    body: bodyOf(type, text),
    // Apicurio leaves the type out of this answer.
    read: read((answer) => placedIn(answer, typeOf(type))),
  }),
  register: (
    subject: string,
    type: SchemaType,
    text: string,
    normalize: boolean,
  ): RegistryRequest<number> => ({
    operation: "register",
    about: `Subject ${subject}`,
    method: "POST",
    path: `${versionsOf(subject)}${normalize ? "?normalize=true" : ""}`,
    body: bodyOf(type, text),
    read: readRegistration,
  }),
};
