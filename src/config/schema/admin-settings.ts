/** Settings of the operators' listener (its address, the operators' credentials, roles and sessions) and of the audit. */
import { z } from "zod";
import {
  choice,
  duration,
  durationBetween,
  file,
  filledList,
  flag,
  instant,
  integer,
  list,
  matching,
  NO_MESSAGE,
  secret,
  section,
  special,
  text,
} from "../keys.ts";
import { certificateNames, hasOneName, ONE_NAME } from "./certificate-settings.ts";
import { claim, issuerUrl } from "./issuer-settings.ts";
import { port } from "./server-settings.ts";
import { tls } from "./tls-settings.ts";

/** In ascending order, as in `src/auth/operators/operator.ts`. */
const role = choice("Role. A role has all rights of the roles before it.", ["viewer", "operator", "admin"]);

const token = section({
  name: matching(
    "Name of the operator, for Basic, the console and the audit.",
    /^[^\s\p{C}:]{1,64}$/u,
    "a name of at most 64 characters without spaces and :",
  ),
  token: secret("The token in plain text or as a scrypt hash."),
  role,
  expires: instant("Time after which the token is invalid.").optional(),
});

const isOrigin = (value: string): boolean => /^https?:\/\/[^/\s?#@]+$/i.test(value) && URL.canParse(value);

const roleValues = (name: string) =>
  list(
    `Values of rolesClaim that give the role ${name}.`,
    text("A value."),
    "a list of non-empty strings",
  ).prefault([]);

const provider = section({
  issuer: issuerUrl("URL of the identity provider, as the claim iss of its tokens has it.").optional(),
  clientId: text("Client id of the gateway at the identity provider.").optional(),
  clientSecret: secret("Client secret of the gateway. Default: none, for a public client.").optional(),
  scopes: filledList(
    "Scopes that the sign-in asks for.",
    text("A scope."),
    "a list of scopes that contains openid",
  )
    .prefault(["openid", "profile", "email"])
    .refine((scopes) => scopes.includes("openid"), {
      error: "does not contain openid, allowed: a list of scopes that contains openid",
    }),
  label: text(
    "Name of the identity provider on the sign-in page. Default: the host of the issuer.",
  ).optional(),
  ca: file(
    "PEM file with the CAs that the gateway trusts for the identity provider instead of the system's.",
  ).optional(),
  clockSkew: durationBetween("Tolerance for exp, nbf and iat, in both directions.", 0, 300_000).prefault(
    "30s",
  ),
  endSession: flag("Sign-out also goes to the identity provider.").prefault(false),
  nameClaim: claim(
    "Claim that has the operator's name. A text that begins with / is a JSON pointer.",
  ).prefault("preferred_username"),
  rolesClaim: claim(
    "Claim whose values give the role: a list, or one text split at spaces. A text that begins with / is a JSON pointer.",
  ).prefault("groups"),
  roles: section({
    viewer: roleValues("viewer"),
    operator: roleValues("operator"),
    admin: roleValues("admin"),
  }).prefault({}),
  audience: text(
    "If set, the operators' port also accepts JWTs of the issuer that have this audience. Not the client id.",
  ).optional(),
});

type Provider = z.output<typeof provider>;

/** A key that has no default is set. */
const isGiven = ({ issuer, clientId, clientSecret, label, ca, audience, roles }: Provider): boolean =>
  [issuer, clientId, clientSecret, label, ca, audience].some((value) => value !== undefined) ||
  Object.values(roles).some((values) => values.length > 0);

/** The parsed settings have no `oidc` if no key of it is set. */
const oidc = provider
  .refine((given) => given.issuer !== undefined || !isGiven(given), {
    path: ["issuer"],
    error: "got nothing, allowed: the URL of the identity provider",
  })
  .refine((given) => given.clientId !== undefined || !isGiven(given), {
    path: ["clientId"],
    error: "got nothing, allowed: the client id of the gateway at the identity provider",
  })
  .transform(({ issuer, clientId, ...rest }) =>
    issuer === undefined || clientId === undefined ? undefined : { issuer, clientId, ...rest },
  );

export const admin = section({
  host: text("Address of the operators' listener.").prefault("127.0.0.1"),
  port: port("Port of the operators' listener. 0 uses a free port.").prefault(4445),
  publicUrl: special(z.string().refine(isOrigin, NO_MESSAGE), {
    help: "URL that operators' browsers use. Required with admin.oidc. If it begins with https, session cookies are Secure.",
    allowed: "an http or https URL without a path, such as https://gateway.example",
  }).optional(),
  token: secret(
    "Operators' token with the name admin and the role admin. Default: a start without a settings file generates a token.",
  ).optional(),
  tokens: list("Further operators' tokens.", token, "a list of {name, token, role, expires}").prefault([]),
  sessionTtl: duration("Lifetime of a session of the console.", 366 * 86_400_000).prefault("8h"),
  sessionSecret: secret(
    "Secret that seals sessions, the same on all pods. Default: derived from the secrets of auth.accessToken; without them each process group has its own secret.",
  ).optional(),
  viewersReadEvents: flag(
    "Operators with the role viewer may read events: the tail of a station and the records of dead letters.",
  ).prefault(false),
  oidc: oidc.prefault({}),
  tls: tls.optional(),
  certificates: list(
    "Client certificates of operators (admin.tls.clientAuth). The first entry that matches counts.",
    section({
      ...certificateNames,
      role,
    }).refine(hasOneName, ONE_NAME),
    "a list of certificates, each with a name, a role and one of cn, uri, dns, email",
  ).prefault([]),
  failuresPerMinute: integer(
    "Maximum number of wrong operators' tokens per minute and client address. Above it every token from the address gets 429.",
    1,
  ).prefault(10),
});

export const audit = section({
  station: matching(
    "Station that also stores the audit entries. No client, webhook or test event can add to it. Default: the entries are only in the log.",
    /^(?=.{1,128}$)[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/,
    "a station name in lower case",
  ).optional(),
  clientSignIns: flag("Audits the sign-ins of clients too.").prefault(false),
});
