/** The list of stations, with stored, refused and failed events. */
import { getJson } from "./api.js";
import { chart, sparkline } from "./chart.js";
import { el, say, table } from "./dom.js";
import { count, rate, rateAndTotal } from "./format.js";
import { hintPanel } from "./hint.js";
import { countNow, metricsTrouble, ratesOf, valueNow, watch } from "./metrics.js";
import { poll } from "./poll.js";

const EVENTS = "stationgate_events_total";
const FAILED = /^(unavailable|unknown)$/;

/** Maximum number of rows; the filter finds the other stations. */
const MAX_ROWS = 200;
const LIST_EVERY = 10_000;

/** @typedef {{ name: string, topic: string, partitions: number | null, schema: string | null, key: string | null }} Station */

/** @type {readonly (readonly [string, string | RegExp])[]} */
const OUTCOMES = [
  ["Stored", "stored"],
  ["Refused", "refused"],
  ["Failed", FAILED],
];

/**
 * Events by outcome, as series of a chart.
 * @param {Record<string, string>} labels
 */
export const outcomeSeries = (labels) =>
  OUTCOMES.map(([name, outcome]) => ({
    name,
    values: ratesOf(EVENTS, { ...labels, outcome }),
    total: valueNow(EVENTS, { ...labels, outcome }),
  }));

/**
 * Number of stored events since the gateway started.
 * @param {Record<string, string>} labels
 */
export const storedTotal = (labels) => valueNow(EVENTS, { ...labels, outcome: "stored" });

/** @param {Station} station */
const rowOf = (station) => {
  const { name } = station;
  const line = sparkline();
  const [stored, refused, failed] = [el("span"), el("span"), el("span")];
  const draw = () => {
    line.draw(ratesOf(EVENTS, { station: name, outcome: "stored" }));
    const [ok, no, bad] = OUTCOMES.map(([, outcome]) => countNow(EVENTS, { station: name, outcome }));
    say(stored, rateAndTotal(ok));
    say(refused, rateAndTotal(no));
    say(failed, rateAndTotal(bad));
    refused.className = no?.total ? "warn" : "";
    failed.className = bad?.total ? "bad" : "";
  };
  const link = el("a", { href: `#/stations/${encodeURIComponent(name)}` }, name);
  const topic = station.topic === name ? "" : station.topic;
  const missing = el("span", { class: "warn" }, "no topic yet");
  const cells = [link, el("span", { class: "cell" }, stored, line.node), refused, failed];
  return { cells: [...cells, station.schema ?? "", topic, station.partitions ?? missing], draw };
};

const HEADS = [
  "Station",
  "Stored (total)",
  "Refused (total)",
  "Failed (total)",
  "Schema",
  "Topic",
  "Partitions",
];

/** @param {import("./main.js").View} view */
export const showStations = async ({ main, gateway, signal }) => {
  const all = chart("Events by outcome", rate);
  const trouble = el("p", { role: "alert" });
  const filter = el("input", {
    type: "search",
    "aria-label": "Filter stations by name",
    placeholder: "Filter",
  });
  const list = el("div");
  const hint = hintPanel(gateway, () => stations[0]?.name ?? "demo");
  main.append(
    el("h1", {}, "Stations"),
    trouble,
    hint.node,
    all.node,
    el("div", { class: "bar" }, filter),
    list,
  );

  /** @type {readonly Station[]} */
  let stations = [];
  /** @type {readonly (() => void)[]} */
  let draws = [];
  const drawList = () => {
    const found = stations.filter(({ name }) => name.includes(filter.value.trim().toLowerCase()));
    const rows = found.slice(0, MAX_ROWS).map(rowOf);
    draws = rows.map(({ draw }) => draw);
    const beyond = found.length - rows.length;
    const none = stations.length === 0 ? "There are no stations yet." : "No station matches the filter.";
    list.replaceChildren(
      rows.length === 0
        ? el("p", {}, none)
        : table(
            "Stations",
            HEADS,
            rows.map(({ cells }) => cells),
          ),
      beyond > 0 ? el("p", { class: "hint" }, `${count(beyond)} more. Use the filter to find them.`) : "",
    );
    for (const draw of draws) draw();
  };
  filter.addEventListener("input", drawList);

  const load = async () => {
    const { stations: now } = await getJson("/stations", signal);
    const isNew = JSON.stringify(now) !== JSON.stringify(stations);
    stations = now;
    if (isNew || list.childElementCount === 0) drawList();
    hint.draw(storedTotal({}));
  };
  watch(signal, () => {
    all.draw(outcomeSeries({}));
    hint.draw(storedTotal({}));
    for (const draw of draws) draw();
    if (metricsTrouble() !== undefined) say(trouble, metricsTrouble() ?? "");
  });
  await poll(signal, LIST_EVERY, load, trouble)();
};
