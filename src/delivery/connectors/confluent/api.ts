/** How the records of some topics are sent: the request, the body, batches, null values and retries. */
import type { Reader } from "../config-reader.ts";
import type { HeaderPair } from "../config-values.ts";
import type { ApiKeys } from "./api-keys.ts";
import { type HeaderTemplates, readHeaders } from "./headers.ts";
import { compileReplacements, type Replacements } from "./replacements.ts";
import type { RetryModel } from "./retries.ts";
import { parseTemplate, type Template } from "./template.ts";
import type { UrlTemplate } from "./url-template.ts";

export interface Api {
  readonly url: UrlTemplate;
  readonly method: "POST" | "PUT" | "PATCH";
  readonly headers: HeaderTemplates;
  readonly body: BodyModel;
  readonly maxRecords: number;
  readonly batchKey: Template;
  readonly onNull: "ignore" | "delete" | "log" | "fail";
  readonly retries: RetryModel;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** The apis of a connector. */
export interface Apis {
  readonly all: readonly [Api, ...Api[]];
  /** undefined: no api sends the records of this topic. */
  readonly of: (topic: string) => Api | undefined;
}

/** Only for topics of records that have passed the preparation. */
export const requireApi = (apis: Apis, topic: string): Api => {
  const api = apis.of(topic);
  if (api === undefined) throw new RangeError(`No api sends the records of topic ${topic}`);
  return api;
};

export interface BodyModel {
  readonly format: "string" | "json";
  /** Text before, between and after the elements. */
  readonly prefix: Buffer;
  readonly separator: Buffer;
  readonly suffix: Buffer;
  readonly replacements: Replacements;
}

const CONTENT_TYPES = { string: "text/plain; charset=UTF-8", json: "application/json" } as const;

const listOf = (raw: string | undefined, separator: string): readonly string[] =>
  raw === undefined || raw === "" ? [] : raw.split(separator);

const readReplacements = ({ read, invalid }: Reader, keys: ApiKeys): Replacements => {
  const separator = read(keys.regexSeparator) ?? "~";
  const patterns = listOf(read(keys.patterns), separator);
  const compiled = compileReplacements(patterns, listOf(read(keys.replacements), separator));
  if ("rules" in compiled) return compiled.rules;
  invalid(keys[compiled.of].name, compiled.reason);
  return [];
};

const readBody = (reader: Reader, keys: ApiKeys, maxRecords: number): BodyModel => {
  const { read, invalid } = reader;
  const format = read(keys.bodyFormat) ?? "string";
  const isArray = read(keys.jsonAsArray) ?? true;
  const [prefix = "", separator = "", suffix = ""] = [keys.prefix, keys.separator, keys.suffix].map(read);
  const replacements = readReplacements(reader, keys);
  if (format === "json" && !isArray && maxRecords > 1)
    invalid(keys.jsonAsArray.name, `${keys.maxRecords.name} must be 1 if the body is not an array`);
  const texts = format === "string" ? [prefix, separator, suffix] : isArray ? ["[", ",", "]"] : ["", "", ""];
  const [before, between, after] = texts.map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
  return {
    ...{ format, prefix: before, separator: between, suffix: after },
    replacements: format === "string" ? replacements : [],
  };
};

/** `others`: headers that every request has, unless a configured header has the name. */
export const readApi = (reader: Reader, keys: ApiKeys, others: readonly HeaderPair[]): Omit<Api, "url"> => {
  const { read } = reader;
  const maxRecords = read(keys.maxRecords) ?? 1;
  const body = readBody(reader, keys, maxRecords);
  return {
    method: read(keys.method) ?? "POST",
    headers: readHeaders(reader, keys, [...others, ["Content-Type", CONTENT_TYPES[body.format]]]),
    body,
    maxRecords,
    batchKey: parseTemplate(read(keys.batchKey) ?? ""),
    onNull: read(keys.onNull) ?? "ignore",
    retries: {
      statuses: read(keys.statuses) ?? [],
      maxRetries: read(keys.maxRetries) ?? 0,
      backOffMs: read(keys.backOff) ?? 0,
      policy: read(keys.policy) ?? "constant_value",
    },
    connectTimeoutMs: read(keys.connectTimeout) ?? 0,
    requestTimeoutMs: read(keys.requestTimeout) ?? 0,
  };
};
