/** The list of connectors: state, lag, and delivery attempts. */
import { getJson } from "./api.js";
import { chart } from "./chart.js";
import { el, say, table } from "./dom.js";
import { count, duration, rate, rateAndTotal } from "./format.js";
import { countNow, isKnown, ratesOf, valueNow, watch } from "./metrics.js";
import { poll } from "./poll.js";

const ATTEMPTS = "stationgate_delivery_attempts_total";
const LIST_EVERY = 3000;

const OUTCOMES = /** @type {const} */ ([
  ["Delivered", "delivered"],
  ["Retried", "retry"],
  ["Dropped", "dropped"],
  ["Stopped", "stopped"],
]);

/** @typedef {{ connector: { state: string, worker_id: string }, tasks: readonly { state: string, trace?: string }[] }} Status */

/**
 * The state to show: FAILED if a task has failed, otherwise the connector's state.
 * @param {Status} status
 */
export const stateOf = ({ connector, tasks }) =>
  tasks.some(({ state }) => state === "FAILED") ? "FAILED" : connector.state;

/** @type {Record<string, string>} */
const TONES = { RUNNING: "good", FAILED: "bad", PAUSED: "warn", STOPPED: "warn", RESTARTING: "warn" };

/** @param {string} state */
export const statePill = (state) => el("span", { class: `pill ${TONES[state] ?? ""}` }, state.toLowerCase());

/**
 * Attempts by outcome, as series of a chart.
 * @param {Record<string, string>} labels
 */
export const attemptSeries = (labels) =>
  OUTCOMES.map(([name, outcome]) => ({
    name,
    values: ratesOf(ATTEMPTS, { ...labels, outcome }),
    total: valueNow(ATTEMPTS, { ...labels, outcome }),
  }));

/** @param {string} connector */
export const lagText = (connector) => {
  // Only a running task measures the lag.
  if (!isKnown("stationgate_delivery_lag_records", { connector })) return "unknown";
  const records = valueNow("stationgate_delivery_lag_records", { connector });
  const seconds = valueNow("stationgate_delivery_lag_seconds", { connector });
  return records === 0 ? "none" : `${count(records)} records, ${duration(seconds)}`;
};

const HEADS = [
  "Connector",
  "State",
  "Lag (this gateway)",
  "Delivered (total)",
  "Retried (total)",
  "Dropped (total)",
  "Source",
];

/** @typedef {"file" | "rest"} Origin */

/** @type {Record<Origin, string>} */
const SOURCES = { file: "settings file", rest: "REST API" };

/** @param {Origin} origin */
export const sourceText = (origin) => SOURCES[origin];

/** @param {string} name @param {{ status: Status, origin: Origin }} connector */
const rowOf = (name, { status, origin }) => {
  const [lag, delivered, retried, dropped] = [el("span"), el("span"), el("span"), el("span")];
  const draw = () => {
    const [ok, again] = OUTCOMES.map(([, outcome]) => countNow(ATTEMPTS, { connector: name, outcome }));
    const lost = countNow("stationgate_delivery_dropped_total", { connector: name });
    say(lag, lagText(name));
    say(delivered, rateAndTotal(ok));
    say(retried, rateAndTotal(again));
    say(dropped, rateAndTotal(lost));
    dropped.className = lost.total > 0 ? "warn" : "";
  };
  const link = el("a", { href: `#/connectors/${encodeURIComponent(name)}` }, name);
  return {
    cells: [link, statePill(stateOf(status)), lag, delivered, retried, dropped, sourceText(origin)],
    draw,
  };
};

/** @param {import("./main.js").View} view */
export const showConnectors = async ({ main, may, signal }) => {
  const all = chart("Attempts by outcome", rate);
  const trouble = el("p", { role: "alert" });
  const list = el("div");
  const create = el("a", { class: "button primary", href: "#/create" }, "New connector");
  main.append(
    el("div", { class: "title" }, el("h1", {}, "Connectors"), may("admin") && create),
    trouble,
    all.node,
    list,
  );
  /** @type {readonly (() => void)[]} */
  let draws = [];
  let known = "";

  const load = async () => {
    const statuses = await getJson("/connectors?expand=status&expand=origin", signal);
    const now = JSON.stringify(statuses);
    if (now === known) return;
    known = now;
    const rows = Object.entries(statuses).map(([name, connector]) => rowOf(name, connector));
    draws = rows.map(({ draw }) => draw);
    list.replaceChildren(
      rows.length === 0
        ? el("p", {}, "There are no connectors yet.")
        : table(
            "Connectors",
            HEADS,
            rows.map(({ cells }) => cells),
          ),
    );
    for (const draw of draws) draw();
  };
  watch(signal, () => {
    all.draw(attemptSeries({}));
    for (const draw of draws) draw();
  });
  await poll(signal, LIST_EVERY, load, trouble)();
};
