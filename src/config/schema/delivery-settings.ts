/** The way out: which targets may be called, and the connectors that the file declares. */
import { isIP } from "node:net";
import { z } from "zod";
import { list, matching, NO_WORDS, secret, section, special } from "../keys.ts";

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
    .refine((value) => isRange(value) || (HOST_NAME.test(value) && !/^[\d.]+$/.test(value)), NO_WORDS),
  { help: "A range of addresses or a host name.", allowed: "a CIDR such as 127.0.0.0/8 or a host name" },
);

export const delivery = section({
  allowTargets: list(
    "Targets beyond public addresses.",
    target,
    'a list of CIDRs and host names: ["127.0.0.0/8", "crm.internal"]',
  ).prefault([]),
  connectorsTopic: matching(
    "Topic that keeps the connectors: gateways with the same one run the same connectors.",
    /^_stationgate-[a-zA-Z0-9._-]{1,200}$/,
    "_stationgate- and then letters, digits, dots, underscores and hyphens",
  ).prefault("_stationgate-connectors"),
});

/** Connect's settings are texts; YAML's numbers and flags are taken as what they say. */
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

export const connector = section({
  name: matching("Name of the connector.", /^[^\s/?#%]{1,200}$/, "a name without spaces and any of / ? # %"),
  config: special(
    z
      .object({
        secret: secret("Secret of the Standard Webhooks signature.").optional(),
        "callback.request.headers": secret("Headers of each request.").optional(),
      })
      .catchall(scalar),
    { help: "Its settings, as the REST API takes them.", allowed: "an object of texts, numbers and flags" },
  ),
});
