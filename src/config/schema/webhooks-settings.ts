/** Settings of webhook sources, one section for each signature scheme. */
import { z } from "zod";
import { choice, duration, matching, secret, secretPair, section, special } from "../keys.ts";
import { rates } from "./limits-settings.ts";
import { stationName } from "./stations-settings.ts";

const common = {
  source: matching(
    "Name of the source: the last segment of its URL.",
    /^[a-zA-Z0-9][\w.-]{0,127}$/,
    "1 to 128 letters, digits, _ . - that start with a letter or digit",
  ),
  station: stationName,
  duplicateWindow: duration(
    "Time for which the ids of webhooks are remembered. A repeated webhook is not stored again in this time.",
    30 * 86_400_000,
  ).prefault("24h"),
  limits: rates.prefault({}),
};

const secrets = secretPair("Secret of the sender; two secrets during a rotation.");

const signed = <const T extends string>(scheme: T) =>
  section({ ...common, scheme: z.literal(scheme), secrets });

const header = (help: string) => matching(help, /^[!#$%&'*+.^_`|~\w-]+$/, "a header name");

const httpUrl = special(z.string().regex(/^https?:\/\/[^\s?#]+$/), {
  help: "Complete public URL of the source, without a query.",
  allowed: "an http or https URL without query",
});

const hmac = section({
  ...common,
  scheme: z.literal("hmac"),
  secrets,
  header: header("Header that carries the signature."),
  prefix: special(z.string(), {
    help: "Text before the signature in its header, such as sha256=.",
    allowed: "a string",
  }).prefault(""),
  algorithm: choice("Hash algorithm of the HMAC.", ["sha1", "sha256", "sha512"]).prefault("sha256"),
  encoding: choice("Encoding of the signature.", ["hex", "base64"]).prefault("hex"),
  template: matching(
    "Text that the sender signs, made of {body}, {timestamp} and {id}.",
    /^(?=.*\{body\})([^{}]|\{(body|timestamp|id)\})+$/s,
    "a text that contains {body}, and {timestamp} and {id} if the sender signs them",
  ).prefault("{body}"),
  timestampHeader: header(
    "Header that carries the time of the signature, in seconds since the epoch.",
  ).optional(),
  tolerance: duration(
    "Maximum difference between the time of the signature and the gateway's clock.",
  ).prefault("5m"),
  idHeader: header("Header that carries the id of the webhook.").optional(),
  idPointer: matching(
    "JSON pointer to the id of the webhook in the body.",
    /^(\/([^~/]|~[01])*)+$/,
    "a JSON pointer such as /id",
  ).optional(),
})
  .refine((given) => given.idHeader === undefined || given.idPointer === undefined, {
    path: ["idPointer"],
    error: "idHeader and idPointer are both set: set only one of them",
  })
  .refine((given) => !given.template.includes("{timestamp}") || given.timestampHeader !== undefined, {
    path: ["timestampHeader"],
    error: "is required because the template contains {timestamp}",
  })
  .refine((given) => !given.template.includes("{id}") || (given.idHeader ?? given.idPointer) !== undefined, {
    path: ["idHeader"],
    error: "is required because the template contains {id} (or set idPointer)",
  });

export const webhook = special(
  z.discriminatedUnion("scheme", [
    signed("github"),
    signed("stripe"),
    signed("standard-webhooks"),
    signed("gitlab"),
    signed("slack"),
    signed("shopify"),
    section({ ...common, scheme: z.literal("twilio"), secrets, publicUrl: httpUrl }),
    signed("linear"),
    section({
      ...common,
      scheme: z.literal("meta"),
      secrets,
      verifyToken: secret("Value of hub.verify_token that Meta sends when it verifies the URL."),
    }),
    signed("cloudevents"),
    hmac,
    section({ ...common, scheme: z.literal("none") }),
  ]),
  {
    help: "A webhook source.",
    allowed:
      "an object whose scheme is github, stripe, standard-webhooks, gitlab, slack, shopify, twilio, linear, meta, cloudevents, hmac or none",
  },
);
