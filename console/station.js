/** One station: its facts, its rates, its live tail, and a form for a test event. */
import { getJson, wordsOf } from "./api.js";
import { chart } from "./chart.js";
import { el, facts } from "./dom.js";
import { duration, rate } from "./format.js";
import { hintPanel } from "./hint.js";
import { watch } from "./metrics.js";
import { producePanel } from "./produce.js";
import { outcomeSeries, storedTotal } from "./stations.js";
import { tailPanel } from "./tail.js";

/** @param {string} name @param {AbortSignal} signal */
const factsOf = async (name, signal) => {
  const { stations } = await getJson("/stations", signal);
  const station = stations.find((/** @type {{ name: string }} */ one) => one.name === name);
  if (station === undefined) return el("p", { role: "alert" }, `There is no station ${name}.`);
  return facts([
    ["Topic", station.topic],
    ["Partitions", station.partitions ?? "no topic yet"],
    ["Replication factor", station.replicationFactor ?? "–"],
    ["Schema", station.schema ?? "none"],
    ["Key", station.key ?? "none"],
    ["Event ids", station.once === null ? "none" : idsOf(station.once)],
  ]);
};

/** @param {{ id: string, windowMs: number, strict: boolean }} once */
const idsOf = ({ id, windowMs, strict }) =>
  `${id}, remembered for ${duration(windowMs / 1000)}${strict ? "" : ", stored without the check during a fault"}`;

/** @param {import("./main.js").View} view */
export const showStation = async ({ main, name, gateway, may, mayReadEvents, signal }) => {
  const events = chart("Events by outcome", rate);
  const hint = hintPanel(gateway, () => name);
  const about = el("div", {}, el("p", { class: "hint" }, "Loading…"));
  main.append(
    el("p", { class: "crumbs" }, el("a", { href: "#/stations" }, "Stations")),
    el("h1", {}, name),
    about,
    hint.node,
    events.node,
  );
  if (gateway.roles.includes("ingest") && mayReadEvents)
    main.append(
      may("operator")
        ? el("div", { class: "columns" }, tailPanel(name, signal), producePanel(name))
        : tailPanel(name, signal),
    );
  watch(signal, () => {
    events.draw(outcomeSeries({ station: name }));
    hint.draw(storedTotal({ station: name }));
  });
  try {
    about.replaceChildren(await factsOf(name, signal));
  } catch (error) {
    if (!signal.aborted) about.replaceChildren(el("p", { role: "alert" }, wordsOf(error)));
  }
};
