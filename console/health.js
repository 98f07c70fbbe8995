/** Readiness, the broker, the spool, and the gateway itself. */
import { getJson, wordsOf } from "./api.js";
import { chart } from "./chart.js";
import { el, facts } from "./dom.js";
import { bytes, count, duration, rate } from "./format.js";
import { averagesOf, ratesOf, valueNow, valuesOf, watch } from "./metrics.js";
import { poll } from "./poll.js";
import { spoolPanel } from "./spool.js";

const REQUESTS = "stationgate_http_requests_total";
const POLL_EVERY = 5000;

/** @param {AbortSignal} signal */
const readyText = async (signal) => {
  try {
    const { spooling } = await getJson("/readyz", signal);
    return spooling
      ? el("span", { class: "pill warn" }, "ready: events go to the spool until Kafka has all of its events")
      : el("span", { class: "pill good" }, "ready: the gateway can store events");
  } catch (error) {
    return el("span", { class: "pill bad" }, `not ready: ${wordsOf(error)}`);
  }
};

/** @type {Record<string, string>} */
const KINDS = { kafka: "Kafka", embedded: "the embedded log", memory: "memory" };

/** @param {import("./main.js").Gateway} gateway */
const brokerFacts = ({ broker }) =>
  facts([
    ["Broker", KINDS[broker.kind] ?? broker.kind],
    ["Cluster", broker.clusterId ?? "unknown"],
    ...(broker.addresses.length > 0
      ? [/** @type {const} */ (["Addresses", broker.addresses.join(", ")])]
      : []),
    ["Topics", count(broker.topics)],
    ["Partitions", count(broker.partitions)],
  ]);

/** Once: the ids of events. A process without the role ingest has none. */
const idFacts = () => {
  const configured = valueNow("stationgate_once_configured_window_seconds");
  const kept = valueNow("stationgate_once_window_seconds");
  const forgets = kept < configured ? ", ids are forgotten too early: raise once.maxIds" : "";
  return configured === 0
    ? []
    : [
        /** @type {const} */ ([
          "Ids remembered for",
          `${duration(kept)} of ${duration(configured)}${forgets}`,
        ]),
        /** @type {const} */ (["Open ids", count(valueNow("stationgate_once_open_ids"))]),
      ];
};

/** @param {import("./main.js").Gateway} gateway */
const gatewayFacts = ({ version, commit, roles }) =>
  facts([
    ["Version", version],
    ["Commit", commit.slice(0, 12)],
    ["Roles", roles.join(", ")],
    ...idFacts(),
    ["Memory", bytes(valueNow("process_resident_memory_bytes"))],
    ["Wrong credentials (total)", count(valueNow("stationgate_auth_failures_total"))],
  ]);

const charts = () => {
  const requests = chart("Requests by status", rate);
  const append = chart("Append time (average)", duration, 0.001);
  const buffered = chart("Bytes buffered for the broker", bytes);
  const draw = () => {
    const answered = (/** @type {string} */ name, /** @type {RegExp} */ status) => ({
      name,
      values: ratesOf(REQUESTS, { status }),
      total: valueNow(REQUESTS, { status }),
    });
    requests.draw([answered("2xx", /^2/), answered("4xx", /^4/), answered("5xx", /^5/)]);
    append.draw([{ name: "Append", values: averagesOf("stationgate_append_seconds") }]);
    buffered.draw([{ name: "Buffered", values: valuesOf("stationgate_buffered_bytes") }]);
  };
  return { nodes: [requests.node, append.node, buffered.node], draw };
};

/** @param {import("./main.js").View} view */
export const showHealth = async ({ main, gateway, signal }) => {
  const ready = el("p");
  const broker = el("section", { class: "panel", "aria-label": "Broker" });
  const own = el("section", { class: "panel", "aria-label": "This gateway" });
  const { nodes, draw } = charts();
  const spool = spoolPanel();
  main.append(
    el("h1", {}, "Health"),
    ready,
    el("div", { class: "columns even" }, broker, own),
    spool.node,
    el("div", { class: "columns even" }, ...nodes),
  );
  const load = async () => {
    ready.replaceChildren(await readyText(signal));
    const now = await getJson("/gateway", signal).catch(() => gateway);
    broker.replaceChildren(el("h2", {}, "Broker"), brokerFacts(now));
    own.replaceChildren(el("h2", {}, "This gateway"), gatewayFacts(now));
  };
  watch(signal, () => {
    draw();
    spool.draw();
  });
  await poll(signal, POLL_EVERY, load)();
};
