/** Translates a configuration of Confluent's HTTP sink. */
import { createReader, type GatewayFacts } from "../config-reader.ts";
import type { Family, ParsedConfig } from "../family.ts";
import { key } from "../keys.ts";
import type { RawConfig } from "../masking.ts";
import { readApi } from "./api.ts";
import { apiKeys, type POLICIES } from "./api-keys.ts";
import { connectorKeys, REPORT_KEY_LIST } from "./connector-keys.ts";
import { modelOf, readConnector, readUrlTemplate, userinfoOf } from "./settings.ts";
import { urlTemplate } from "./url-template.ts";

const CONNECTOR_CLASS = "io.confluent.connect.http.HttpSinkConnector";
const TASK_CLASS = "io.confluent.connect.http.HttpSinkTask";

const keysWith = (policy: (typeof POLICIES)[number]) => ({
  ...connectorKeys(["NONE", "BASIC", "OAUTH2"]),
  url: key("http.api.url", "URL of the requests. Its path and query may contain templates.", urlTemplate, {
    required: true,
  }),
  ...apiKeys((name) => name, policy),
});

const familyWith = (policy: (typeof POLICIES)[number], classes: Family["classes"]): Family => {
  const keys = keysWith(policy);
  const parse = (name: string, config: RawConfig, facts: GatewayFacts): ParsedConfig => {
    const reader = createReader(config);
    const settings = readConnector(reader, { name, config, facts, keys, taskClass: TASK_CLASS });
    const url = readUrlTemplate(reader, keys.url, facts.targets);
    const { authorization } = settings;
    const fallback = authorization.length === 0 && url !== undefined ? userinfoOf(url) : authorization;
    const api = readApi(reader, keys, fallback);
    if (reader.faults.length > 0 || url === undefined) return { faults: reader.faults };
    const complete = { ...api, url };
    return { model: modelOf(settings, { all: [complete], of: () => complete }) };
  };
  return { classes, keys: [...Object.values(keys), ...REPORT_KEY_LIST], parse };
};

export const CONFLUENT = familyWith("constant_value", [CONNECTOR_CLASS]);

/** The same sink under its name in Confluent Cloud, where it has another default. */
export const CONFLUENT_CLOUD = familyWith("exponential_with_jitter", [CONNECTOR_CLASS]);

export const CLOUD_NAME = "HttpSink";

/** The key by which a configuration of `HttpSink` is one of Confluent Cloud. */
export const CONFLUENT_URL_KEY = "http.api.url";
