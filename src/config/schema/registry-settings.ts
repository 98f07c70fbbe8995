/** Settings of the schema registry. Without a URL there is no registry. */
import { z } from "zod";
import {
  choice,
  duration,
  file,
  flag,
  integer,
  list,
  NO_MESSAGE,
  secret,
  section,
  size,
  special,
  text,
} from "../keys.ts";

/** Userinfo must be percent-encoded, so that it ends where the printed settings mask it. */
const isAddress = (value: string): boolean =>
  /^https?:\/\/([^\s/?#@]+@)?[^\s/?#@]+(\/[^\s?#]*)?$/i.test(value) && URL.canParse(value);

const address = (help: string) =>
  special(z.string().refine(isAddress, NO_MESSAGE), {
    help,
    allowed: "an http or https URL without query, such as https://registry.example:8081",
  });

const authType = <const T extends string>(type: T) =>
  special(z.literal(type), {
    help: "How the gateway authenticates at the registry: basic (user name and password) or bearer (token).",
    allowed: "basic or bearer",
  });

const auth = special(
  z.discriminatedUnion("type", [
    section({
      type: authType("basic"),
      username: text("User name for the registry."),
      password: secret("Password for the registry."),
    }),
    section({ type: authType("bearer"), token: secret("Bearer token for the registry.") }),
  ]),
  {
    help: "Credential of the gateway at the registry. User info in a URL counts as basic.",
    allowed: "{ type: basic, username, password } or { type: bearer, token }",
  },
);

const strategy = (part: string) =>
  choice(`Default subject name strategy of ${part}.`, [
    "topic-name",
    "record-name",
    "topic-record-name",
  ]).prefault("topic-name");

/** The parsed settings always have a `urls` list; a plain `url` becomes its only entry. */
export const registry = section({
  url: address("Address of the schema registry. Default: no registry. Use either url or urls.").optional(),
  urls: list(
    "Addresses of the schema registry. The gateway asks the next one after a connection fault, a timeout or a 5xx.",
    address("Address of the schema registry."),
    'a list of http or https URLs without query, such as ["https://registry.example:8081"]',
  ).optional(),
  auth: auth.optional(),
  ca: file(
    "PEM file with the CA certificates that verify the registry's certificate. Default: the CAs of the system.",
  ).optional(),
  cert: file("PEM file with the client certificate for mutual TLS with the registry.").optional(),
  key: file("PEM file with the private key of this client certificate.").optional(),
  timeout: duration("Timeout for one whole request to the registry.").prefault("5s"),
  cacheTtl: duration(
    "Time for which the latest version of a subject is fresh. A new version is used within this time.",
  ).prefault("60s"),
  negativeTtl: duration(
    "Time for which the gateway trusts the registry's answer that a subject, a version or a schema does not exist.",
  ).prefault("10s"),
  maxSchemas: integer(
    "Maximum number of compiled schemas in memory. The least recently used schema is compiled again when it is needed.",
    1,
    1_000_000,
  ).prefault(1000),
  maxSchemaBytes: size(
    "Maximum size of a schema, and maximum total size of the schemas that it refers to. The texts of known schemas take at most 64 times this size.",
  ).prefault("1mb"),
  strategy: section({ key: strategy("keys"), value: strategy("values") }).prefault({}),
  autoRegister: flag(
    "Lets every client that may produce by v2 or v3 register schemas by their text, JSON Schema patterns included.",
  ).prefault(false),
  normalize: flag("Asks the registry to normalize schemas when it looks them up or registers them.").prefault(
    false,
  ),
  unknownFields: choice(
    "What happens to an event with members that the Avro schema lacks: it is refused, or they are left out.",
    ["refuse", "drop"],
  ).prefault("refuse"),
})
  .refine((given) => given.url === undefined || given.urls === undefined, {
    path: ["urls"],
    error: "url and urls are both set: set only one of them",
  })
  .refine((given) => (given.cert === undefined) === (given.key === undefined), {
    path: ["key"],
    error: "cert and key are needed together: set both or none of them",
  })
  .transform(({ url, urls = [], ...rest }) => ({ ...rest, urls: url === undefined ? urls : [url] }));
