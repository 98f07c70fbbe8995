/** Settings of the spool: events on the disk while Kafka is unavailable. */
import { directory, duration, list, matching, section, size } from "../keys.ts";

const kind = matching(
  "Kind of events that the spool takes.",
  /^(webhooks|beacon|webhook:[a-zA-Z0-9][\w.-]{0,127}|station:[A-Za-z0-9_.*-]{1,128})$/,
  "webhooks, webhook:<source>, beacon or station:<pattern>",
);

/** The parsed settings have no `spool` if neither `dir` nor `for` is set. */
export const spool = section({
  dir: directory(
    "Directory of the spool. One gateway with its workers uses it. It must survive a restart of the gateway. Required with spool.for.",
  ).optional(),
  maxBytes: size("Maximum size of the spool, over all workers. Above it events get 503.").prefault("1gb"),
  after: duration(
    "Longest time that an event of a spooled kind waits for Kafka before it goes to the spool.",
  ).prefault("1s"),
  refusedAfter: duration(
    "Time for which a topic must be missing or forbidden, until its spooled events go to refused/ of the spool. A missing topic is created first if the settings allow that.",
  ).prefault("5m"),
  for: list(
    "Spooled kinds: webhooks (all webhook deliveries), webhook:<source>, beacon (events of beacon calls), station:<pattern> (events of the produce routes and of the REST Proxy API). Required with spool.dir.",
    kind,
    "a list of webhooks, webhook:<source>, beacon and station:<pattern>",
  ).prefault([]),
})
  .refine((given) => given.dir !== undefined || given.for.length === 0, {
    path: ["dir"],
    error: "got nothing, allowed: the path of a directory if spool.for is set",
  })
  .refine((given) => given.dir === undefined || given.for.length > 0, {
    path: ["for"],
    error: "got nothing, allowed: at least one kind if spool.dir is set",
  })
  .transform(({ dir, ...rest }) => (dir === undefined ? undefined : { dir, ...rest }));
