/** Settings of one entry of `auth.issuers`. */
import { z } from "zod";
import { isProtectedUrl } from "../../lib/loopback.ts";
import {
  choice,
  durationBetween,
  file,
  filledList,
  list,
  matching,
  NO_MESSAGE,
  section,
  size,
  special,
  text,
} from "../keys.ts";
import { groups, origins, stationPatterns } from "./rights-settings.ts";
import { rates } from "./server-settings.ts";

const SECOND = 1000;
const MINUTE = 60_000;
const DAY = 86_400_000;

const PROTECTED = "an https URL, or an http URL of a loopback host";

/** The discovery URL is the issuer and a path, so the issuer has no query and no fragment. */
export const issuerUrl = (help: string) =>
  special(
    z.string().refine((url) => isProtectedUrl(url) && !/[?#\s]/.test(url), NO_MESSAGE),
    { help, allowed: `${PROTECTED}, without user, query and fragment, such as https://id.example` },
  );

export const claim = (help: string) =>
  matching(
    help,
    /^([^/].*|(\/([^~/]|~[01])*)+)$/su,
    "the name of a claim, or a JSON pointer such as /realm_access/roles",
  );

/** Only algorithms with public keys: a shared secret of HS* would let each client that can verify tokens also make them. */
const ALGORITHMS = [
  ...(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const),
  ...(["ES256", "ES384", "ES512", "EdDSA"] as const),
] as const;

const mapping = section({
  claim: claim("Claim that is compared with value: a list of texts, or one text that is split at spaces."),
  value: text("A token that has this value in the claim gets the patterns of this entry."),
  stations: stationPatterns("Stations that such a token may produce to.").prefault([]),
  consume: stationPatterns("Stations that such a token may read.").prefault([]),
});

const entry = section({
  name: matching(
    "Name of the issuer. Limits, log lines and error texts call the client <name>:<subject>.",
    /^[a-z0-9][a-z0-9-]{0,31}$/,
    "1 to 32 lower-case letters, digits and -, not - at the beginning",
  ),
  issuer: issuerUrl("URL of the issuer, exactly as the iss claim of its tokens has it."),
  audience: special(z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]), {
    help: "The aud claim of a token must contain one of these texts.",
    allowed: "a non-empty string, or a list of them with at least one",
  }),
  algorithms: filledList(
    "Signature algorithms of the issuer's tokens.",
    choice("A signature algorithm.", ALGORITHMS),
    `a list of at least one of ${ALGORITHMS.join(", ")}`,
  ).prefault(["RS256", "ES256"]),
  types: filledList(
    "Accepted values of the typ header of tokens, in any case. A token without typ counts as JWT.",
    text("A value of typ, with or without application/."),
    "a list of at least one value, such as [at+jwt, JWT]",
  ).prefault(["at+jwt", "JWT"]),
  jwksUri: special(
    z.string().refine((url) => isProtectedUrl(url) && !/\s/.test(url), NO_MESSAGE),
    {
      help: "URL of the issuer's keys. Default: the discovery document names it.",
      allowed: `${PROTECTED}, without user and spaces`,
    },
  ).optional(),
  ca: file(
    "PEM file with the CA certificates that are trusted for the discovery document and the keys, instead of the system's.",
  ).optional(),
  subject: claim("Claim that names the client: 1 to 256 characters.").prefault("sub"),
  stationsClaim: claim(
    "Claim with patterns of the stations that the token may produce to: a list of texts, or one text that is split at spaces.",
  ).optional(),
  consumeClaim: claim(
    "Claim with patterns of the stations that the token may read, in the same form.",
  ).optional(),
  mapping: list(
    "Patterns for tokens that have a value in a claim.",
    mapping,
    "a list of {claim, value, stations, consume}",
  ).prefault([]),
  stations: stationPatterns(
    'Stations that tokens of the issuer may produce to at most. Default: ["*"] with stationsClaim or mapping, else none.',
  ).optional(),
  consume: stationPatterns(
    'Stations that tokens of the issuer may read at most. Default: ["*"] with consumeClaim or mapping, else none.',
  ).optional(),
  scopePrefix: text(
    "If set, the claim scope or scp of a token must contain this prefix and produce, consume or stream.",
    "a non-empty string such as events:",
  ).optional(),
  groups,
  origins: origins.prefault([]),
  limits: rates.prefault({}),
  clockSkew: durationBetween("Tolerance for the exp, nbf and iat claims.", 0, 5 * MINUTE).prefault("30s"),
  refresh: durationBetween("Interval in which the issuer's keys are fetched.", SECOND, 30 * DAY).prefault(
    "10m",
  ),
  maxStale: durationBetween(
    "Time for which the last keys stay valid while the issuer is unreachable.",
    SECOND,
    3650 * DAY,
  ).prefault("24h"),
  fetchTimeout: durationBetween(
    "Timeout for one fetch of the keys, with the discovery document.",
    100,
    5 * MINUTE,
  ).prefault("5s"),
  maxTokenSize: size("A longer token is refused. server.maxHeaderSize must leave room for it.").prefault(
    "12kb",
  ),
});

/** The parsed settings always have lists for `audience`, `stations` and `consume`. */
export const issuer = entry.transform((given) => ({
  ...given,
  audience: typeof given.audience === "string" ? [given.audience] : given.audience,
  stations: given.stations ?? defaultOf(given, given.stationsClaim),
  consume: given.consume ?? defaultOf(given, given.consumeClaim),
}));

/** Claims only narrow the rights of the entry, so an entry whose tokens bring patterns allows all stations by default. */
const defaultOf = (
  { mapping: mapped }: { mapping: readonly unknown[] },
  named: string | undefined,
): string[] => (named !== undefined || mapped.length > 0 ? ["*"] : []);
