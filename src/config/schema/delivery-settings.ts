/** Settings of the delivery role: allowed targets and declared connectors. */
import { isIP } from "node:net";
import { z } from "zod";
import { duration, list, matching, NO_MESSAGE, secret, section, size, special, text } from "../keys.ts";

const HOST_NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

const isRange = (target: string): boolean => {
  const [address = "", bits, ...more] = target.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
};

const target = special(
  z
    .string()
    .refine((value) => isRange(value) || (HOST_NAME.test(value) && !/^[\d.]+$/.test(value)), NO_MESSAGE),
  { help: "An address range or a host name.", allowed: "a CIDR such as 127.0.0.0/8 or a host name" },
);

const directoryPath = matching("Path of a directory.", /^\//, "an absolute path");

export const delivery = section({
  allowTargets: list(
    "Targets that connectors may call in addition to public addresses.",
    target,
    'a list of CIDRs and host names: ["127.0.0.0/8", "crm.internal"]',
  ).prefault([]),
  configProviders: section({
    env: list(
      "Environment variables that configurations of connectors may refer to: ${env:NAME}.",
      text("Name of a variable."),
      "a list of names",
    ).prefault([]),
    file: list(
      "Directories with properties files that configurations of connectors may refer to: ${file:/path:key}.",
      directoryPath,
      "a list of absolute paths",
    ).prefault([]),
    directory: list(
      "Directories with files that configurations of connectors may refer to: ${directory:/path:file}.",
      directoryPath,
      "a list of absolute paths",
    ).prefault([]),
  }).prefault({}),
  connectorsTopic: matching(
    "Topic that stores the connectors of the REST API. All gateways with the same topic run the same connectors.",
    /^_stationgate-[a-zA-Z0-9._-]{1,200}$/,
    "_stationgate- followed by letters, digits, dots, underscores and hyphens",
  ).prefault("_stationgate-connectors"),
  sandbox: section({
    timeout: duration("Maximum time of a transform. A transform that takes longer is stopped.").prefault(
      "100ms",
    ),
    memory: size("Maximum heap of a process that runs transforms, at least 16mb.").prefault("64mb"),
  }).prefault({}),
});

/** A connector's settings are strings, as in Kafka Connect; YAML numbers and booleans are converted to strings. */
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

export const connector = section({
  name: matching(
    "Name of the connector.",
    /^[^\s/?#%]{1,200}$/,
    "a name of at most 200 characters without spaces and / ? # %",
  ),
  config: special(
    z
      .object({
        secret: secret("Secret that signs requests by Standard Webhooks.").optional(),
        "callback.request.headers": secret("Headers that are added to each request.").optional(),
      })
      .catchall(scalar),
    {
      help: "Settings of the connector, with the same names as in the REST API.",
      allowed: "an object of strings, numbers and booleans",
    },
  ),
});
