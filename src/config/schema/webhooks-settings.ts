/** Third parties that post in, each with its signature scheme. */
import { z } from "zod";
import { choice, duration, matching, secret, secretPair, section, special } from "../keys.ts";
import { rates } from "./limits-settings.ts";
import { stationName } from "./stations-settings.ts";

const common = {
  source: matching("Last part of its URL.", /^[a-zA-Z0-9][\w.-]{0,127}$/, "a name of letters, digits, _ . -"),
  station: stationName,
  duplicateWindow: duration(
    "How long a delivery is remembered, so that its repeat is not stored.",
    30 * 86_400_000,
  ).prefault("24h"),
  limits: rates.prefault({}),
};

const secrets = secretPair("The sender's secret, and its successor while it is rotated.");

const signed = <const T extends string>(scheme: T) =>
  section({ ...common, scheme: z.literal(scheme), secrets });

const header = (help: string) => matching(help, /^[!#$%&'*+.^_`|~\w-]+$/, "a header name");

const httpUrl = special(z.string().regex(/^https?:\/\/[^\s?#]+$/), {
  help: "The source's whole public URL without its query.",
  allowed: "an http or https URL without query",
});

const hmac = section({
  ...common,
  scheme: z.literal("hmac"),
  secrets,
  header: header("Header with the signature."),
  prefix: special(z.string(), { help: "What stands before the signature.", allowed: "a text" }).prefault(""),
  algorithm: choice("Digest.", ["sha1", "sha256", "sha512"]).prefault("sha256"),
  encoding: choice("How the signature is written.", ["hex", "base64"]).prefault("hex"),
  template: matching(
    "What is signed, of {body}, {timestamp} and {id}.",
    /^(?=.*\{body\})([^{}]|\{(body|timestamp|id)\})+$/s,
    "a text with {body} in it, and {timestamp}, {id} where they are signed",
  ).prefault("{body}"),
  timestampHeader: header("Header with the time of signing, in seconds.").optional(),
  tolerance: duration("How far that time may be off, both ways.").prefault("5m"),
  idHeader: header("Header with the delivery id.").optional(),
  idPointer: matching(
    "JSON pointer to the delivery id.",
    /^(\/([^~/]|~[01])*)+$/,
    "a JSON pointer such as /id",
  ).optional(),
})
  .refine((given) => given.idHeader === undefined || given.idPointer === undefined, {
    path: ["idPointer"],
    error: "give idHeader or idPointer, not both",
  })
  .refine((given) => !given.template.includes("{timestamp}") || given.timestampHeader !== undefined, {
    path: ["timestampHeader"],
    error: "the template signs {timestamp}: name its header",
  })
  .refine((given) => !given.template.includes("{id}") || (given.idHeader ?? given.idPointer) !== undefined, {
    path: ["idHeader"],
    error: "the template signs {id}: name its header or pointer",
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
      verifyToken: secret("The hub.verify_token of the handshake."),
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
