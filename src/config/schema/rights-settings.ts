/** The rights of clients: keys that accounts, API keys and issuers share. */
import { list, matching } from "../keys.ts";
import { origin } from "./server-settings.ts";

export const stationPatterns = (help: string) =>
  list(
    help,
    matching(
      "A station name or a pattern.",
      /^[a-z0-9_.*-]{1,128}$/,
      "a station name in lower case; * matches any characters",
    ),
    'a list of station names; * matches any characters: ["orders", "clicks-*"]',
  );

export const groups = list(
  "Consumer groups that the caller may use by their Kafka names. Default: only groups that are private to the caller.",
  matching(
    "A group name or a pattern.",
    /^[^\p{Cc}\p{Cs}]{1,249}$/u,
    "the name of a consumer group, case-sensitive; * matches any characters",
  ),
  'a list of consumer groups; * matches any characters: ["billing", "etl-*"]',
).optional();

export const origins = list(
  "Web origins that may use the credential. An empty list allows every caller.",
  origin,
  "a list of origins such as https://shop.example",
);
