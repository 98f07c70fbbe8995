/** Settings of once: one event for one id. */
import { duration, flag, integer, matching, section } from "../keys.ts";

/** Longest window of an id. Every window is part of the retention of the topic `once.topic`. */
const LONGEST_WINDOW = 30 * 86_400_000;

export const window = (help: string) => duration(help, LONGEST_WINDOW);

export const once = section({
  topic: matching(
    "Topic of the ids of events. All gateways on one Kafka need the same topic.",
    /^_stationgate-[a-zA-Z0-9._-]{1,200}$/,
    "_stationgate- followed by letters, digits, dots, underscores and hyphens",
  ).prefault("_stationgate-once"),
  partitions: integer(
    "Number of partitions of once.topic: the number of slots that divide the ids among the gateways. Change it only while all gateways on this Kafka are stopped, and delete the topic then.",
    1,
    1000,
  ).prefault(12),
  callWindow: window(
    "Time for which the Idempotency-Key of a call is remembered. A repeated call is not stored again in this time.",
  ).prefault("24h"),
  maxIds: integer(
    "Maximum number of ids that all slots together remember, in at most 64 bytes each. Above it the oldest ids are forgotten before the end of their windows.",
    1,
  ).prefault(1_000_000),
});

const strict = flag(
  "If false, an event is stored without the check of its id while the home of the id can't be reached. If true, the request fails then.",
).prefault(true);

/** `once` of a webhook source. The id and its window follow from the scheme and from `duplicateWindow`. */
export const onceOfWebhook = section({ strict }).prefault({});

/**
 * Where the id is. The gateway's own headers are refused, because a client can't send them. A header of a request is stored only
 * if its name begins with `x-` or `ce-`; other names are for the record headers of the REST Proxy API.
 */
const ID =
  /^(?:(?:\/([^~/]|~[01])*)+|header:(?!x-stationgate-|x-webhook-(?:source|id)$)[!#$%&'*+.^_`|~\w-]{1,256}|cloudevents)$/i;

export const onceOfStation = section({
  id: matching(
    "Where the id of an event is: a JSON pointer (RFC 6901), header:<name>, or cloudevents (the attributes source and id).",
    ID,
    "a JSON pointer such as /eventId, header:<name> such as header:x-event-id (not a header that the gateway writes), or cloudevents",
  ),
  window: window(
    "Time for which the id of an event is remembered. A repeated event is not stored again in this time.",
  ),
  strict,
});
