/** Metrics of reading over HTTP. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const FORWARD_OUTCOMES = [
  "answered",
  "failed",
  "moved",
  "refused",
  "unreachable",
  "broken",
  "aborted",
] as const;

/**
 * `failed`: the other process answered with an error. `moved`: it doesn't serve the group any more. `refused`: it has restarted,
 * or has other secrets or another time. `unreachable`: it can't be connected, or has not answered signs of life for 5 s.
 * `broken`: the connection broke before the answer. `aborted`: the client left, or the call's waiting time was over.
 */
export type ForwardOutcome = (typeof FORWARD_OUTCOMES)[number];

const READING_APIS = ["batch", "v2", "sse", "ndjson"] as const;
const CUT_REASONS = ["slow", "behind"] as const;

/** The APIs that read with groups. */
const GROUP_APIS = ["batch", "v2"] as const;
const ANSWER_OUTCOMES = ["sent", "released"] as const;

export interface ReadingMetrics {
  /** An answer to a read with a group has ended. `isSent`: it was sent whole; otherwise its events are handed out again. */
  answerEnded(api: (typeof GROUP_APIS)[number], isSent: boolean): void;
  /** A commit of a group has failed: its events may be delivered again. */
  commitFailed(): void;
  /** `read` is called at each scrape and returns the number of groups of which this process is a member. */
  readersGroupsFrom(read: () => number): void;
  /** `read` is called at each scrape and returns the number of consumer instances of the REST Proxy API in this process. */
  instancesFrom(read: () => number): void;
  /** Events in answers and streams. */
  eventsRead(api: (typeof READING_APIS)[number], count: number): void;
  /** `read` is called at each scrape and returns the number of open event streams by kind: sse, ndjson. */
  streamsFrom(read: () => Readonly<Record<string, number>>): void;
  /** An event stream was closed: its client made no progress (slow), or needs older events than the ring has (behind). */
  readonly streamCut: (reason: (typeof CUT_REASONS)[number]) => void;
  /** A call was forwarded to another process. `seconds` includes the time that the other process waited for events. */
  callForwarded(outcome: ForwardOutcome, seconds: number): void;
  /** A slot has come to this process. */
  homeMoved(): void;
}

/** A read may wait for 300 s. */
const FORWARD_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export const readingMetrics = (registry: Registry): ReadingMetrics => ({
  ...homeMetrics(registry),
  ...groupMetrics(registry),
  ...streamMetrics(registry),
});

const groupMetrics = (
  registry: Registry,
): Pick<ReadingMetrics, "answerEnded" | "commitFailed" | "readersGroupsFrom" | "instancesFrom"> => {
  const registers = [registry];
  const answers = new Counter({
    name: "stationgate_reading_answers_total",
    help: "Answers to reads with groups, by API and outcome: sent, released (not sent whole: the events are handed out again).",
    labelNames: ["api", "outcome"],
    registers,
  });
  const failures = new Counter({
    name: "stationgate_reading_commit_failures_total",
    help: "Commits of readers' groups that failed: their events may be delivered again.",
    registers,
  });
  for (const api of GROUP_APIS) for (const outcome of ANSWER_OUTCOMES) answers.inc({ api, outcome }, 0);
  return {
    answerEnded: (api, isSent) => {
      answers.inc({ api, outcome: isSent ? "sent" : "released" });
    },
    commitFailed: () => {
      failures.inc();
    },
    readersGroupsFrom: (read) => {
      new Gauge({
        name: "stationgate_reading_groups",
        help: "Readers' groups of which this process is a member.",
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    instancesFrom: (read) => {
      new Gauge({
        name: "stationgate_reading_instances",
        help: "Consumer instances of the REST Proxy API in this process.",
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
};

const streamMetrics = (
  registry: Registry,
): Pick<ReadingMetrics, "eventsRead" | "streamsFrom" | "streamCut"> => {
  const registers = [registry];
  const events = new Counter({
    name: "stationgate_reading_events_total",
    help: `Events sent to readers, by API: ${READING_APIS.join(", ")}.`,
    labelNames: ["api"],
    registers,
  });
  const cut = new Counter({
    name: "stationgate_reading_streams_cut_total",
    help: "Event streams closed because of their clients, by reason: slow (no progress), behind (events older than the ring).",
    labelNames: ["reason"],
    registers,
  });
  for (const api of READING_APIS) events.inc({ api }, 0);
  for (const reason of CUT_REASONS) cut.inc({ reason }, 0);
  return {
    eventsRead: (api, count) => {
      events.inc({ api }, count);
    },
    streamCut: (reason) => {
      cut.inc({ reason });
    },
    streamsFrom: (read) => {
      new Gauge({
        name: "stationgate_reading_streams",
        help: "Open event streams, by kind: sse, ndjson.",
        labelNames: ["kind"],
        registers,
        collect() {
          for (const [kind, count] of Object.entries(read())) this.set({ kind }, count);
        },
      });
    },
  };
};

const homeMetrics = (registry: Registry): Pick<ReadingMetrics, "callForwarded" | "homeMoved"> => {
  const registers = [registry];
  const forwarded = new Counter({
    name: "stationgate_reading_forwarded_total",
    help: `Calls forwarded to the process that serves the group, by outcome: ${FORWARD_OUTCOMES.join(", ")}.`,
    labelNames: ["outcome"],
    registers,
  });
  for (const outcome of FORWARD_OUTCOMES) forwarded.inc({ outcome }, 0);
  const duration = new Histogram({
    name: "stationgate_reading_forward_seconds",
    help: "Seconds from forwarding a call to its answer, including the time that the read waits for events.",
    buckets: FORWARD_BUCKETS,
    registers,
  });
  const moved = new Counter({
    name: "stationgate_reading_homes_moved_total",
    help: "Slots of readers' groups that this process has begun to serve.",
    registers,
  });
  return {
    callForwarded: (outcome, seconds) => {
      forwarded.inc({ outcome });
      if (outcome === "answered") duration.observe(seconds);
    },
    homeMoved: () => {
      moved.inc();
    },
  };
};
