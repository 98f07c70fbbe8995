/** Translates a configuration of Confluent's HTTP Sink V2, which sends its topics to one or several apis of a server. */
import { createReader, type GatewayFacts, readUrl, type Reader } from "../config-reader.ts";
import { httpUrl, integer, list, text } from "../config-values.ts";
import type { Family, ParsedConfig } from "../family.ts";
import { key } from "../keys.ts";
import type { RawConfig } from "../masking.ts";
import type { TopicSelection } from "../../engine/delivery-plan.ts";
import { type Api, type Apis, readApi } from "./api.ts";
import { apiKeys } from "./api-keys.ts";
import { connectorKeys, REPORT_KEY_LIST } from "./connector-keys.ts";
import { modelOf, readConnector, userinfoOf } from "./settings.ts";
import { type UrlTemplate, urlTemplate } from "./url-template.ts";

const CONNECTOR_CLASS = "io.confluent.connect.http.sink.GenericHttpSinkConnector";
const TASK_CLASS = "io.confluent.connect.http.sink.GenericHttpSinkTask";

const MAX_APIS = 15;

const KEYS = {
  ...connectorKeys(["NONE", "BASIC", "OAUTH2", "BEARER"]),
  token: key("bearer.token", "Token, with auth.type=BEARER.", text, { type: "PASSWORD" }),
  url: key("http.api.base.url", "URL before the paths of the apis.", httpUrl, { required: true }),
  count: key("apis.num", "Number of apis. The keys of api N begin with apiN.", integer(1, MAX_APIS), {
    type: "INT",
    required: true,
  }),
} as const;

/** Keys that have another name than in the Confluent family. */
const NAMES: Readonly<Record<string, string>> = {
  "request.method": "http.request.method",
  headers: "http.request.headers",
  "header.separator": "http.request.headers.separator",
  "batch.max.size": "max.batch.size",
};

const keysOfApi = (number: number) => {
  const prefix = `api${number}.`;
  return {
    topics: key(`${prefix}topics`, "Topics of the api.", list, { type: "LIST", required: true }),
    path: key(`${prefix}http.api.path`, "Path of the api. May contain templates and {parameters}.", text, {
      required: true,
    }),
    pathParameters: key(
      `${prefix}http.path.parameters`,
      "Values of the path's {parameters}: name:value, with | between them. May contain templates.",
      text,
    ),
    query: key(`${prefix}http.request.parameters`, "Query of the URL. May contain templates.", text),
    ...apiKeys((name) => `${prefix}${NAMES[name] ?? name}`, "exponential_with_jitter"),
  };
};

/** By the number of the api, from 0. */
const API_KEYS = Array.from({ length: MAX_APIS }, (_, index) => keysOfApi(index + 1));

type V2ApiKeys = ReturnType<typeof keysOfApi>;

/** A parameter `{id}` of the path. A template `${id}` is not a parameter. */
const PARAMETER = /(?<!\$)\{([^{}]+)\}/g;

const readPath = ({ read, invalid }: Reader, keys: V2ApiKeys): string => {
  const path = read(keys.path) ?? "";
  const pairs = (read(keys.pathParameters) ?? "").split("|").filter((pair) => pair.trim() !== "");
  if (pairs.some((pair) => pair.indexOf(":") < 1))
    invalid(keys.pathParameters.name, "Not of the form name:value, with | between the parameters");
  const values = new Map(
    pairs.map((pair) => {
      const colon = pair.indexOf(":");
      return [pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()];
    }),
  );
  return path.replace(PARAMETER, (whole, name: string) => {
    const value = values.get(name);
    if (value === undefined) invalid(keys.path.name, `${keys.pathParameters.name} has no value for ${whole}`);
    return value ?? "";
  });
};

/** undefined: there is a fault. */
const readApiUrl = (reader: Reader, keys: V2ApiKeys, base: URL | undefined): UrlTemplate | undefined => {
  const path = readPath(reader, keys);
  const query = reader.read(keys.query) ?? "";
  if (base === undefined) return undefined;
  const start = base.href.replace(/[?#].*$/, "").replace(/\/+$/, "");
  const parsed = urlTemplate(`${start}/${path.replace(/^\/+/, "")}${query === "" ? "" : `?${query}`}`);
  if ("value" in parsed) return parsed.value;
  reader.invalid(keys.path.name, parsed.reason);
  return undefined;
};

/** Each topic of the connector needs one api. */
const checkTopics = (
  { fault, invalid }: Reader,
  topics: TopicSelection,
  topicsOf: ReadonlyMap<string, readonly string[]>,
): void => {
  const named = new Map<string, string>();
  for (const [keyName, ofApi] of topicsOf) {
    for (const topic of new Set(ofApi)) {
      const other = named.get(topic);
      if (other !== undefined) invalid(keyName, `${topic} is also in ${other}`);
      named.set(topic, keyName);
    }
  }
  if (!("names" in topics)) return;
  for (const topic of topics.names)
    if (!named.has(topic)) fault("topics", `No api has topic ${topic}: add it to the topics of an api.`);
};

const apisOf = (all: readonly Api[], byTopic: ReadonlyMap<string, Api>): Apis | undefined => {
  const [first, ...others] = all;
  return first === undefined ? undefined : { all: [first, ...others], of: (topic) => byTopic.get(topic) };
};

const parse = (name: string, config: RawConfig, facts: GatewayFacts): ParsedConfig => {
  const reader = createReader(config);
  const { read, faults } = reader;
  const settings = readConnector(reader, { name, config, facts, keys: KEYS, taskClass: TASK_CLASS });
  const base = readUrl(reader, KEYS.url, facts.targets);
  const { authorization } = settings;
  const all: Api[] = [];
  const byTopic = new Map<string, Api>();
  const topicsOf = new Map<string, readonly string[]>();
  for (const keys of API_KEYS.slice(0, read(KEYS.count) ?? 0)) {
    const topics = read(keys.topics) ?? [];
    topicsOf.set(keys.topics.name, topics);
    const url = readApiUrl(reader, keys, base);
    const others = authorization.length === 0 && url !== undefined ? userinfoOf(url) : authorization;
    const settingsOfApi = readApi(reader, keys, others);
    if (url === undefined) continue;
    const api = { ...settingsOfApi, url };
    all.push(api);
    for (const topic of topics) byTopic.set(topic, api);
  }
  checkTopics(reader, settings.topics, topicsOf);
  const apis = apisOf(all, byTopic);
  return faults.length > 0 || apis === undefined ? { faults } : { model: modelOf(settings, apis) };
};

export const V2: Family = {
  classes: [CONNECTOR_CLASS, "HttpSinkV2"],
  keys: [...Object.values(KEYS), ...Object.values(keysOfApi(1)), ...REPORT_KEY_LIST],
  parse,
};
