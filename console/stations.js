/** All stations: what comes in, and what is refused. */
import { getJson } from "./api.js";
import { chart, sparkline } from "./chart.js";
import { el, say, table } from "./dom.js";
import { count, rate } from "./format.js";
import { metricsTrouble, ratesOf, valueNow, watch } from "./metrics.js";
import { poll } from "./poll.js";

const EVENTS = "stationgate_events_total";
const FAILED = /^(unavailable|unknown)$/;

/** More rows than these help nobody; the filter finds the others. */
const MAX_ROWS = 200;
const LIST_EVERY = 10_000;

/** @typedef {{ name: string, topic: string, partitions: number | null, schema: string | null, key: string | null }} Station */

/**
 * The outcomes of events, as series of a chart.
 * @param {Record<string, string>} labels
 */
export const outcomeSeries = (labels) => [
  { name: "stored", values: ratesOf(EVENTS, { ...labels, outcome: "stored" }) },
  { name: "refused", values: ratesOf(EVENTS, { ...labels, outcome: "refused" }) },
  { name: "failed", values: ratesOf(EVENTS, { ...labels, outcome: FAILED }) },
];

/** @param {Station} station */
const rowOf = (station) => {
  const { name } = station;
  const line = sparkline();
  const [stored, refused, failed] = [el("span"), el("span"), el("span")];
  const draw = () => {
    const [ok = [], no = [], bad = []] = outcomeSeries({ station: name }).map(({ values }) => values);
    line.draw(ok);
    say(stored, rate(ok.at(-1) ?? 0));
    const totals = [
      valueNow(EVENTS, { station: name, outcome: "refused" }),
      valueNow(EVENTS, { station: name, outcome: FAILED }),
    ];
    say(refused, `${rate(no.at(-1) ?? 0)} · ${count(totals[0])}`);
    say(failed, `${rate(bad.at(-1) ?? 0)} · ${count(totals[1])}`);
    refused.className = totals[0] ? "warn" : "";
    failed.className = totals[1] ? "bad" : "";
  };
  const link = el("a", { href: `#/stations/${encodeURIComponent(name)}` }, name);
  const topic = station.topic === name ? "" : station.topic;
  const missing = el("span", { class: "warn" }, "no topic yet");
  const cells = [link, el("span", { class: "cell" }, stored, line.node), refused, failed];
  return { cells: [...cells, station.schema ?? "", topic, station.partitions ?? missing], draw };
};

const HEADS = ["Station", "Stored", "Refused, in all", "Failed, in all", "Schema", "Topic", "Partitions"];

/** @param {import("./main.js").View} view */
export const showStations = async ({ main, signal }) => {
  const all = chart("Events by outcome", rate);
  const trouble = el("p", { role: "alert" });
  const filter = el("input", {
    type: "search",
    "aria-label": "Filter stations by name",
    placeholder: "Filter",
  });
  const list = el("div");
  main.append(el("h1", {}, "Stations"), trouble, all.node, el("div", { class: "bar" }, filter), list);

  /** @type {readonly Station[]} */
  let stations = [];
  /** @type {readonly (() => void)[]} */
  let draws = [];
  const drawList = () => {
    const found = stations.filter(({ name }) => name.includes(filter.value.trim().toLowerCase()));
    const rows = found.slice(0, MAX_ROWS).map(rowOf);
    draws = rows.map(({ draw }) => draw);
    const beyond = found.length - rows.length;
    const none = stations.length === 0 ? "There are no stations yet." : "No station has such a name.";
    list.replaceChildren(
      rows.length === 0
        ? el("p", {}, none)
        : table(
            "Stations",
            HEADS,
            rows.map(({ cells }) => cells),
          ),
      beyond > 0 ? el("p", { class: "hint" }, `${count(beyond)} more; the filter finds them.`) : "",
    );
    for (const draw of draws) draw();
  };
  filter.addEventListener("input", drawList);

  const load = async () => {
    const { stations: now } = await getJson("/stations", signal);
    const isNew = JSON.stringify(now) !== JSON.stringify(stations);
    stations = now;
    if (isNew || list.childElementCount === 0) drawList();
  };
  watch(signal, () => {
    all.draw(outcomeSeries({}));
    for (const draw of draws) draw();
    if (metricsTrouble() !== undefined) say(trouble, metricsTrouble() ?? "");
  });
  await poll(signal, LIST_EVERY, load, trouble)();
};
