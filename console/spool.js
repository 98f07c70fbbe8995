/** The spool: how much is in it, how old it is, and how fast it drains. */
import { chart } from "./chart.js";
import { el, facts } from "./dom.js";
import { bytes, count, duration, rate, rateAndTotal } from "./format.js";
import { countNow, ratesOf, valueNow, valuesOf } from "./metrics.js";

const EVENTS = "stationgate_spool_events";
const DRAINED = "stationgate_spool_drained_total";

const spoolFacts = () => {
  const [used, most, events] = [
    valueNow("stationgate_spool_bytes"),
    valueNow("stationgate_spool_max_bytes"),
    valueNow(EVENTS),
  ];
  return facts([
    ["Events", count(events)],
    ["Size", `${bytes(used)} of ${bytes(most)} (${count((100 * used) / most)}%)`],
    ["Oldest event", events === 0 ? "–" : `${duration(valueNow("stationgate_spool_oldest_seconds"))} old`],
    ["Drained, rate (total)", rateAndTotal(countNow(DRAINED, {}))],
    ["Refused by Kafka (total)", count(valueNow("stationgate_spool_refused_total"))],
  ]);
};

/** Empty if the gateway has no spool. `draw` is to be called after each scrape. */
export const spoolPanel = () => {
  const now = el("section", { class: "panel", "aria-label": "Spool" });
  const waiting = chart("Events in the spool", count);
  const drained = chart("Drained events", rate);
  const node = el("div", { class: "columns even" });
  const draw = () => {
    if (valueNow("stationgate_spool_max_bytes") === 0) return;
    if (!node.hasChildNodes()) node.append(now, waiting.node, drained.node);
    now.replaceChildren(el("h2", {}, "Spool"), spoolFacts());
    waiting.draw([{ name: "Events", values: valuesOf(EVENTS) }]);
    drained.draw([{ name: "Drained", values: ratesOf(DRAINED), total: valueNow(DRAINED) }]);
  };
  return { node, draw };
};
