/** All connectors: whether they deliver, and how far they are behind. */
import { getJson } from "./api.js";
import { chart } from "./chart.js";
import { el, say, table } from "./dom.js";
import { count, duration, rate } from "./format.js";
import { isKnown, ratesOf, valueNow, watch } from "./metrics.js";
import { poll } from "./poll.js";

const ATTEMPTS = "stationgate_delivery_attempts_total";
const LIST_EVERY = 3000;

/** @typedef {{ connector: { state: string, worker_id: string }, tasks: readonly { state: string, trace?: string }[] }} Status */

/**
 * The worst of the connector's states: a task that failed says more than a target.
 * @param {Status} status
 */
export const stateOf = ({ connector, tasks }) =>
  tasks.some(({ state }) => state === "FAILED") ? "FAILED" : connector.state;

/** @type {Record<string, string>} */
const TONES = { RUNNING: "good", FAILED: "bad", PAUSED: "warn", STOPPED: "warn", RESTARTING: "warn" };

/** @param {string} state */
export const statePill = (state) => el("span", { class: `pill ${TONES[state] ?? ""}` }, state.toLowerCase());

/**
 * What became of attempts, as series of a chart.
 * @param {Record<string, string>} labels
 */
export const attemptSeries = (labels) =>
  ["delivered", "retry", "dropped", "stopped"].map((outcome) => ({
    name: outcome,
    values: ratesOf(ATTEMPTS, { ...labels, outcome }),
  }));

/** @param {string} connector */
export const lagText = (connector) => {
  // Counted by who delivers: nobody does while it is stopped or has failed.
  if (!isKnown("stationgate_delivery_lag_records", { connector })) return "not known";
  const records = valueNow("stationgate_delivery_lag_records", { connector });
  const seconds = valueNow("stationgate_delivery_lag_seconds", { connector });
  return records === 0 ? "none" : `${count(records)} records, ${duration(seconds)}`;
};

const HEADS = ["Connector", "State", "Lag here", "Delivered", "Retried", "Given up, in all"];

/** @param {string} name @param {Status} status */
const rowOf = (name, status) => {
  const [lag, delivered, retried, dropped] = [el("span"), el("span"), el("span"), el("span")];
  const draw = () => {
    const [ok = [], again = []] = attemptSeries({ connector: name }).map(({ values }) => values);
    const lost = valueNow("stationgate_delivery_dropped_total", { connector: name });
    say(lag, lagText(name));
    say(delivered, rate(ok.at(-1) ?? 0));
    say(retried, rate(again.at(-1) ?? 0));
    say(dropped, count(lost));
    dropped.className = lost > 0 ? "warn" : "";
  };
  const link = el("a", { href: `#/connectors/${encodeURIComponent(name)}` }, name);
  return { cells: [link, statePill(stateOf(status)), lag, delivered, retried, dropped], draw };
};

/** @param {import("./main.js").View} view */
export const showConnectors = async ({ main, signal }) => {
  const all = chart("Attempts by outcome", rate);
  const trouble = el("p", { role: "alert" });
  const list = el("div");
  main.append(el("h1", {}, "Connectors"), trouble, all.node, list);
  /** @type {readonly (() => void)[]} */
  let draws = [];
  let known = "";

  const load = async () => {
    const statuses = await getJson("/connectors?expand=status", signal);
    const now = JSON.stringify(statuses);
    if (now === known) return;
    known = now;
    const rows = Object.entries(statuses).map(([name, { status }]) => rowOf(name, status));
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
